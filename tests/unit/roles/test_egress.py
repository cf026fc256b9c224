# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of the way out to providers."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import Item, Tree, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULES
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.test__plan_providers import (
    CLAUDE,
    OTHER,
    PEM,
    plan,
    provider,
)

Object = dict[str, t.Any]
Objects = dict[tuple[str, str], Object]
Render = t.Callable[..., Objects]
TEMPLATES = ("gateway.yml.j2", "routes.yml.j2", "hosts.yml.j2", "network-policies.yml.j2")


@pytest.fixture(scope="module")
def render(render_template: t.Any) -> Render:
    def objects(*models: Object, **options: t.Any) -> Objects:
        made = plan(*(models or (CLAUDE, OTHER)), **options)
        known = {**options, "llm_plan": made}
        rendered = [obj for name in TEMPLATES for obj in render_template("egress", name, known, namespace="llm-egress")]
        return {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered}

    return objects


@pytest.mark.parametrize("tier", ["dev", "prod"])
def test_the_gate_finds_nothing(render: Render, tier: str) -> None:
    accepted = {"datastores_accept_single_redis": True, "datastores_database": "statefulset"}
    items = [Item.of("routing/egress/x.yml", obj) for obj in render(llm_tier=tier, **accepted).values()]
    findings = judge(Tree(items, tier), [rule for rule in RULES if rule.name != "pinned"])
    assert [str(finding) for finding in findings] == []


def test_a_provider_is_asked_for_one_thing_alone(render: Render) -> None:
    (rule,) = render()["HTTPRoute", "gpt"]["spec"]["rules"]
    assert rule["matches"] == [{"method": "POST", "path": {"type": "Exact", "value": "/p/gpt/chat/completions"}}]
    rewrite, remove = rule["filters"]
    assert rewrite["urlRewrite"] == {
        "hostname": "api.openai.com",
        "path": {"type": "ReplaceFullPath", "replaceFullPath": "/v1/chat/completions"},
    }
    assert "x-gateway-inference-fairness-id" in remove["requestHeaderModifier"]["remove"]
    (backend,) = rule["backendRefs"]
    assert (backend["kind"], backend["name"], backend["port"]) == ("Hostname", "api.openai.com", 443)
    assert rule["timeouts"] == {"request": "290s"}


def test_the_certificate_must_be_the_hosts(render: Render) -> None:
    objects = render()
    entry, tls = objects["ServiceEntry", "api.anthropic.com"]["spec"], tls_of(objects, "api.anthropic.com")
    assert (entry["resolution"], entry["exportTo"], entry.get("endpoints")) == ("DNS", ["."], None)
    assert tls == {
        "mode": "SIMPLE",
        "sni": "api.anthropic.com",
        "subjectAltNames": ["api.anthropic.com"],
        "caCertificates": "system",
    }


def test_an_authority_of_the_inventory_is_the_only_one(render: Render) -> None:
    objects = render(provider(ca=PEM))
    assert objects["ConfigMap", "api.anthropic.com-ca"]["data"] == {"ca.crt": PEM}
    tls = tls_of(objects, "api.anthropic.com")
    assert tls["credentialName"] == "configmap://llm-egress/api.anthropic.com-ca"
    assert "caCertificates" not in tls


def test_a_simulated_provider_is_looked_for_inside_and_nothing_is_let_out(render: Render) -> None:
    objects = render(egress_simulated=["claude", "gpt"])
    entry = objects["ServiceEntry", "api.openai.com"]["spec"]
    assert entry["endpoints"] == [{"address": "provider-stand-in.llm-egress.svc"}]
    assert tls_of(objects, "api.openai.com")["credentialName"] == "api.openai.com-stand-in"
    assert "selector" not in objects["Service", "provider-stand-in"]["spec"]
    rules = objects["NetworkPolicy", "egress-gateway"]["spec"]["egress"]
    assert not [peer for rule in rules for peer in rule["to"] if "ipBlock" in peer and is_outside(peer)]
    assert ("Service", "provider-stand-in") not in render()


def is_outside(peer: Object) -> bool:
    return str(peer["ipBlock"]["cidr"]).startswith("0.0.0.0")


def test_what_is_let_out_leaves_private_networks_and_the_clouds_metadata_out(render: Render) -> None:
    policy = render()["NetworkPolicy", "egress-gateway"]["spec"]
    (rule,) = [rule for rule in policy["egress"] if any("ipBlock" in peer and is_outside(peer) for peer in rule["to"])]
    assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]
    (peer,) = rule["to"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(peer["ipBlock"]["except"])


def test_the_gateway_stays_inside_and_takes_no_routes_but_its_own(render: Render) -> None:
    objects = render()
    gateway = objects["Gateway", "egress"]
    assert gateway["metadata"]["annotations"]["networking.istio.io/service-type"] == "ClusterIP"
    (listener,) = gateway["spec"]["listeners"]
    assert listener["allowedRoutes"]["namespaces"] == {"from": "Same"}
    overlay = yaml.safe_load(objects["ConfigMap", "egress-parameters"]["data"]["deployment"])["spec"]
    assert overlay["template"]["spec"]["automountServiceAccountToken"] is False
    assert overlay["template"]["spec"]["terminationGracePeriodSeconds"] == 305


def tls_of(objects: Objects, host: str) -> Object:
    return t.cast("Object", objects["DestinationRule", host]["spec"]["trafficPolicy"]["tls"])
