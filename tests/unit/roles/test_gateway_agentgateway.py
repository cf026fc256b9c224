# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of the inference gateway where agentgateway runs it."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_routing import (
    Around,
    check_routing,
    routing_options,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

if t.TYPE_CHECKING:
    from conftest import RenderTemplate

Object = dict[str, t.Any]
Objects = dict[tuple[str, str], Object]
Render = t.Callable[..., Objects]
ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = read_roles(ROOT / "roles")
OURS = "AgentgatewayParameters", "AgentgatewayPolicy"
# agentgateway's own CRDs, where somebody has put them: named, or in a folder beside the checkout.
CRDS = "agentgateway-v*.yaml"
SCHEMAS = next(
    iter(
        pathlib.Path(os.environ["LLM_CRDS"]).glob(CRDS)
        if "LLM_CRDS" in os.environ
        else ROOT.parent.glob(f"*/crds/{CRDS}")
    ),
    None,
)


@pytest.fixture(scope="module")
def render(render_template: RenderTemplate) -> Render:
    def objects(*, tier: str = "dev", images: Object | None = None, **options: t.Any) -> Objects:
        options = {"gateway_implementation": "agentgateway", **options}
        validator = Validator()
        around = Around(tier, "existing", {"agentgateway": True})
        routing = check_routing(routing_options(options, ROLES), around, validator)
        assert validator.problems == []
        plan = {"tier": tier, "routing": routing, "images": images or {}, "flows": []}
        model = {"name": "chat", "served_name": "org/chat"}
        rendered = [
            obj
            for template in ("gateway.yml.j2", "agentgateway.yml.j2", "model.yml.j2", "picker.yml.j2")
            for obj in render_template("gateway", template, {**options, "llm_plan": plan, "__gateway_model": model})
        ]
        named = {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered}
        assert len(named) == len(rendered)
        return named

    return objects


def parameters(objects: Objects) -> Object:
    return t.cast("Object", objects["AgentgatewayParameters", "inference-parameters"]["spec"])


def test_pool_route_and_picker_are_those_of_any_implementation(render: Render) -> None:
    objects = render()
    assert not [kind for kind, _name in objects if kind in ("EnvoyFilter", "DestinationRule")]
    gateway = objects["Gateway", "inference"]
    assert gateway["spec"]["gatewayClassName"] == "agentgateway"
    assert gateway["spec"]["infrastructure"]["parametersRef"] == {
        "group": "agentgateway.dev",
        "kind": "AgentgatewayParameters",
        "name": "inference-parameters",
    }
    assert "annotations" not in gateway["metadata"]
    assert gateway["spec"]["listeners"][0]["allowedRoutes"]["namespaces"]["from"] == "Selector"
    assert objects["InferencePool", "chat"]["spec"]["endpointPickerRef"]["name"] == "chat-picker"
    (rule,) = objects["HTTPRoute", "chat"]["spec"]["rules"]
    assert rule["backendRefs"][0]["kind"] == "InferencePool"
    assert rule["timeouts"] == {"request": "290s"}


def test_pickers_speak_tls_because_agentgateway_does_not_ask_without(render: Render) -> None:
    (container,) = render()["Deployment", "chat-picker"]["spec"]["template"]["spec"]["containers"]
    assert "--secure-serving=true" in container["args"]


def test_the_gateway_stays_inside_and_its_pods_are_what_a_restricted_namespace_takes(render: Render) -> None:
    spec = parameters(render())
    assert spec["service"] == {"spec": {"type": "ClusterIP"}}
    pod = spec["deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["automountServiceAccountToken"] is False
    assert spec["resources"]["limits"] == {"cpu": "2", "memory": "512Mi"}
    assert spec["shutdown"]["max"] == 305
    assert spec["rawConfig"] == {"config": {"backend": {"poolIdleTimeout": "3s"}}}
    assert (spec["deployment"]["spec"]["replicas"], "podDisruptionBudget" in spec) == (1, False)


def test_production_has_two_that_are_spread(render: Render) -> None:
    spec = parameters(render(tier="prod"))
    assert spec["deployment"]["spec"]["replicas"] == 2
    assert len(spec["deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]) == 2
    assert spec["podDisruptionBudget"] == {"spec": {"minAvailable": 1}}


def test_the_image_has_its_digest_where_images_must_have_one(render: Render) -> None:
    image = {"registry": "cr.agentgateway.dev", "repository": "agentgateway", "tag": "v1.5.0"}
    assert parameters(render())["image"] == image
    digest = f"sha256:{'a' * 64}"
    pinned = render(gateway_agentgateway_image=f"registry.example.com:5000/a/b/agentgateway:v1.5.0@{digest}")
    assert parameters(pinned)["image"] == {
        "registry": "registry.example.com:5000",
        "repository": "a/b/agentgateway",
        "tag": "v1.5.0",
        "digest": digest,
    }


def test_a_path_of_no_model_is_answered_as_openai_would(render: Render) -> None:
    objects = render()
    (rule,) = objects["HTTPRoute", "unknown-model"]["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert "backendRefs" not in rule
    policy = objects["AgentgatewayPolicy", "unknown-model"]
    assert policy["metadata"]["namespace"] == objects["HTTPRoute", "unknown-model"]["metadata"]["namespace"]
    answer = policy["spec"]["traffic"]["directResponse"]
    assert answer["status"] == 404
    assert json.loads(answer["body"])["error"]["code"] == "model_not_found"
    assert answer["headers"] == [{"name": "content-type", "value": '"application/json"'}]


def test_who_finds_no_pod_is_told_when_to_come_again(render: Render) -> None:
    objects = render(gateway_retry_after=7)
    (header,) = objects["AgentgatewayPolicy", "inference"]["spec"]["traffic"]["transformation"]["response"]["set"]
    assert header["name"] == "retry-after"
    assert header["value"] == (
        'response.code == 503 && !("retry-after" in response.headers) ? "7" : response.headers["retry-after"]'
    )
    assert objects["AgentgatewayPolicy", "inference-backends"]["spec"]["backend"] == {"tcp": {"connectTimeout": "1s"}}


def strict(schema: t.Any) -> t.Any:
    """As an API server reads it: what is not in the schema is no field."""
    if isinstance(schema, dict):
        found = {key: strict(value) for key, value in schema.items()}
        if "properties" in found and not found.get("x-kubernetes-preserve-unknown-fields"):
            found.setdefault("additionalProperties", False)
        return found
    return [strict(value) for value in schema] if isinstance(schema, list) else schema


@pytest.mark.skipif(SCHEMAS is None, reason="agentgateway's CRDs are not here: put them into ../crds, or set LLM_CRDS")
@pytest.mark.parametrize("tier", ["dev", "prod"])
def test_agentgateways_own_schema_takes_the_objects(render: Render, tier: str) -> None:
    assert SCHEMAS is not None
    schemas = {}
    for crd in yaml.safe_load_all(SCHEMAS.read_text(encoding="utf-8")):
        if crd and crd["kind"] == "CustomResourceDefinition":
            (version,) = crd["spec"]["versions"]
            schemas[crd["spec"]["names"]["kind"], version["name"]] = version["schema"]["openAPIV3Schema"]
    judged = 0
    for obj in render(tier=tier).values():
        if obj["kind"] in OURS:
            schema = schemas[obj["kind"], obj["apiVersion"].partition("/")[2]]
            known = schema["properties"]
            jsonschema.validate(obj["spec"], strict(known["spec"]))
            judged += 1
    assert judged == 4
