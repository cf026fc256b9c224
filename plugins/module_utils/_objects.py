# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What every part knows of a Kubernetes object: reference, scope, order, our labels. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Object = dict[str, t.Any]

API_GROUP = "llm-platform.wmx.dev"
FIELD_MANAGER = "llm-platform"
PLATFORM = "llm-platform"

LABEL_PART_OF = "app.kubernetes.io/part-of"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_APPLYSET = "applyset.kubernetes.io/part-of"

ANNOTATION_PHASE = f"{API_GROUP}/phase"
ANNOTATION_PHASE_WEIGHT = f"{API_GROUP}/phase-weight"
PHASE_BEFORE = "before"
PHASE_AFTER = "after"


class ObjectError(Exception):
    """An object lacks what every Kubernetes object must have."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Names one object. Two versions of one kind name the same object: compare `key` for identity."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> tuple[str, str]:
        return (self.group, self.kind)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.group, self.kind, self.namespace, self.name)

    @property
    def text(self) -> str:
        """For people: `apps/Deployment llm-serving/chat`, `Namespace llm-serving`."""
        kind = f"{self.group}/{self.kind}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"

    def __str__(self) -> str:
        return self.text


def split_api_version(api_version: str) -> tuple[str, str]:
    """Group and version: `apps/v1` gives ("apps", "v1"), `v1` gives ("", "v1")."""
    group, _slash, version = api_version.rpartition("/")
    return group, version


def ref_of(obj: t.Mapping[str, t.Any]) -> Ref:
    """The reference of an object that has apiVersion, kind and metadata.name; ObjectError says which is missing."""
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    values = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata.name": metadata.get("name")}
    wrong = [field for field, value in values.items() if not isinstance(value, str) or not value]
    namespace = metadata.get("namespace") or ""
    if not isinstance(namespace, str):
        wrong.append("metadata.namespace")
    if wrong:
        seen = ", ".join(f"{field}={value!r}" for field, value in values.items())
        raise ObjectError(f"{', '.join(wrong)} must be a non-empty string (object has {seen})")
    group, version = split_api_version(t.cast("str", values["apiVersion"]))
    return Ref(group, version, t.cast("str", values["kind"]), namespace, t.cast("str", values["metadata.name"]))


_CORE_CLUSTER = ("ComponentStatus", "Namespace", "Node", "PersistentVolume")
_CLUSTER_KINDS: t.Final[dict[str, tuple[str, ...]]] = {
    "": _CORE_CLUSTER,
    "admissionregistration.k8s.io": (
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    ),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "authentication.k8s.io": ("SelfSubjectReview", "TokenReview"),
    "authorization.k8s.io": ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"),
    "certificates.k8s.io": ("CertificateSigningRequest", "ClusterTrustBundle"),
    "flowcontrol.apiserver.k8s.io": ("FlowSchema", "PriorityLevelConfiguration"),
    "internal.apiserver.k8s.io": ("StorageVersion",),
    "networking.k8s.io": ("IPAddress", "IngressClass", "ServiceCIDR"),
    "node.k8s.io": ("RuntimeClass",),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding"),
    "resource.k8s.io": ("DeviceClass", "DeviceTaintRule", "ResourceSlice"),
    "scheduling.k8s.io": ("PriorityClass",),
    "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"),
    "storagemigration.k8s.io": ("StorageVersionMigration",),
}
CLUSTER_SCOPED: t.Final[frozenset[tuple[str, str]]] = frozenset(
    (group, kind) for group, kinds in _CLUSTER_KINDS.items() for kind in kinds
)
BUILT_IN_GROUPS: t.Final[frozenset[str]] = frozenset(_CLUSTER_KINDS) | {
    "apps",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "policy",
}

# Kinds a prune leaves alone unless llm_prune_data names the object: what they hold cannot be made again.
DATA_KINDS: t.Final[frozenset[tuple[str, str]]] = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("", "Secret"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("postgresql.cnpg.io", "Cluster"),
    }
)

# What others need comes first; what intercepts requests comes when its backend is there.
RANK_FOUNDATION = 0
RANK_CUSTOM = 50
_RANKS: t.Final[dict[tuple[str, str], int]] = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): RANK_FOUNDATION,
    ("", "Namespace"): RANK_FOUNDATION,
    ("scheduling.k8s.io", "PriorityClass"): 10,
    ("node.k8s.io", "RuntimeClass"): 10,
    ("storage.k8s.io", "StorageClass"): 10,
    ("networking.k8s.io", "NetworkPolicy"): 10,
    ("", "ResourceQuota"): 10,
    ("", "LimitRange"): 10,
    ("", "ServiceAccount"): 10,
    ("rbac.authorization.k8s.io", "ClusterRole"): 10,
    ("rbac.authorization.k8s.io", "Role"): 10,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): 20,
    ("rbac.authorization.k8s.io", "RoleBinding"): 20,
    ("", "Secret"): 20,
    ("", "ConfigMap"): 20,
    ("", "PersistentVolume"): 20,
    ("", "PersistentVolumeClaim"): 25,
    ("", "Service"): 30,
    ("policy", "PodDisruptionBudget"): 30,
    ("", "Pod"): 40,
    ("apps", "DaemonSet"): 40,
    ("apps", "Deployment"): 40,
    ("apps", "ReplicaSet"): 40,
    ("apps", "StatefulSet"): 40,
    ("batch", "CronJob"): 45,
    ("batch", "Job"): 45,
    ("autoscaling", "HorizontalPodAutoscaler"): 45,
    ("apiregistration.k8s.io", "APIService"): 60,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): 60,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): 60,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): 70,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): 70,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): 70,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): 70,
}


def rank_of(ref: Ref) -> int:
    """Where a kind stands in the order of an apply; lower is earlier."""
    return _RANKS.get(ref.group_kind, RANK_CUSTOM)


def annotations_of(obj: t.Mapping[str, t.Any]) -> t.Mapping[str, str]:
    return t.cast("dict[str, str]", obj["metadata"].get("annotations") or {})


def order_of(obj: t.Mapping[str, t.Any]) -> tuple[int, int, int]:
    """(stage, weight, rank): apply one value after the other; objects with the same value have no order among them.

    Stages: 0 namespaces and CRDs, 1 former pre-install hooks, 2 everything, 3 former post-install hooks.
    """
    rank = rank_of(ref_of(obj))
    if rank == RANK_FOUNDATION:
        return (0, 0, rank)
    annotations = annotations_of(obj)
    stage = {PHASE_BEFORE: 1, PHASE_AFTER: 3}.get(annotations.get(ANNOTATION_PHASE, ""), 2)
    return (stage, int(annotations.get(ANNOTATION_PHASE_WEIGHT, "0")), rank)
