# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A namespace is empty when nothing is left in it that somebody put there on purpose."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._occupants import occupants
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError, Response

LIST = ("get", "list")


def resource(plural: str, kind: str, scope: str = "Namespaced", verbs: t.Sequence[str] = LIST) -> dict[str, t.Any]:
    return {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": list(verbs)}


CORE = [
    {
        "metadata": {},
        "versions": [
            {
                "version": "v1",
                "resources": [
                    resource("configmaps", "ConfigMap"),
                    resource("serviceaccounts", "ServiceAccount"),
                    resource("pods", "Pod"),
                    resource("events", "Event"),
                    resource("endpoints", "Endpoints"),
                    resource("bindings", "Binding", verbs=["create"]),
                    resource("nodes", "Node", scope="Cluster"),
                ],
            }
        ],
    }
]
GROUPS = [
    {
        "metadata": {"name": "apps"},
        "versions": [
            {"version": "v1", "resources": [resource("deployments", "Deployment")]},
            {"version": "v1beta1", "resources": [resource("deployments", "Deployment")]},
        ],
    },
    {"metadata": {"name": "empty.example"}, "versions": []},
]


class Server:
    """Serves what discovery announces; a path that it does not announce is an error of the test."""

    def __init__(self, **objects: list[dict[str, t.Any]]) -> None:
        self.objects = objects
        self.discovery = True
        self.forbidden = ""
        self.asked: set[str] = set()

    def request(self, method: str, path: str, *, accept: str | None = None, **_options: t.Any) -> Response:
        assert method == "GET"
        if path in ("/api", "/apis"):
            assert "as=APIGroupDiscoveryList" in str(accept)
            items = CORE if path == "/api" else GROUPS
            return self.answer({"kind": "APIGroupDiscoveryList" if self.discovery else "APIVersions", "items": items})
        self.asked.add(path)
        plural = path.rpartition("/")[2]
        if plural == self.forbidden:
            return Response(403, b'{"reason": "Forbidden", "message": "no"}')
        return self.answer({"items": self.objects.get(plural, [])})

    def answer(self, body: dict[str, t.Any]) -> Response:
        return Response(200, json.dumps(body).encode())

    def occupants(self) -> list[str]:
        return [ref.text for ref in occupants(KubeClient(t.cast("t.Any", self)), "ns")]


def named(name: str, **metadata: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": name, **metadata}}


def test_objects_of_all_groups_are_found_under_their_preferred_version() -> None:
    server = Server(configmaps=[named("b"), named("a")], deployments=[named("chat")])
    assert server.occupants() == ["ConfigMap ns/a", "ConfigMap ns/b", "apps/Deployment ns/chat"]
    assert server.asked == {
        "/api/v1/namespaces/ns/configmaps",
        "/api/v1/namespaces/ns/serviceaccounts",
        "/api/v1/namespaces/ns/pods",
        "/apis/apps/v1/namespaces/ns/deployments",
    }


def test_what_the_cluster_puts_into_every_namespace_does_not_count() -> None:
    server = Server(
        configmaps=[named("kube-root-ca.crt")],
        serviceaccounts=[named("default"), named("kube-root-ca.crt")],
        events=[named("scheduled")],
        endpoints=[named("chat")],
    )
    assert server.occupants() == ["ServiceAccount ns/kube-root-ca.crt"]


def test_what_has_an_owner_or_is_going_does_not_count() -> None:
    server = Server(
        pods=[named("owned", ownerReferences=[{"kind": "ReplicaSet"}]), named("bare", ownerReferences=[])],
        configmaps=[named("going", deletionTimestamp="2026-01-01T00:00:00Z")],
    )
    assert server.occupants() == ["Pod ns/bare"]


def test_an_empty_namespace_has_none() -> None:
    assert Server().occupants() == []


def test_a_kind_that_may_not_be_listed_is_an_error_and_not_an_empty_place() -> None:
    server = Server()
    server.forbidden = "deployments"
    with pytest.raises(ApiError, match="deployments was refused with 403 Forbidden"):
        server.occupants()


def test_a_server_without_aggregated_discovery_is_too_old() -> None:
    server = Server()
    server.discovery = False
    with pytest.raises(KubeError, match=r"/api answered without aggregated discovery; Kubernetes 1\.34 or newer"):
        server.occupants()
