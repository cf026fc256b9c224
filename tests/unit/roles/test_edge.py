# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of the entrances."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_attempts import ALLOWED
from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_edge import Around, check_edge, edge_options
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Object = dict[str, t.Any]
ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = read_roles(ROOT / "roles")
TEMPLATES = ("gateways.yml.j2", "routes.yml.j2", "limits.yml.j2", "certificates.yml.j2")
PUBLIC = {"llm_domain": "llm.example.com"}
GUARD = ROOT / "roles/llm_gateway/files/guard"
CRDS = "cert-manager-v*.yaml"
SCHEMAS = next(
    iter(
        pathlib.Path(os.environ["LLM_CRDS"]).glob(CRDS)
        if "LLM_CRDS" in os.environ
        else ROOT.parent.glob(f"*/crds/{CRDS}")
    ),
    None,
)
Render = t.Callable[..., dict[tuple[str, str], Object]]


@pytest.fixture(scope="module")
def render(render_template: t.Any) -> Render:
    def objects(tier: str = "dev", **options: t.Any) -> dict[tuple[str, str], Object]:
        validator = Validator()
        specs = {name: spec for role in ROLES if role.role == "edge" for name, spec in role.options.items()}
        typed = {
            key: validator.check(specs[key], value, key) if key in specs else value for key, value in options.items()
        }
        entry = check_edge(edge_options(typed, ROLES), Around(tier, {"cert_manager": True}), validator)
        assert validator.problems == []
        plan = {"tier": tier, "edge": entry, "gateway": {"namespace": "llm-gateway"}}
        rendered = [
            obj
            for template in TEMPLATES
            for obj in render_template("edge", template, {"llm_plan": plan, **options}, namespace="llm-edge")
        ]
        named = {(obj["kind"], obj["metadata"]["name"]): obj for obj in rendered}
        assert len(named) == len(rendered)
        return named

    return objects


def parameters(objects: dict[tuple[str, str], Object], name: str) -> dict[str, Object]:
    data = objects["ConfigMap", f"{name}-parameters"]["data"]
    return {key: json.loads(text) for key, text in data.items()}


def filters(objects: dict[tuple[str, str], Object], name: str, port: int) -> list[Object]:
    """The HTTP filters of a listener in the order in which requests pass them."""
    chain: list[Object] = []
    for patch in objects["EnvoyFilter", f"{name}-limits"]["spec"]["configPatches"]:
        listener = patch["match"]["listener"]
        if patch["applyTo"] == "HTTP_FILTER" and listener.get("portNumber", port) == port:
            assert patch["patch"]["operation"] == "INSERT_FIRST"
            chain.insert(0, patch["patch"]["value"])
    return chain


def manager(objects: dict[tuple[str, str], Object], name: str) -> Object:
    (patch,) = [
        patch["patch"]
        for patch in objects["EnvoyFilter", f"{name}-limits"]["spec"]["configPatches"]
        if patch["applyTo"] == "NETWORK_FILTER"
    ]
    assert patch["operation"] == "MERGE"
    return t.cast("Object", patch["value"]["typed_config"])


def matches(route: Object) -> set[tuple[str, str]]:
    assert all(match["path"]["type"] == "Exact" for rule in route["spec"]["rules"] for match in rule["matches"])
    return {(match["method"], match["path"]["value"]) for rule in route["spec"]["rules"] for match in rule["matches"]}


