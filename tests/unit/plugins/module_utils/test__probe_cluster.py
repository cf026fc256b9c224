# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster that only looks safe or ready is found out."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import (
    is_simulated_node,
    observe_ready,
    observe_restricted,
    pod_faults,
    restricted_pod,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

IMAGE = "example.com/probe:1"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def node(name: str, *, simulated: bool = False, ready: bool = True) -> dict[str, t.Any]:
    labels = {"type": "kwok"} if simulated else {}
    return {"metadata": {"name": name, "labels": labels}, "status": READY if ready else {"conditions": []}}


def storage_class(name: str, *, default: bool = True) -> dict[str, t.Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}}


class Api:
    """Answers lists from what it is given and judges pods as told."""

    def __init__(self, **lists: list[dict[str, t.Any]]) -> None:
        empty: dict[str, list[dict[str, t.Any]]] = {"pods": [], "rolebindings": [], "clusterrolebindings": []}
        self.lists = {"nodes": [node("node-1")], "storageclasses": [storage_class("local")], **empty, **lists}
        self.readyz = 200
        self.enforces = "restricted"
        self.refuse: t.Callable[[dict[str, t.Any]], tuple[int, str]] = pod_security

    def request(self, method: str, path: str, **options: t.Any) -> Response:
        last = path.rsplit("/", 1)[-1]
        if method == "POST":
            code, message = self.refuse(options["body"])
            return reply(code, {"message": message})
        if path == "/readyz":
            return Response(self.readyz)
        if path == "/version":
            return reply(200, {"gitVersion": "v1.36.3"})
        if path in ("/api/v1", "/apis/storage.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1"):
            kinds = {
                "Node": ("nodes", False),
                "Pod": ("pods", True),
                "StorageClass": ("storageclasses", False),
                "RoleBinding": ("rolebindings", True),
                "ClusterRoleBinding": ("clusterrolebindings", False),
            }
            return reply(
                200,
                {
                    "resources": [
                        {"name": plural, "kind": kind, "namespaced": scoped, "verbs": ["list"]}
                        for kind, (plural, scoped) in kinds.items()
                    ]
                },
            )
        if last in self.lists:
            return reply(200, {"metadata": {}, "items": copy.deepcopy(self.lists[last])})
        if path.startswith("/api/v1/namespaces/") and last != "absent":
            return reply(
                200, {"metadata": {"name": last, "labels": {"pod-security.kubernetes.io/enforce": self.enforces}}}
            )
        return reply(404, {"reason": "NotFound", "message": "not found"})

    def stream(self, path: str, **options: t.Any) -> t.Iterator[bytes]:
        raise NotImplementedError


def reply(code: int, body: dict[str, t.Any]) -> Response:
    return Response(code, json.dumps(body).encode())


def pod_security(pod: dict[str, t.Any]) -> tuple[int, str]:
    privileged = pod["spec"]["containers"][0]["securityContext"].get("privileged")
    return (403, 'violates PodSecurity "restricted:latest"') if privileged else (201, "")


def client(api: Api) -> KubeClient:
    return KubeClient(t.cast("t.Any", api))


OURS = [{"name": "llm-serving", "pod_security": "restricted"}]


