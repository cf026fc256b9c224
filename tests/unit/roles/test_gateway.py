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
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_routing import (
    Around,
    check_routing,
    routing_options,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULES
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Object = dict[str, t.Any]
Objects = dict[tuple[str, str], Object]
ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = read_roles(ROOT / "roles")
CHAT: Object = {"name": "chat", "served_name": "org/chat"}
SMALL: Object = {"name": "chat-small", "served_name": "org/chat-small"}
SPLIT: Object = {**CHAT, "canary": {"name": "chat-canary", "weight": 10}}
CANARY: Object = {"name": "chat-canary", "served_name": "org/chat", "canary_of": "chat", "canary": {}}
Render = t.Callable[..., Objects]


@pytest.fixture(scope="module")
def render(render_template: t.Any) -> Render:
    def objects(*, tier: str = "dev", models: tuple[Object, ...] = (CHAT, SMALL), **options: t.Any) -> Objects:
        validator = Validator()
        known = routing_options(options, ROLES)
        by_agentgateway = known["gateway_implementation"] == "agentgateway"
        routing = check_routing(known, Around(tier, features={"agentgateway": by_agentgateway}), validator)
        assert validator.problems == []
        canaries = [model for model in models if "canary_of" in model]
        base = {**options, "llm_plan": {"tier": tier, "routing": routing, "flows": [], "canaries": canaries}}
        rendered = [
            obj
            for template in ("gateway.yml.j2", f"{routing['implementation']}.yml.j2", "access.yml.j2")
            for obj in render_template("gateway", template, base, namespace=routing["namespace"])
        ]
        rendered += [
            obj
            for model in models
            for template in ("model.yml.j2", "objectives.yml.j2", "picker.yml.j2")
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
    items = [Item.of("routing/gateway/x.yml", obj) for obj in render(tier=tier, models=(SPLIT, CANARY, SMALL)).values()]
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


def split_of(objects: Objects) -> tuple[Object, Object]:
    """The patches of the model's route and of its canary's, by the names of the rules."""
    patches = {}
    for patch in objects["EnvoyFilter", "chat-canary"]["spec"]["configPatches"]:
        assert (patch["applyTo"], patch["patch"]["operation"]) == ("HTTP_ROUTE", "MERGE")
        patches[patch["match"]["routeConfiguration"]["vhost"]["route"]["name"]] = patch["patch"]["value"]
    return patches["llm-serving.chat.split"], patches["llm-serving.chat.canary"]


def test_a_canary_has_a_pool_a_picker_and_a_path_of_its_own(render: Render) -> None:
    objects = render(models=(SPLIT, CANARY))
    for name in ("chat", "chat-canary"):
        pool = objects["InferencePool", name]["spec"]
        assert pool["selector"]["matchLabels"] == {"llm-platform.wmx.dev/model": name}
        assert pool["endpointPickerRef"]["name"] == f"{name}-picker"
        container = objects["Deployment", f"{name}-picker"]["spec"]["template"]["spec"]["containers"][0]
        assert f"--pool-name={name}" in container["args"]
    (rule,) = objects["HTTPRoute", "chat-canary"]["spec"]["rules"]
    assert rule["matches"][0]["path"]["value"] == "/m/chat-canary/v1"


def test_requests_are_split_between_rules_of_one_pool_each(render: Render) -> None:
    objects = render(models=(SPLIT, CANARY))
    first, second = objects["HTTPRoute", "chat"]["spec"]["rules"]
    assert first["matches"] == second["matches"]
    assert [[ref["name"] for ref in rule["backendRefs"]] for rule in (first, second)] == [["chat"], ["chat-canary"]]
    assert [rule["name"] for rule in (first, second)] == ["llm-serving.chat.split", "llm-serving.chat.canary"]
    share, _rest = split_of(objects)
    default = share["match"]["runtime_fraction"]["default_value"]
    assert default == {"numerator": 90, "denominator": "HUNDRED"}


def test_what_is_split_is_found_by_a_name_that_no_other_route_has(render: Render) -> None:
    """So that neither the patch without the rules nor the rules without the patch lose a request."""
    (rule,) = render(models=(CHAT,))["HTTPRoute", "chat"]["spec"]["rules"]
    assert "name" not in rule


def test_a_canary_without_weight_keeps_its_pool_and_gets_nothing(render: Render) -> None:
    resting = {**SPLIT, "canary": {"name": "chat-canary", "weight": 0}}
    objects = render(models=(resting, CANARY))
    (rule,) = objects["HTTPRoute", "chat"]["spec"]["rules"]
    assert rule["backendRefs"][0]["name"] == "chat"
    assert ("EnvoyFilter", "chat-canary") not in objects
    assert ("InferencePool", "chat-canary") in objects


def test_a_canarys_objectives_are_those_that_its_route_makes_of_the_models(render: Render) -> None:
    objects = render(models=(SPLIT, CANARY))
    _share, rest = split_of(objects)
    (mutation,) = rest["typed_per_filter_config"]["envoy.filters.http.header_mutation"]["mutations"][
        "request_mutations"
    ]
    header = mutation["append"]["header"]
    assert header["key"] == "x-gateway-inference-objective"
    pools: dict[str, set[str]] = {"chat": set(), "chat-canary": set()}
    for (kind, name), obj in objects.items():
        if kind == "InferenceObjective":
            pools[obj["spec"]["poolRef"]["name"]].add(name)
    assert pools["chat"]
    asked = "%REQ(X-GATEWAY-INFERENCE-OBJECTIVE)%"
    assert {header["value"].replace(asked, name) for name in pools["chat"]} == pools["chat-canary"]


def test_headers_are_changed_before_the_picker_is_asked_and_only_where_there_are_canaries(render: Render) -> None:
    assert ("EnvoyFilter", "canaries") not in render()
    (patch,) = render(models=(SPLIT, CANARY))["EnvoyFilter", "canaries"]["spec"]["configPatches"]
    assert (patch["applyTo"], patch["patch"]["operation"]) == ("HTTP_FILTER", "INSERT_FIRST")
    assert patch["patch"]["value"]["name"] == "envoy.filters.http.header_mutation"


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
        "running-requests-size-scorer": 2,
        "kv-cache-utilization-scorer": 2,
        "prefix-cache-scorer": 3,
        "max-score-picker": None,
    }
    assert [item["type"] for item in config["plugins"]][: len(weights)] == list(weights)
    without = picker_config(render(gateway_picker_scorers={"queue": 5, "running": 0, "kv_cache": 0, "prefix": 0}))
    assert [item["type"] for item in without["plugins"]][:2] == ["queue-scorer", "max-score-picker"]


def test_each_pool_has_an_objective_of_each_class_whose_name_the_guard_can_make(render: Render) -> None:
    found = {name: obj["spec"] for (kind, name), obj in render(models=(CHAT,)).items() if kind == "InferenceObjective"}
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "chat"}
    assert found == {
        "chat-10": {"priority": 10, "poolRef": pool},
        "chat-0": {"priority": 0, "poolRef": pool},
        "chat--10": {"priority": -10, "poolRef": pool},
    }


