# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which kinds have no namespace: built in, well known, listed, or of a CRD in the tree. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import BUILT_IN_GROUPS, CLUSTER_SCOPED
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import component_folders, key_of_file
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import load_documents

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

_CRD: t.Final = ("apiextensions.k8s.io", "CustomResourceDefinition")

# For operators that are on the cluster already: their CRDs are not in the tree.
_WELL_KNOWN: t.Final[dict[str, tuple[str, ...]]] = {
    "cert-manager.io": ("ClusterIssuer",),
    "external-secrets.io": ("ClusterExternalSecret", "ClusterPushSecret", "ClusterSecretStore"),
    "gateway.networking.k8s.io": ("GatewayClass",),
    "generators.external-secrets.io": ("ClusterGenerator",),
    "keda.sh": ("ClusterTriggerAuthentication",),
    "kueue.x-k8s.io": (
        "AdmissionCheck",
        "ClusterQueue",
        "Cohort",
        "MultiKueueCluster",
        "MultiKueueConfig",
        "ProvisioningRequestConfig",
        "ResourceFlavor",
        "Topology",
        "WorkloadPriorityClass",
    ),
    "nvidia.com": ("ClusterPolicy", "NVIDIADriver"),
    "policy.networking.k8s.io": ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"),
    "postgresql.cnpg.io": ("ClusterImageCatalog",),
    "serving.kserve.io": ("ClusterServingRuntime", "ClusterStorageContainer"),
    "snapshot.storage.k8s.io": ("VolumeSnapshotClass", "VolumeSnapshotContent"),
}
WELL_KNOWN_CLUSTER_SCOPED: t.Final[frozenset[tuple[str, str]]] = frozenset(
    (group, kind) for group, kinds in _WELL_KNOWN.items() for kind in kinds
)


def _definition(crd: Object) -> tuple[tuple[str, str], bool] | None:
    spec = crd.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
        return None
    return (str(spec.get("group")), str(spec["names"].get("kind"))), spec.get("scope") == "Cluster"


class Scopes:
    """Answers whether a kind is cluster-scoped; reads a CRD of the tree only when a kind of its group is asked for."""

    def __init__(self, tree: Path, listed: Iterable[tuple[str, str]] = ()) -> None:
        self._tree = tree
        self._cluster = set(CLUSTER_SCOPED) | WELL_KNOWN_CLUSTER_SCOPED | set(listed)
        self._defined: dict[tuple[str, str], bool] = {}
        self._read_groups: set[str] = set()

    def learn(self, objects: Iterable[Object]) -> None:
        """CRDs rendered in this very call come before what the tree holds."""
        for obj in objects:
            if obj.get("kind") == _CRD[1] and (found := _definition(obj)):
                self._defined[found[0]] = found[1]

    def _read(self, group: str) -> None:
        self._read_groups.add(group)
        for _layer, _component, folder in component_folders(self._tree):
            for path in folder.glob(f"{_CRD[0]}.{_CRD[1]}._.*.{group}.yml"):
                if key_of_file(path.name)[3].partition(".")[2] == group:
                    for _line, crd in load_documents(path.read_text(encoding="utf-8")):
                        if found := _definition(crd):
                            self._defined.setdefault(*found)

    def is_cluster_scoped(self, group_kind: tuple[str, str]) -> bool:
        group = group_kind[0]
        if group not in BUILT_IN_GROUPS and group not in self._read_groups and group_kind not in self._defined:
            self._read(group)
        return self._defined.get(group_kind, group_kind in self._cluster)
