# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the inventory says of the network is checked, and becomes flows beside those of the table."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._catalog import CatalogError
from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Flow, network_policies
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan import PlanError
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_flows import read_table
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.flows_world import (
    CHAT,
    WEIGHTS,
    catalog,
    plan,
    table,
)

SCRAPE = {
    "from": {"namespace": "monitoring", "pod_labels": {"app": "prometheus"}},
    "to": {"end": "litellm"},
    "ports": ["metrics"],
    "why": "metrics",
}
EXISTING: dict[str, t.Any] = {
    "llm_substrate": "existing",
    "llm_kubeconfig": "/kubeconfig",
    "llm_sources": {"gateway_api_crds": "existing"},
    "llm_disposable": False,
}


def problems(**changes: t.Any) -> list[str]:
    with pytest.raises(PlanError) as caught:
        plan(**changes)
    return str(caught.value).splitlines()[1:]


def pairs(flows: list[Flow]) -> set[tuple[str, str]]:
    return {(flow["from"]["name"], flow["to"]["name"]) for flow in flows}


def given(**changes: t.Any) -> dict[str, t.Any]:
    return {"llm_network_flows": [copy.deepcopy(SCRAPE) | changes]}


def test_a_flow_of_the_inventory_opens_what_it_names_and_no_more() -> None:
    flows = plan(**given())["flows"]
    before, after = (network_policies(found, "llm_gateway") for found in (plan()["flows"], flows))
    litellm = next(policy for policy in after if policy["metadata"]["name"] == "litellm")
    rule = litellm["spec"]["ingress"].pop()
    assert before == after, "nothing else changed"
    assert rule == {
        "from": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
                "podSelector": {"matchLabels": {"app": "prometheus"}},
            }
        ],
        "ports": [{"port": 4001, "protocol": "TCP"}],
    }


def test_a_flow_of_the_inventory_may_lead_out() -> None:
    out = given(**{"from": {"end": "tenants"}, "to": {"addresses": ["198.51.100.0/24"]}, "ports": [443, "53/UDP"]})
    flow = plan(**out)["flows"][-1]
    assert [(port["port"], port["protocol"]) for port in flow["ports"]] == [(443, "TCP"), (53, "UDP")]
    (policy,) = network_policies([flow], "tenants")
    assert policy["spec"]["egress"][0]["to"] == [{"ipBlock": {"cidr": "198.51.100.0/24"}}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"from": {}}, "llm_network_flows[0].from = []: names nobody"),
        ({"from": {"end": "litellm", "namespace": "a"}}, 'llm_network_flows[0].from = ["end", "namespace"]: names two'),
        ({"to": {"end": "litelm"}}, 'to.end = "litelm": is no end that this plan has; did you mean litellm?'),
        ({"to": {"end": "postgresql-external"}}, "is no end that this plan has"),
        ({"from": {"namespace": "A b"}}, 'from.namespace = "A b": is no namespace'),
        ({"from": {"namespace": "a", "pod_labels": {"x": 1}}}, "from.pod_labels.x = 1: is no string"),
        ({"from": {"addresses": ["10.0.0.1/8"]}}, 'from.addresses[0] = "10.0.0.1/8": is no network'),
        ({"from": {"addresses": ["192.0.2.0/24"], "pod_labels": {"a": "b"}}}, "is for a namespace alone"),
        ({"ports": ["scrape"]}, 'ports[0] = "scrape": is no port; use a number, one like 53/UDP, or http, metrics'),
        ({"ports": [0]}, "ports[0] = 0: is no port; use 1 to 65535"),
        ({"ports": [True]}, "ports[0] = true: is no port"),
        ({"ports": []}, "ports = []: names no port; name some: http, metrics"),
        ({"to": {"namespace": "b"}, "ports": [1]}, "leads from somebody else to somebody else; name an end of ours"),
        ({"why": None}, "llm_network_flows[0].why = null: is required"),
    ],
)
def test_a_flow_that_cannot_be_is_refused_by_name(changes: dict[str, t.Any], said: str) -> None:
    found = problems(**given(**changes))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"llm_network_dns": {"addresses": ["dns"]}}, 'llm_network_dns.addresses[0] = "dns": is no network'),
        ({"llm_network_dns": {"namespace": "_"}}, 'llm_network_dns.namespace = "_": is no namespace'),
        ({"llm_network_api_server": {"addresses": ["::1/0"]}}, "llm_network_api_server.addresses[0]"),
        ({"llm_network_api_server": {"port": 70000}}, "llm_network_api_server.port = 70000: is no port"),
        (
            {"serving_hub_cidrs": [], "llm_models": [CHAT, WEIGHTS]},
            "serving_hub_cidrs = []: is empty, and model-servers",
        ),
    ],
)
def test_addresses_that_are_none_are_refused(option: dict[str, t.Any], said: str) -> None:
    options = {**EXISTING, **option} if "llm_models" in option else option
    assert any(said in line for line in problems(**options)), problems(**options)


