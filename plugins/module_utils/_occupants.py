# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a namespace still holds, of every kind the cluster serves. Private to the collection."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_THREADS = 16
# The cluster puts these into every namespace, or derives them from what is in it.
_FURNITURE_NAMES = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
_DERIVED_KINDS = frozenset({"Endpoints", "EndpointSlice", "Event", "PodMetrics"})


class Kind(t.NamedTuple):
    """A namespaced kind that can be listed."""

    group: str
    version: str
    kind: str
    path: str


def occupants(client: KubeClient, namespace: str) -> list[Ref]:
    """Everything in the namespace that somebody put there on purpose and that is not being deleted already."""
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        found = pool.map(lambda kind: _objects(client, kind, namespace), _kinds(client))
    return sorted(ref for refs in found for ref in refs)


def _kinds(client: KubeClient) -> list[Kind]:
    kinds = []
    for root in ("/api", "/apis"):
        answer = client.checked("GET", root, accept=_AGGREGATED).json()
        if answer.get("kind") != "APIGroupDiscoveryList":
            raise KubeError(f"{root} answered without aggregated discovery; Kubernetes 1.34 or newer is needed")
        for entry in answer.get("items") or []:
            group = (entry.get("metadata") or {}).get("name") or ""
            # The first version is the preferred one.
            for version in (entry.get("versions") or [])[:1]:
                prefix = f"{root}/{group}/{version['version']}" if group else f"{root}/{version['version']}"
                for resource in version.get("resources") or []:
                    if resource.get("scope") == "Namespaced" and "list" in (resource.get("verbs") or []):
                        kind = (resource.get("responseKind") or {}).get("kind") or ""
                        path = f"{prefix}/namespaces/{{namespace}}/{resource['resource']}"
                        kinds.append(Kind(group, version["version"], kind, path))
    return [kind for kind in kinds if kind.kind not in _DERIVED_KINDS]


def _objects(client: KubeClient, kind: Kind, namespace: str) -> list[Ref]:
    items = client.get_json(kind.path.format(namespace=namespace), {"limit": 500}).get("items") or []
    return [
        Ref(kind.group, kind.version, kind.kind, namespace, item["metadata"]["name"])
        for item in items
        if (kind.kind, item["metadata"]["name"]) not in _FURNITURE_NAMES
        # What has an owner goes with it.
        and not item["metadata"].get("ownerReferences")
        and not item["metadata"].get("deletionTimestamp")
    ]
