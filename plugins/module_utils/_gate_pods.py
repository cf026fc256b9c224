# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules about pods: what they may use, how they are watched and where they run. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import Item, Rule, Tree
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_find import find_images

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Found = tuple[Item, str, str]
_SERVERS = frozenset({"DaemonSet", "Deployment", "StatefulSet"})
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC")
_NEVER_ONE = 1


def _resources(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        for where, container in item.containers("initContainers", "containers"):
            resources = container.get("resources") or {}
            requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
            missing = [f"requests.{name}" for name in ("cpu", "memory") if name not in requests and name not in limits]
            missing += [] if "memory" in limits else ["limits.memory"]
            if missing:
                yield item, f"{where} sets no {', '.join(missing)}", "set requests and a memory limit"


def _probes(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        if item.ref.kind not in _SERVERS:
            continue
        for where, container in item.containers("containers"):
            missing = [name for name in ("readinessProbe", "livenessProbe") if not container.get(name)]
            if container.get("ports") and missing:
                yield item, f"{where} has ports and no {' and no '.join(missing)}", "add the probe"


def _tokens(tree: Tree) -> Iterator[Found]:
    entitled = _accounts_with_rights(tree)
    mounting = {
        (item.ref.namespace, item.ref.name): item.object.get("automountServiceAccountToken")
        for item in tree.of_kind("", "ServiceAccount")
    }
    for item in tree.items:
        if item.template is None:
            continue
        account = (item.ref.namespace, item.pod_spec.get("serviceAccountName") or "default")
        mounts = item.pod_spec.get("automountServiceAccountToken")
        mounts = mounting.get(account) if mounts is None else mounts
        if mounts is not False and account not in entitled:
            fix = "set automountServiceAccountToken: false, or bind a role to its ServiceAccount in the tree"
            yield item, f"gets a token of ServiceAccount {account[1]}, which has no rights", fix


def _accounts_with_rights(tree: Tree) -> set[tuple[str, str]]:
    bindings = tree.of_kind("rbac.authorization.k8s.io", "RoleBinding", "ClusterRoleBinding")
    return {
        (str(subject.get("namespace") or binding.ref.namespace), str(subject.get("name")))
        for binding in bindings
        for subject in binding.object.get("subjects") or ()
        if subject.get("kind") == "ServiceAccount"
    }


def _host(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        paths = [volume["name"] for volume in item.pod_spec.get("volumes") or () if "hostPath" in volume]
        if paths:
            yield item, f"mounts the node's files ({', '.join(paths)})", "use a PersistentVolumeClaim or an emptyDir"
        shared = [name for name in _HOST_FIELDS if item.pod_spec.get(name)]
        if shared:
            yield item, f"sets {', '.join(shared)}", "leave the node's namespaces alone"
        for where, container in item.containers():
            if (container.get("securityContext") or {}).get("privileged"):
                yield item, f"{where} is privileged", "drop it"


def _pinned(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        for found in find_images(item.object):
            if not found.image.digest:
                fix = "pin the tree with wmx.llm_platform.digest_pin"
                yield item, f"{found.place.text} names {found.image} without digest", fix


def _available(tree: Tree) -> Iterator[Found]:
    if tree.tier != "prod":
        return
    budgets = list(tree.of_kind("policy", "PodDisruptionBudget"))
    for item in tree.of_kind("apps", "Deployment", "StatefulSet"):
        if int(item.object["spec"].get("replicas", _NEVER_ONE)) <= _NEVER_ONE:
            continue
        labels = ((item.template or {}).get("metadata") or {}).get("labels") or {}
        if not any(budget.ref.namespace == item.ref.namespace and _selects(budget, labels) for budget in budgets):
            yield item, "has replicas and no PodDisruptionBudget", "add one that selects its pods"
        affinity = (item.pod_spec.get("affinity") or {}).get("podAntiAffinity")
        if not affinity and not item.pod_spec.get("topologySpreadConstraints"):
            yield item, "may put all replicas on one node", "add topologySpreadConstraints"


def _selects(budget: Item, labels: Mapping[str, str]) -> bool:
    wanted = (budget.object["spec"].get("selector") or {}).get("matchLabels") or {}
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


RULES: t.Final = (
    Rule("resources", "Every container requests CPU and memory and has a memory limit", _resources),
    Rule("probes", "Every server has a readiness and a liveness probe", _probes),
    Rule("token", "No pod gets a token that gives it no right", _tokens),
    Rule("host", "No pod mounts the node's files, joins its namespaces or is privileged", _host),
    Rule("pinned", "Every image has a digest", _pinned),
    Rule("available", "In prod, replicas are spread and protected by a disruption budget", _available),
)