@pytest.fixture
def guard_routes(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    monkeypatch.syspath_prepend(str(GUARD))
    routes = importlib.import_module("llm_platform_guard.routes")
    return {(route.method, route.path) for route in routes.ROUTES if route.kind is not routes.Kind.PROBE}


def test_both_entrances_let_through_what_the_guard_does_but_its_probes(
    render: Render, guard_routes: set[tuple[str, str]]
) -> None:
    objects = render(**PUBLIC)
    assert matches(objects["HTTPRoute", "edge-api"]) == guard_routes
    assert matches(objects["HTTPRoute", "edge-internal"]) == guard_routes
    assert guard_routes == {pair for pair in ALLOWED if not pair[1].startswith("/health/")}


def test_without_a_domain_there_is_the_internal_entrance_alone(render: Render) -> None:
    assert sorted(render()) == [
        ("ConfigMap", "internal-parameters"),
        ("EnvoyFilter", "internal-limits"),
        ("Gateway", "internal"),
        ("HTTPRoute", "edge-internal"),
    ]


def test_every_listener_names_the_namespaces_whose_routes_it_accepts(render: Render) -> None:
    objects = render(**PUBLIC)
    http, api = objects["Gateway", "edge"]["spec"]["listeners"]
    assert http["allowedRoutes"]["namespaces"] == {"from": "Same"}
    (internal,) = objects["Gateway", "internal"]["spec"]["listeners"]
    for listener in (api, internal):
        assert listener["allowedRoutes"]["namespaces"] == {
            "from": "Selector",
            "selector": {"matchLabels": {"kubernetes.io/metadata.name": "llm-gateway"}},
        }
    assert (api["hostname"], api["protocol"], api["port"]) == ("api.llm.example.com", "HTTPS", 443)
    assert api["tls"]["certificateRefs"][0]["name"] == "api-tls"
    assert objects["HTTPRoute", "edge-api"]["spec"]["parentRefs"][0]["sectionName"] == api["name"]


@pytest.mark.parametrize(
    ("exposure", "kind"), [("cluster", "ClusterIP"), ("node_port", "NodePort"), ("load_balancer", "LoadBalancer")]
)
def test_only_the_public_entrance_may_be_exposed(render: Render, exposure: str, kind: str) -> None:
    objects = render(**PUBLIC, edge_exposure=exposure)
    edge, internal = (objects["Gateway", name]["metadata"]["annotations"] for name in ("edge", "internal"))
    assert edge["networking.istio.io/service-type"] == kind
    assert ("llm-platform.wmx.dev/exposure" in edge) == (kind != "ClusterIP")
    assert internal == {"networking.istio.io/service-type": "ClusterIP"}
    service = parameters(objects, "edge")["service"]["spec"]
    # The address of a client is the client's own only where no other node hands its connections on.
    assert service.get("externalTrafficPolicy") == (None if kind == "ClusterIP" else "Local")
    assert {"port": 15021, "$patch": "delete"} in service["ports"], "the outside has no business with its health"


def test_node_ports_are_those_of_the_inventory_and_redirects_lead_there(render: Render) -> None:
    objects = render(**PUBLIC, edge_exposure="node_port", edge_node_ports={"https": 31443})
    ports = parameters(objects, "edge")["service"]["spec"]["ports"]
    assert {entry["port"]: entry.get("nodePort") for entry in ports} == {15021: None, 80: 30080, 443: 31443}
    (rule,) = objects["HTTPRoute", "redirect"]["spec"]["rules"]
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "port": 31443, "statusCode": 301}
    assert "backendRefs" not in rule


def test_annotations_of_a_load_balancer_reach_its_service(render: Render) -> None:
    wanted = {"example.com/type": "nlb"}
    objects = render(**PUBLIC, edge_load_balancer_annotations=wanted)
    assert parameters(objects, "edge")["service"]["metadata"]["annotations"] == wanted
    assert parameters(objects, "internal")["service"]["metadata"]["annotations"] == {}


