# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of the inference gateway."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import Item, Tree, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_routing import check_routing, routing_options
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULES
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Object = dict[str, t.Any]
Objects = dict[tuple[str, str], Object]
ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = read_roles(ROOT / "roles")
CHAT: Object = {"name": "chat", "served_name": "org/chat"}
SMALL: Object = {"name": "chat-small", "served_name": "org/chat-small"}
Render = t.Callable[..., Objects]


@pytest.fixture(scope="module")
def render(render_template: t.Any) -> Render:
    def objects(*, tier: str = "dev", models: tuple[Object, ...] = (CHAT, SMALL), **options: t.Any) -> Objects:
        validator = Validator()
        known = routing_options(options, ROLES)
        routing = check_routing(known, tier, validator)
        assert validator.problems == []
        base = {**options, "llm_plan": {"tier": tier, "routing": routing, "flows": []}}
        rendered = [
            obj
            for template in ("gateway.yml.j2", "access.yml.j2")
            for obj in render_template("gateway", template, base, namespace=routing["namespace"])
        ]
        rendered += [
            obj
            for model in models
            for template in ("model.yml.j2", "picker.yml.j2")
            for obj in render_template("gateway", template, {**base, "__gateway_model": model})
        ]
        named = {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered}
        assert len(named) == len(rendered)
        return named

    return objects


def picker_config(objects: Objects) -> Object:
    return t.cast("Object", yaml.safe_load(objects["ConfigMap", "chat-picker"]["data"]["picker.yaml"]))


def picker_pod(objects: Objects) -> Object:
    return t.cast("Object", objects["Deployment", "chat-picker"]["spec"]["template"]["spec"])


def overlay(objects: Objects, name: str = "deployment") -> Object:
    return t.cast("Object", yaml.safe_load(objects["ConfigMap", "inference-parameters"]["data"][name]))


@pytest.mark.parametrize("tier", ["dev", "prod"])
def test_the_gate_finds_nothing(render: Render, tier: str) -> None:
    items = [Item.of("routing/gateway/x.yml", obj) for obj in render(tier=tier).values()]
    # Digests are written when a component is rendered as a whole.
    findings = judge(Tree(items, tier), [rule for rule in RULES if rule.name != "pinned"])
    assert [str(finding) for finding in findings] == []


def test_each_model_has_a_pool_that_holds_its_pods_and_no_others(render: Render) -> None:
    objects = render()
    for model in ("chat", "chat-small"):
        pool = objects["InferencePool", model]["spec"]
        assert pool["selector"]["matchLabels"] == {"llm-platform.wmx.dev/model": model}
        assert pool["targetPorts"] == [{"number": 8000}]
        assert pool["endpointPickerRef"]["name"] == f"{model}-picker"
        labels = objects["Deployment", f"{model}-picker"]["spec"]["template"]["metadata"]["labels"]
        assert "llm-platform.wmx.dev/model" not in labels, "the picker would be one of the pool's endpoints"


def test_each_model_has_a_path_of_its_own_that_shows_its_api_only(render: Render) -> None:
    objects = render()
    for model in ("chat", "chat-small"):
        (rule,) = objects["HTTPRoute", model]["spec"]["rules"]
        assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": f"/m/{model}/v1"}}]
        assert rule["filters"][0]["urlRewrite"]["path"] == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v1"}
        assert rule["timeouts"] == {"request": "290s"}


def test_a_rule_has_one_pool(render: Render) -> None:
    for (kind, _name), obj in render().items():
        if kind == "HTTPRoute":
            for rule in obj["spec"]["rules"]:
                (backend,) = rule["backendRefs"]
                assert backend["kind"] == "InferencePool"
                assert [item["type"] for item in rule["filters"]] == ["URLRewrite"], (
                    "with CORS Istio forgets the picker"
                )


def test_the_gateway_stays_inside_and_names_whose_routes_it_takes(render: Render) -> None:
    gateway = render(serving_namespace="models")["Gateway", "inference"]
    assert gateway["metadata"]["annotations"]["networking.istio.io/service-type"] == "ClusterIP"
    (listener,) = gateway["spec"]["listeners"]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "models"}}
    assert listener["allowedRoutes"]["namespaces"] == {"from": "Selector", "selector": selector}