def test_the_local_clusters_api_server_is_known_without_being_named() -> None:
    flow = given(**{"from": {"end": "litellm"}, "to": {"end": "api-server"}, "ports": ["node"]})
    found = plan(**flow, local_cluster_name="other", local_cluster_network="10.200.0.0/16")["flows"][-1]
    assert found["to"]["addresses"] == ["10.200.0.1/32"]
    assert [port["port"] for port in found["ports"]] == [6443]


def test_a_given_api_server_is_taken_as_it_is() -> None:
    server = {"addresses": ["203.0.113.5/32"], "port": 16443}
    flow = given(**{"from": {"end": "litellm"}, "to": {"end": "api-server"}, "ports": ["node"]})
    found = plan(**flow, llm_network_api_server=server)["flows"][-1]
    assert (found["to"]["addresses"], found["ports"][0]["port"]) == (["203.0.113.5/32"], 16443)


def test_only_a_model_that_downloads_its_weights_may_leave() -> None:
    flows = plan(llm_models=[CHAT, WEIGHTS], **EXISTING)["flows"]
    (flow,) = [flow for flow in flows if flow["to"]["name"] == "hub"]
    assert flow["model"] == "weights"
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in network_policies(flows, "serving")}
    assert [name for name, spec in policies.items() if "egress" in spec] == ["model-servers-weights"]
    assert policies["model-servers-weights"]["podSelector"] == {
        "matchLabels": {"app.kubernetes.io/name": "model-server", "llm-platform.wmx.dev/model": "weights"}
    }
    assert ("model-servers", "hub") not in pairs(plan()["flows"])


def test_what_a_plan_does_not_have_is_in_no_flow() -> None:
    flows = plan(llm_profile="serving", llm_tenants=[])["flows"]
    assert pairs(flows) == {("platform", "dns")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ends": {"x": {"what": "x", "component": "none", "pods": {}}}}, "names component none"),
        ({"ends": {"x": {"what": "x"}}}, "neither pods nor addresses"),
        ({"ends": {"x": {"what": "x", "pods": {}}}}, "pods in no namespace"),
        ({"ends": {"x": {"what": "x", "colour": "red"}}}, "colour"),
        ({"flows": [{"from": ["x"], "to": ["dns"], "ports": ["dns"], "why": "w"}]}, "names x, which is no end"),
        ({"flows": [{"from": ["dns"], "to": ["dns"], "ports": ["http"], "why": "w"}]}, "none of"),
        ({"flows": [{"to": ["dns"], "ports": ["dns"], "why": "w"}]}, "from"),
    ],
)
def test_a_table_that_contradicts_itself_is_an_error_of_ours(change: dict[str, t.Any], said: str) -> None:
    data = {"ends": {**table()["ends"], **change.get("ends", {})}, "flows": change.get("flows", [])}
    with pytest.raises(CatalogError, match=said):
        read_table(data, catalog())