def test_requests_wait_in_bounded_queues_of_the_picker(render: Render) -> None:
    queues = {"critical": 9, "standard": 8, "batch": 7}
    config = picker_config(
        render(
            gateway_flow_control={"enabled": True, "waiting": 3, "kv_cache": 0.8, "wait_seconds": 5, "queues": queues}
        )
    )
    assert config["featureGates"] == ["flowControl"]
    (detector,) = [item for item in config["plugins"] if item["type"] == config["saturationDetector"]["pluginRef"]]
    assert detector["parameters"] == {"queueDepthThreshold": 3, "kvCacheUtilThreshold": 0.8}
    assert config["flowControl"]["defaultRequestTTL"] == "5s"
    bands = {band["priority"]: band["maxRequests"] for band in config["flowControl"]["priorityBands"]}
    assert bands == {10: "9", 0: "8", -10: "7"}
    policies = {band["fairnessPolicyRef"] for band in config["flowControl"]["priorityBands"]}
    assert policies <= {item["type"] for item in config["plugins"]}, "a policy must be among the plugins"


def test_without_flow_control_the_pods_queue(render: Render) -> None:
    options = {"waiting": 2, "kv_cache": 0.9, "wait_seconds": 0, "queues": {}}
    config = picker_config(render(gateway_flow_control={"enabled": False, **options}))
    assert set(config) == {"apiVersion", "kind", "plugins", "schedulingProfiles"}


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
        429: (429, "model_busy", "7"),
        500: (503, "no_endpoint_picker", "7"),
        503: (503, "no_ready_endpoint", "7"),
        504: (504, "timeout", None),
    }


def test_a_connection_to_a_model_is_given_up_before_the_model_closes_it(render: Render) -> None:
    rule = render()["DestinationRule", "models"]["spec"]
    assert rule["host"] == "*.llm-serving.svc.cluster.local"
    pool = rule["trafficPolicy"]["connectionPool"]
    assert pool == {"tcp": {"connectTimeout": "1s"}, "http": {"idleTimeout": "3s"}}