def test_production_is_spread_and_protected(render: Render) -> None:
    for name in ("edge", "internal"):
        found = parameters(render("prod", **PUBLIC), name)
        assert found["deployment"]["spec"]["replicas"] == 2
        assert found["podDisruptionBudget"]["spec"]["maxUnavailable"] == 1
        assert found["deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert "podDisruptionBudget" not in parameters(render(**PUBLIC), name)


def test_who_is_further_out_waits_longer(render: Render) -> None:
    objects = render(**PUBLIC, llm_gateway_request_timeout=60)
    (rule,) = objects["HTTPRoute", "edge-api"]["spec"]["rules"]
    assert rule["timeouts"] == {"request": "70s"}
    assert manager(objects, "edge")["stream_idle_timeout"] == "70s"
    pod = parameters(objects, "edge")["deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 80, "an answer that was begun is ended before the pod goes"
    assert pod["automountServiceAccountToken"] is False


def test_headers_come_off_before_anything_is_counted_or_read(render: Render) -> None:
    objects = render(**PUBLIC)
    for name, port in (("edge", 80), ("edge", 443), ("internal", 80)):
        headers, rate, body = filters(objects, name, port)
        assert [entry["name"] for entry in (headers, rate, body)] == [
            "llm-platform.headers",
            "llm-platform.rate",
            "llm-platform.body",
        ]
        mutations = headers["typed_config"]["mutations"]
        prefixes = {
            entry["remove_on_match"]["key_matcher"]["prefix"]
            for entry in mutations["request_mutations"]
            if "remove_on_match" in entry
        }
        assert {"x-gateway-", "x-litellm-", "x-envoy-"} <= prefixes
        assert {"remove": "x-forwarded-host"} in mutations["request_mutations"]
        answers = {
            entry["append"]["header"]["key"]: entry["append"]["header"]["value"]
            for entry in mutations["response_mutations"]
            if "append" in entry
        }
        assert answers["x-content-type-options"] == "nosniff"
        assert ("strict-transport-security" in answers) == (port == 443), "browsers ignore it without TLS"


def test_an_address_has_its_own_bucket(render: Render) -> None:
    _headers, rate, _body = filters(render(edge_rate_limit={"requests": 5, "seconds": 2}), "internal", 80)
    config = rate["typed_config"]
    bucket = {"max_tokens": 400, "tokens_per_fill": 5, "fill_interval": "2s"}
    assert config["descriptors"] == [{"entries": [{"key": "masked_remote_address"}], "token_bucket": bucket}]
    assert config["always_consume_default_token_bucket"] is False, "else all addresses would share one"
    assert config["response_headers_to_add"][0]["header"] == {"key": "retry-after", "value": "2"}


def test_a_body_is_bounded_in_size_and_time(render: Render) -> None:
    objects = render(edge_body_bytes=2048, edge_body_seconds=7)
    _headers, _rate, body = filters(objects, "internal", 80)
    assert body["typed_config"]["max_request_bytes"] == 2048
    assert manager(objects, "internal")["request_timeout"] == "7s"


def test_what_the_entrance_says_itself_is_worded_as_openai_does(render: Render) -> None:
    mappers = manager(render(), "internal")["local_reply_config"]["mappers"]
    said = {}
    for mapper in mappers:
        status = mapper["filter"]["status_code_filter"]["comparison"]["value"]["default_value"]
        text = mapper["body_format_override"]["text_format_source"]["inline_string"]
        assert "%" not in text, "Envoy would take it for a command"
        said[status] = json.loads(text)["error"]
        assert set(said[status]) == {"message", "type", "param", "code"}
    assert {404, 408, 413, 429, 503, 504} <= said.keys()
    assert said[404]["code"] == "unknown_route"
    (unavailable,) = [mapper for mapper in mappers if "503" in json.dumps(mapper["filter"])]
    assert {entry["header"]["key"] for entry in unavailable["headers_to_add"]} == {"cache-control", "retry-after"}


def test_only_as_many_proxies_are_believed_as_are_there(render: Render) -> None:
    assert "xff_num_trusted_hops" not in manager(render(**PUBLIC), "edge")
    objects = render(**PUBLIC, edge_trusted_proxies=2)
    assert manager(objects, "edge")["xff_num_trusted_hops"] == 2
    assert "xff_num_trusted_hops" not in manager(objects, "internal"), "no proxy of anybody's stands before it"


ACME = {"email": "admin@example.com"}
CLOUDFLARE = {"provider": "cloudflare", "settings": {"apiTokenSecretRef": {"name": "dns", "key": "token"}}}


@pytest.mark.parametrize(
    ("certificate", "solver"),
    [
        ({"acme": ACME}, "http01"),
        ({"acme": {**ACME, "challenge": "dns01", **CLOUDFLARE}}, "dns01"),
        ({"issuer": {"name": "ours"}}, ""),
    ],
)
@pytest.mark.skipif(SCHEMAS is None, reason=f"no {CRDS} in a folder crds beside the checkout, and none in LLM_CRDS")
def test_cert_manager_takes_what_is_asked_of_it(render: Render, certificate: Object, solver: str) -> None:
    assert SCHEMAS is not None
    kinds = {
        crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for crd in yaml.safe_load_all(SCHEMAS.read_text(encoding="utf-8"))
        if crd and crd["kind"] == "CustomResourceDefinition"
    }
    objects = render(**PUBLIC, edge_certificate={"source": "cert_manager", **certificate})
    for kind, name in [("Certificate", "api"), *([("Issuer", "edge")] if solver else [])]:
        jsonschema.Draft202012Validator(_strict(kinds[kind])).validate(objects[kind, name])
    assert objects["Certificate", "api"]["spec"]["dnsNames"] == ["api.llm.example.com"]
    issuer = objects["Certificate", "api"]["spec"]["issuerRef"]
    assert issuer["kind"] == ("Issuer" if solver else "ClusterIssuer")
    assert ("Issuer", "edge") in objects if solver else ("Issuer", "edge") not in objects
    if solver:
        assert list(objects["Issuer", "edge"]["spec"]["acme"]["solvers"][0]) == [solver]


def test_certificates_of_others_are_taken_by_name(render: Render) -> None:
    objects = render(**PUBLIC, edge_certificate={"source": "provided", "secrets": {"api": "wildcard"}})
    _http, api = objects["Gateway", "edge"]["spec"]["listeners"]
    assert api["tls"]["certificateRefs"][0]["name"] == "wildcard"
    assert not [kind for kind, _name in objects if kind in ("Certificate", "Issuer")]


def _strict(schema: t.Any) -> t.Any:
    """A CRD's schema in which a field that it does not know is an error, as for the API server's strict validation."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if "properties" in found and not found.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    if found.get("x-kubernetes-int-or-string"):
        found.pop("anyOf", None)
        found["type"] = ["integer", "string"]
    return found
