# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Derived policies let through what flows allow, and nothing else."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import (
    End,
    Flow,
    FlowsError,
    Place,
    allowing,
    network_policies,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.flows_world import (
    CHAT,
    WEIGHTS,
    default_deny,
    lets_through,
    plan,
)

TENANT = "llm-platform.wmx.dev/tenant"
OURS = ("a", "b")
LABELS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=2)
PORTS = (80, 81)


def pod(namespace: str, **labels: str) -> Place:
    return Place("10.0.0.1", namespace, labels, {TENANT: "t"} if namespace.startswith("tenant") else {})


@st.composite
def ends(draw: st.DrawFn, name: str, *, ours: bool) -> End:
    addressed = not ours and draw(st.booleans())
    return {
        "name": name,
        "what": "an end",
        "component": draw(st.sampled_from(["one", "two"])) if ours else "",
        "policy": name,
        "phase": "",
        "pods": None if addressed else draw(LABELS),
        "namespaces": []
        if addressed
        else draw(st.lists(st.sampled_from(OURS if ours else "fg"), min_size=1, unique=True)),
        "namespace_label": "" if ours else draw(st.sampled_from(["", TENANT])),
        "addresses": draw(st.sampled_from([["0.0.0.0/0"], ["192.0.2.0/24"]])) if addressed else [],
        "option": "",
    }


@st.composite
def tables(draw: st.DrawFn) -> list[Flow]:
    known = [draw(ends(f"own{number}", ours=True)) for number in range(3)]
    known += [draw(ends(f"other{number}", ours=False)) for number in range(2)]
    flows: list[Flow] = []
    for _number in range(draw(st.integers(0, 6))):
        numbers = draw(st.lists(st.sampled_from(PORTS), min_size=1, unique=True))
        flows.append(
            {
                "from": draw(st.sampled_from(known)),
                "to": draw(st.sampled_from(known)),
                "ports": [{"name": "", "port": number, "protocol": "TCP"} for number in numbers],
                "why": "",
                "model": "",
            }
        )
    return flows


def everything(flows: list[Flow]) -> list[dict[str, t.Any]]:
    return [policy for component in ("one", "two") for policy in network_policies(flows, component)]


@given(flows=tables(), left=LABELS, right=LABELS)
def test_a_connection_gets_through_when_a_flow_allows_it_and_else_never(
    flows: list[Flow], left: dict[str, str], right: dict[str, str]
) -> None:
    policies = everything(flows) + default_deny(OURS)
    places = [pod(namespace, **labels) for namespace in (*OURS, "f", "g", "tenant-t") for labels in (left, right)]
    places += [Place("192.0.2.7"), Place("8.8.8.8"), Place("10.9.9.9"), Place("169.254.169.254")]
    for source, target, port in itertools.product(places, places, PORTS):
        ours = {source.namespace, target.namespace} & set(OURS)
        wanted = bool(allowing(flows, source, target, port)) or not ours
        assert lets_through(policies, source, target, port) == wanted, (source, target, port)


def place_of(end: End) -> Place:
    if end["pods"] is None:
        network = end["addresses"][0]
        return Place("8.8.8.8" if network == "0.0.0.0/0" else network.split("/", maxsplit=1)[0])
    label = {end["namespace_label"]: "x"} if end["namespace_label"] else {}
    return Place("10.0.0.1", end["namespaces"][0], end["pods"], label)


def variants() -> t.Iterator[t.Any]:
    yield pytest.param({}, id="local")
    yield pytest.param({"llm_models": [CHAT, {**CHAT, "name": "more"}]}, id="two models")
    external = {"host": "db.example.com", "cidrs": ["198.51.100.0/24"]}
    yield pytest.param(
        {
            "llm_substrate": "existing",
            "llm_kubeconfig": "/kubeconfig",
            "llm_sources": {"gateway_api_crds": "existing"},
            "llm_disposable": False,
            "llm_models": [CHAT, WEIGHTS],
            "datastores_database": "external",
            "datastores_database_external": external,
            "datastores_redis": "external",
            "datastores_redis_external": external,
            "llm_network_api_server": {"addresses": ["203.0.113.5/32"]},
        },
        id="external datastores",
    )
    yield pytest.param(
        {
            "llm_substrate": "existing",
            "llm_kubeconfig": "/kubeconfig",
            "llm_sources": {"gateway_api_crds": "existing"},
            "llm_disposable": False,
            "llm_features": {"cloudnative_pg": True},
            "datastores_database": "cnpg",
            "llm_network_api_server": {"addresses": ["203.0.113.5/32"]},
        },
        id="operated database",
    )


