# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Addresses that policies open are compared with the cluster's before anything is touched."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight_network import check_api_server, check_dns
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.flows_world import plan

OPERATED: dict[str, t.Any] = {
    "llm_substrate": "existing",
    "llm_kubeconfig": "/kubeconfig",
    "llm_sources": {"gateway_api_crds": "existing"},
    "llm_disposable": False,
    "llm_features": {"cloudnative_pg": True},
    "datastores_database": "cnpg",
}


class Pods:
    """Answers a list of pods with one pod, where namespace and labels are the DNS's."""

    def request(self, method: str, path: str, *, query: t.Any = None, **_options: t.Any) -> Response:
        if path == "/api/v1":
            resources = [{"name": "pods", "kind": "Pod", "namespaced": True}]
            return Response(200, json.dumps({"resources": resources}).encode())
        selected = dict(query or {}).get("labelSelector")
        there = path == "/api/v1/namespaces/kube-system/pods" and selected == "k8s-app=kube-dns"
        items = [{"metadata": {"name": "coredns"}}] if there else []
        return Response(200, json.dumps({"metadata": {}, "items": items}).encode())

    def stream(self, path: str, *, query: t.Any = None, seconds: float) -> t.Iterator[bytes]:
        raise AssertionError


@pytest.mark.parametrize(
    ("options", "ok", "said"),
    [
        ({}, True, "DNS answers at 10.96.0.10"),
        ({"namespace": "dns"}, False, "no pod in dns has label k8s-app=kube-dns"),
        ({"pod_labels": {"app": "dns"}}, False, "no pod in kube-system has label app=dns"),
        ({"namespace": "dns", "addresses": ["169.254.20.10/32"]}, True, "DNS is to answer at 169.254.20.10/32"),
    ],
)
def test_dns_is_looked_for_where_policies_let_pods_ask(options: dict[str, t.Any], ok: bool, said: str) -> None:
    flows = plan(llm_network_dns=options)["flows"]
    found = check_dns(KubeClient(Pods()), flows, ["10.96.0.10"])
    assert (found.ok, said in found.message) == (ok, True)
    assert ok or "llm_network_dns.namespace" in found.fix


@pytest.mark.parametrize(
    ("addresses", "port", "ok", "fix"),
    [
        ([], 6443, False, 'set llm_network_api_server.addresses: ["203.0.113.5/32", "203.0.113.6/32"]'),
        (["203.0.113.5/32"], 6443, False, 'set llm_network_api_server.addresses: ["203.0.113.5/32", "203.0.113.6/32"]'),
        (["203.0.113.0/29"], 8443, False, "set llm_network_api_server.port: 6443"),
        (["203.0.113.0/29"], 6443, True, ""),
    ],
)
def test_the_api_servers_addresses_are_proposed_where_pods_need_them(
    addresses: list[str], port: int, ok: bool, fix: str
) -> None:
    flows = plan(**OPERATED, llm_network_api_server={"addresses": addresses, "port": port})["flows"]
    found = check_api_server(flows, ["203.0.113.5", "203.0.113.6"], 6443)
    assert (found.ok, found.fix) == (ok, fix)


def test_nobody_is_bothered_with_addresses_that_no_pod_needs() -> None:
    flows = [flow for flow in plan()["flows"] if "api-server" not in (flow["from"]["name"], flow["to"]["name"])]
    assert check_api_server(flows, ["203.0.113.5"], 6443).ok