def test_a_ready_cluster_is_ready_and_simulated_nodes_are_counted_apart() -> None:
    seen = observe_ready(client(Api(nodes=[node("node-1"), node("gpu-0", simulated=True)])))
    assert seen.faults == []
    assert "1 real and 1 simulated" in seen.facts[0]
    assert seen.simulated


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"nodes": [node("gpu-0", simulated=True)]}, "no real node"),
        ({"nodes": [node("node-1", ready=False)]}, "node-1 is not Ready"),
        ({"pods": [{"metadata": {"name": "dns"}, "status": {"phase": "Pending"}}]}, "kube-system/dns is not Ready"),
        ({"storageclasses": []}, "0 default StorageClasses"),
        ({"storageclasses": [storage_class("a"), storage_class("b")]}, "2 default StorageClasses"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_ready_is_named(change: dict[str, t.Any], fault: str) -> None:
    assert any(fault in text for text in observe_ready(client(Api(**change))).faults)


def test_an_api_server_that_is_not_ready_is_a_fault() -> None:
    api = Api()
    api.readyz = 500
    assert "/readyz gave status 500" in observe_ready(client(api)).faults


def test_a_restricted_namespace_with_our_kind_of_pod_holds_the_claim() -> None:
    seen = observe_restricted(client(Api(pods=[restricted_pod("a", IMAGE)])), OURS, IMAGE)
    assert seen.faults == []
    assert "1 pod(s)" in seen.facts[0]


def test_a_namespace_that_refuses_every_pod_is_not_safe_but_broken() -> None:
    api = Api()
    api.refuse = lambda _pod: (403, "violates PodSecurity")
    assert "refuses even a restricted pod" in observe_restricted(client(api), OURS, IMAGE).faults[0]


def test_a_namespace_that_accepts_a_privileged_pod_is_found() -> None:
    api = Api()
    api.refuse = lambda _pod: (201, "")
    assert "accepts a privileged pod" in observe_restricted(client(api), OURS, IMAGE).faults[0]


def test_a_privileged_pod_that_is_refused_for_another_reason_shows_nothing() -> None:
    api = Api()
    api.refuse = lambda pod: (403, "exceeded quota") if pod["metadata"]["name"] == "probe-privileged" else (201, "")
    assert "for another reason: exceeded quota" in observe_restricted(client(api), OURS, IMAGE).faults[0]


def test_a_label_that_differs_and_a_namespace_that_is_missing_are_faults() -> None:
    api = Api()
    api.enforces = "baseline"
    faults = observe_restricted(client(api), [*OURS, {"name": "absent"}], IMAGE).faults
    assert "namespace llm-serving enforces baseline, not restricted" in faults
    assert "namespace absent does not exist" in faults


def test_an_exception_needs_a_reason() -> None:
    api = Api()
    api.enforces = "privileged"
    entry = {"name": "gpu", "pod_security": "privileged"}
    assert "without a reason" in observe_restricted(client(api), [entry], IMAGE).faults[0]
    assert observe_restricted(client(api), [{**entry, "reason": "drivers"}], IMAGE).faults == []


def drop(pod: dict[str, t.Any], *path: t.Any) -> None:
    for key in path[:-1]:
        pod = pod[key]
    del pod[path[-1]]


CONTEXT = ("spec", "containers", 0, "securityContext")


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (("spec", "securityContext", "runAsNonRoot"), "may run as root"),
        ((*CONTEXT, "readOnlyRootFilesystem"), "can write to its root file system"),
        ((*CONTEXT, "allowPrivilegeEscalation"), "may gain privileges"),
        ((*CONTEXT, "capabilities"), "keeps capabilities"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_freedom_of_a_pod_is_named(path: tuple[t.Any, ...], fault: str) -> None:
    pod = restricted_pod("a", IMAGE)
    assert pod_faults(pod) == []
    drop(pod, *path)
    assert any(fault in text for text in pod_faults(pod))


def test_a_token_for_the_api_is_named() -> None:
    pod = restricted_pod("a", IMAGE)
    pod["spec"]["volumes"] = [{"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
    assert pod_faults(pod) == ["has a token for the API"]


def with_token(account: str, **token: str) -> dict[str, t.Any]:
    pod = restricted_pod("a", IMAGE)
    source = {"serviceAccountToken": {"path": "token", **token}}
    pod["spec"] |= {"serviceAccountName": account, "volumes": [{"projected": {"sources": [source]}}]}
    return pod


def binding(account: str, namespace: str) -> dict[str, t.Any]:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {"metadata": {"name": "b", "namespace": namespace}, "subjects": [subject]}


def test_a_token_is_for_accounts_with_rights_and_they_are_listed() -> None:
    api = Api(pods=[with_token("picker")], rolebindings=[binding("picker", "llm-serving")])
    seen = observe_restricted(client(api), OURS, IMAGE)
    assert seen.faults == []
    assert "accounts with rights and a token: llm-serving/picker" in seen.facts
    for bindings in ([], [binding("other", "llm-serving")], [binding("picker", "elsewhere")]):
        api = Api(pods=[with_token("picker")], rolebindings=bindings)
        assert observe_restricted(client(api), OURS, IMAGE).faults == ["pod llm-serving/a: has a token for the API"]


def test_a_token_for_somebody_else_is_none_for_the_api() -> None:
    assert pod_faults(with_token("gateway", audience="istio-ca")) == []


def test_a_node_of_kwok_is_simulated_by_label_or_annotation() -> None:
    assert is_simulated_node({"metadata": {"annotations": {"kwok.x-k8s.io/node": "fake"}}})
    assert not is_simulated_node({"metadata": {"name": "node-1"}})