def test_the_gateways_pods_hold_no_token_and_let_streams_end(render: Render) -> None:
    objects = render()
    pod = overlay(objects)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] == 305
    assert pod["containers"][0]["resources"]["limits"] == {"cpu": "2", "memory": "512Mi"}
    assert overlay(objects)["spec"]["replicas"] == 1
    assert "podDisruptionBudget" not in objects["ConfigMap", "inference-parameters"]["data"]


def test_production_spreads_gateway_and_pickers(render: Render) -> None:
    objects = render(tier="prod")
    assert overlay(objects)["spec"]["replicas"] == 2
    assert len(overlay(objects)["spec"]["template"]["spec"]["topologySpreadConstraints"]) == 2
    assert overlay(objects, "podDisruptionBudget") == {"spec": {"minAvailable": 1}}
    assert objects["Deployment", "chat-picker"]["spec"]["replicas"] == 2
    assert objects["PodDisruptionBudget", "chat-picker"]["spec"]["maxUnavailable"] == 1
    assert not [arg for arg in picker_pod(objects)["containers"][0]["args"] if "leader" in arg], "all of them pick"


def test_a_picker_may_read_its_pools_namespace_and_nothing_else(render: Render) -> None:
    objects = render()
    assert not [kind for kind, _name in objects if kind.startswith("ClusterRole")]
    rules = objects["Role", "endpoint-picker"]["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert not [rule for rule in rules if {"secrets", "configmaps"} & set(rule["resources"])]


def test_a_picker_scores_as_it_is_told(render: Render) -> None:
    config = picker_config(render())
    weights = {item["pluginRef"]: item.get("weight") for item in config["schedulingProfiles"][0]["plugins"]}
    assert weights == {
        "queue-scorer": 2,
        "kv-cache-utilization-scorer": 2,
        "prefix-cache-scorer": 3,
        "max-score-picker": None,
    }
    assert [item["type"] for item in config["plugins"]] == list(weights)
    without = picker_config(render(gateway_picker_scorers={"queue": 5, "kv_cache": 0, "prefix": 0}))
    assert [item["type"] for item in without["plugins"]] == ["queue-scorer", "max-score-picker"]


def test_a_picker_starts_anew_with_another_configuration(render: Render) -> None:
    def checksum(**options: t.Any) -> str:
        template = render(**options)["Deployment", "chat-picker"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["llm-platform.wmx.dev/config-checksum"])

    assert checksum() == checksum()
    assert checksum() != checksum(gateway_picker_scorers={"queue": 1, "kv_cache": 1, "prefix": 1})


@pytest.mark.parametrize(("mode", "meant"), [("open", "FailOpen"), ("close", "FailClose")])
def test_what_happens_without_a_picker_is_an_option(render: Render, mode: str, meant: str) -> None:
    pool = render(gateway_picker_failure_mode=mode)["InferencePool", "chat"]["spec"]
    assert pool["endpointPickerRef"]["failureMode"] == meant


def test_errors_of_the_gateway_have_openais_form(render: Render) -> None:
    (patch,) = render(gateway_retry_after=7)["EnvoyFilter", "openai-errors"]["spec"]["configPatches"]
    config = patch["patch"]["value"]["typed_config"]["local_reply_config"]
    found = {}
    for mapper in config["mappers"]:
        status = mapper["filter"]["status_code_filter"]["comparison"]["value"]["default_value"]
        error = mapper["body_format_override"]["json_format"]["error"]
        headers = {item["header"]["key"]: item["header"]["value"] for item in mapper.get("headers_to_add", [])}
        assert error["message"]
        assert error["type"]
        found[status] = (mapper.get("status_code", status), error["code"], headers.get("retry-after"))
    assert found == {
        404: (404, "model_not_found", None),
        500: (503, "no_endpoint_picker", "7"),
        503: (503, "no_ready_endpoint", "7"),
        504: (504, "timeout", None),
    }


def test_a_connection_to_a_model_is_given_up_before_the_model_closes_it(render: Render) -> None:
    rule = render()["DestinationRule", "models"]["spec"]
    assert rule["host"] == "*.llm-serving.svc.cluster.local"
    pool = rule["trafficPolicy"]["connectionPool"]
    assert pool == {"tcp": {"connectTimeout": "1s"}, "http": {"idleTimeout": "3s"}}
