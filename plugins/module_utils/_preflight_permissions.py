# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks the API server whether the kubeconfig's user may do what the plan needs. Private to the collection."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_VERBS = ("get", "list", "watch", "create", "patch", "delete")
_THREADS = 16
_CLUSTER_WIDE = frozenset({"namespaces", "nodes", "persistentvolumes", "clusterroles"})


class Access(t.NamedTuple):
    """One thing to be allowed; an empty namespace is all of them."""

    verb: str
    group: str
    resource: str
    namespace: str

    @property
    def target(self) -> str:
        kind = f"{self.group}/{self.resource}" if self.group else self.resource
        return f"{kind} in {self.namespace}" if self.namespace else kind


def check_permissions(client: KubeClient, plan: Mapping[str, t.Any]) -> tuple[list[str], str, str]:
    """What is missing (one entry per kind), what to say when nothing is, and the fix."""
    if _allowed(client, Access("*", "*", "*", "")):
        return [], "the user may do everything", ""
    wanted = sorted(needed(plan))
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        answers = list(pool.map(lambda access: _allowed(client, access), wanted))
    missing: dict[str, list[str]] = {}
    for access, allowed in zip(wanted, answers, strict=True):
        if not allowed:
            missing.setdefault(access.target, []).append(access.verb)
    problems = [f"{', '.join(verbs)} {target}" for target, verbs in missing.items()]
    return problems, f"all {len(wanted)} permissions are there", "grant these to the kubeconfig's user"


def needed(plan: Mapping[str, t.Any]) -> set[Access]:
    """Everything the components in this run ask of the API server."""
    home = plan["home_namespace"]
    found = {Access(verb, "", "configmaps", home) for verb in _VERBS}
    found |= {
        Access(verb, "coordination.k8s.io", "leases", home) for verb in ("get", "create", "patch", "update", "delete")
    }
    namespaces = [entry["name"] for entry in plan["namespaces"]]
    for component in plan["components"]:
        if component["name"] not in plan["selected"]:
            continue
        for kind in component["kinds"]:
            group, _slash, resource = kind.rpartition("/")
            cluster_wide = resource in _CLUSTER_WIDE or group in (
                "apiextensions.k8s.io",
                "admissionregistration.k8s.io",
            )
            # The foundation gives every namespace its policies; the others stay in their own.
            everywhere = component["name"] == "foundation" or not component["namespace"]
            # Tenants come and go, and each brings a namespace.
            cluster_wide = cluster_wide or component["name"] == "tenants"
            places = [""] if cluster_wide else namespaces if everywhere else [component["namespace"]]
            found |= {Access(verb, group, resource, place) for place in places for verb in _VERBS}
    # Verification reaches models through the API server and runs pods of its own.
    for name in namespaces:
        found |= {Access("create", "", "pods/portforward", name), Access("get", "", "pods/log", name)}
        found |= {Access(verb, "", "pods", name) for verb in ("get", "list", "watch")}
    return found


def _allowed(client: KubeClient, access: Access) -> bool:
    resource, _slash, sub = access.resource.partition("/")
    attributes = {"verb": access.verb, "group": access.group, "resource": resource, "namespace": access.namespace}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**attributes, **({"subresource": sub} if sub else {})}},
    }
    answer = client.checked("POST", _REVIEWS, body=body, content_type="application/json").json()
    return bool((answer.get("status") or {}).get("allowed"))