@pytest.mark.parametrize("options", list(variants()))
def test_the_real_table_lets_through_what_it_says_and_nothing_else(options: dict[str, t.Any]) -> None:
    planned = plan(**options)
    flows: list[Flow] = planned["flows"]
    components = [entry["name"] for entry in planned["components"] if entry["source"] != "existing"]
    policies = [policy for name in components for policy in network_policies(flows, name)]
    ours = {entry["name"] for entry in planned["namespaces"]}
    policies += default_deny(ours)
    tenants = {tenant["namespace"] for tenant in planned["tenants"]}
    places = [place_of(end) for flow in flows for end in (flow["from"], flow["to"])]
    places += [Place("10.0.0.1", namespace, {"app": "stranger"}) for namespace in (*ours, "foreign", "kube-system")]
    places += [Place("8.8.4.4"), Place("169.254.169.254"), Place("203.0.113.6")]
    ports = {(entry["port"], entry["protocol"]) for flow in flows for entry in flow["ports"]} | {
        (22, "TCP"),
        (10250, "TCP"),
    }
    passed = denied = 0
    for source, target, (port, protocol) in itertools.product(places, places, sorted(ports)):
        if not {source.namespace, target.namespace} & (ours | tenants):
            continue
        wanted = bool(allowing(flows, source, target, port, protocol))
        assert lets_through(policies, source, target, port, protocol) == wanted, (source, target, port)
        passed, denied = passed + wanted, denied + (not wanted)
    assert passed >= len(flows)
    assert denied > 10 * passed


def test_each_flow_is_a_rule_at_both_ends_that_are_ours() -> None:
    flows = plan()["flows"]
    (gateway,) = [
        policy for policy in network_policies(flows, "llm_gateway") if policy["metadata"]["name"] == "litellm"
    ]
    (redis,) = [policy for policy in network_policies(flows, "datastores") if policy["metadata"]["name"] == "redis"]
    port = [{"port": 6379, "protocol": "TCP"}]
    out = [rule["to"] for rule in gateway["spec"]["egress"] if rule["ports"] == port]
    assert out == [
        [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "llm-gateway"}},
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": "redis"}},
            }
        ]
    ]
    assert redis["spec"]["ingress"][0]["from"][0]["podSelector"] == {
        "matchLabels": {"app.kubernetes.io/name": "litellm"}
    }
    assert redis["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in redis["spec"], "Redis itself calls nobody"


def test_pods_that_run_before_the_others_have_their_policy_before_them() -> None:
    policies = {policy["metadata"]["name"]: policy for policy in network_policies(plan()["flows"], "llm_gateway")}
    assert policies["litellm-migrate"]["metadata"]["annotations"] == {"llm-platform.wmx.dev/phase": "before"}
    assert "annotations" not in policies["litellm"]["metadata"]


def test_whoever_is_nowhere_gets_no_rule_that_would_mean_everybody() -> None:
    operated = {"llm_features": {"cloudnative_pg": True}, "datastores_database": "cnpg", "llm_substrate": "existing"}
    known = {"llm_kubeconfig": "/k", "llm_sources": {"gateway_api_crds": "existing"}, "llm_disposable": False}
    flows = plan(**operated, **known)["flows"]
    with pytest.raises(FlowsError, match=r"set llm_network_api_server\.addresses; preflight tells"):
        network_policies(flows, "datastores")


def test_two_kinds_of_pods_cannot_share_a_policy() -> None:
    flows = plan()["flows"]
    for flow in flows:
        if flow["to"]["name"] == "redis":
            flow["to"]["policy"] = "postgresql"
    with pytest.raises(FlowsError, match="llm-gateway/postgresql"):
        network_policies(flows, "datastores")
