# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Models that somebody outside serves: what the inventory may say of them, and what the plan makes of it."""

from __future__ import annotations

import copy
import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._plan import PlanError, Request, make_plan
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_table import plan_table
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.test__plan import (
    BASE,
    PRICE,
    ROLES,
    ROLES_DIR,
    catalog,
)

Entry = dict[str, t.Any]

FLOWS = yaml.safe_load((ROLES_DIR / "network" / "files" / "flows.yml").read_text(encoding="utf-8"))
CLAUDE: Entry = {
    "name": "claude",
    "engine": "provider",
    "price": PRICE,
    "max_output_tokens": 64,
    "provider": {"kind": "anthropic", "model": "claude-haiku-4-5"},
}
OTHER: Entry = {**CLAUDE, "name": "gpt", "provider": {"kind": "openai", "model": "gpt-5-mini"}}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "sk-of-nobody"


def plan(*models: Entry, **changes: t.Any) -> Entry:
    """In profile llm_gateway with egress, unless told otherwise."""
    given = {
        "llm_profile": "llm_gateway",
        "llm_sources": {"gateway_api_crds": "existing", "istio": "existing"},
        "llm_features": {"egress": True},
        "llm_models": list(models),
        "llm_network_api_server": {"addresses": ["10.0.0.1/32"], "port": 6443},
    }
    return make_plan(Request({**BASE, **given, **changes}, ROLES, catalog(), flows=FLOWS))


def problems(*models: Entry, **changes: t.Any) -> list[str]:
    with pytest.raises(PlanError) as caught:
        plan(*models, **changes)
    return str(caught.value).splitlines()[1:]


def provider(**given: t.Any) -> Entry:
    return {**CLAUDE, "provider": {**CLAUDE["provider"], **given}}


def test_a_provider_has_no_place_among_the_models_with_pods() -> None:
    found = plan(CLAUDE, OTHER)
    assert found["models"] == []
    claude, gpt = found["providers"]
    assert (claude["host"], claude["outside_path"], claude["secret"]) == (
        "api.anthropic.com",
        "/v1/messages",
        "claude",
    )
    assert (gpt["host"], gpt["path"], gpt["outside_path"]) == (
        "api.openai.com",
        "/chat/completions",
        "/v1/chat/completions",
    )
    assert not claude.keys() & {"replicas", "gpu", "resources", "source"}
    assert "egress" in found["selected"]


def test_without_the_feature_nothing_leaves_and_a_provider_is_an_error() -> None:
    (problem,) = problems(CLAUDE, llm_features={})
    assert problem == (
        'llm_models[0].engine = "provider": leaves the cluster, and llm_features does not have egress; '
        "set llm_features.egress: true (in llm_profile llm_gateway), or remove the model"
    )
    found = plan(llm_features={})
    assert found["egress"] == {}
    assert not [flow for flow in found["flows"] if "egress" in flow["from"]["name"] + flow["to"]["name"]]


def test_the_gateway_alone_leaves_and_litellm_alone_asks_it() -> None:
    pairs = [(flow["from"]["name"], flow["to"]["name"]) for flow in plan(CLAUDE)["flows"]]
    assert [pair for pair in pairs if pair[1] == "providers"] == [("egress-gateway", "providers")]
    assert [pair for pair in pairs if pair[1] == "egress-gateway"] == [("litellm", "egress-gateway")]
    assert ("egress-gateway", "istiod") in pairs


def test_where_all_providers_are_simulated_nothing_is_let_out() -> None:
    found = plan(CLAUDE, egress_simulated=["claude"])
    assert not [flow for flow in found["flows"] if flow["to"]["name"] == "providers"]
    assert found["egress"]["stand_in"] == "provider-stand-in"
    assert found["providers"][0]["simulated"]
    assert plan(CLAUDE)["egress"]["stand_in"] == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [("replicas", 1), ("gpu", {"count": 1}), ("image", "a/b:1"), ("args", ["--x"]), ("source", "a/b"), ("slo", {})],
)
def test_what_is_about_pods_means_nothing(key: str, value: object) -> None:
    (problem,) = problems({**CLAUDE, key: value})
    assert problem.startswith(f"llm_models[0].{key} = ")
    assert problem.endswith("means nothing for engine provider, which has no pods here; remove it")


def test_a_model_of_ours_has_no_provider() -> None:
    given = {"name": "chat", "engine": "simulator", "price": PRICE, "provider": {"kind": "openai"}}
    (problem,) = problems(given)
    assert problem.startswith("llm_models[0].provider = ")
    assert "is for engine provider alone" in problem


@pytest.mark.parametrize("key", ["price", "max_output_tokens"])
def test_what_a_budget_is_reserved_by_is_mandatory(key: str) -> None:
    found = problems({name: value for name, value in CLAUDE.items() if name != key})
    assert found
    assert all(problem.startswith(f"llm_models[0].{key}") for problem in found)


@pytest.mark.parametrize("key", ["kind", "model"])
def test_a_provider_is_named_as_it_names_itself(key: str) -> None:
    (problem,) = problems(provider(**{key: None}))
    assert problem.startswith(f"llm_models[0].provider.{key} = null: is required for engine provider")


def test_an_unknown_kind_is_refused() -> None:
    (problem,) = problems(provider(kind="anthropix"))
    assert problem.startswith('llm_models[0].provider.kind = "anthropix": is no valid choice; did you mean anthropic?')


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://api.example.com", "is not https"),
        ("api.example.com/v1", "is not https"),
        ("https://api.example.com:8443", "names a port"),
        ("https://api.example.com:99999", "is no address"),
        ("https://me:secret@api.example.com", "holds a name or password"),
        ("https://api.example.com/v1?a=b", "has more than a host and a path"),
        ("https://api.example.com/#", "has more than a host and a path"),
        ("https://api.example.com/../v1", "has a path of other letters"),
        ("https://api.example.com//v1", "has a path of other letters"),
        ("https://api.example.com/v 1", "has a path of other letters"),
        ("https://api.example.com/v1", "ends in what is appended to it"),
        ("https://192.0.2.1", "is an IP address"),
        ("https://[2001:db8::1]", "is an IP address"),
        ("https://192.0.2.300", "is an IP address"),
        ("https://localhost", "has no full name of a host"),
        ("https://api_x.example.com", "has no full name of a host"),
        ("https://*.example.com", "has no full name of a host"),
        ("https://litellm.llm-gateway.svc", "leads into the cluster"),
        ("https://kubernetes.default.svc.cluster.local", "leads into the cluster"),
        ("https://metadata.platform.local", "leads into the cluster"),
    ],
)
def test_an_address_is_a_host_outside_with_tls(url: str, what: str) -> None:
    (problem,) = problems(provider(url=url))
    assert problem.startswith("llm_models[0].provider.url = ")
    assert what in problem
    assert "secret" not in problem.replace("secrets_values", "")


def test_an_address_may_have_a_path_before_what_is_appended() -> None:
    given = {"kind": "openai", "model": "m", "url": "https://LLM.example.com/api/v1/"}
    (found,) = plan({**OTHER, "provider": given})["providers"]
    assert (found["host"], found["outside_path"]) == ("llm.example.com", "/api/v1/chat/completions")


@pytest.mark.parametrize("ca", ["/etc/ssl/ca.pem", "-----BEGIN CERTIFICATE-----", f"{PEM}-----BEGIN PRIVATE KEY-----"])
def test_an_authority_is_a_certificate(ca: str) -> None:
    (problem,) = problems(provider(ca=ca))
    assert problem.startswith("llm_models[0].provider.ca = ")
    assert "MIIB" not in problem


def test_an_authority_holds_for_all_models_of_a_host() -> None:
    assert plan(provider(ca=PEM))["egress"]["hosts"][0]["ca"] == PEM
    (problem,) = problems(CLAUDE, {**provider(ca=PEM), "name": "second"})
    assert problem.startswith("llm_models[1].provider.ca = ")
    assert len(plan(CLAUDE, {**CLAUDE, "name": "second"})["egress"]["hosts"]) == 1


@pytest.mark.parametrize("secret", ["Key", "a b", "a_b", "-a", "a" * 41])
def test_a_credential_has_a_plain_name(secret: str) -> None:
    assert problems(provider(secret=secret))[0].startswith("llm_models[0].provider.secret = ")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"egress_replicas": 99}, "egress_replicas"),
        ({"egress_cidrs": ["provider"]}, "egress_cidrs[0]"),
        ({"egress_cidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, "egress_cidrs[1]"),
        ({"egress_cidrs": ["169.254.169.254/32"]}, "egress_cidrs[0]"),
        ({"egress_cidrs": []}, "egress_cidrs"),
        ({"egress_simulated": ["gpt"]}, "egress_simulated[0]"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: Entry, path: str) -> None:
    assert [problem.partition(" = ")[0] for problem in problems(CLAUDE, **changes)] == [path]


def test_a_simulated_provider_has_one_host_and_no_authority_of_its_own() -> None:
    second = {**CLAUDE, "name": "second"}
    (problem,) = problems(CLAUDE, second, egress_simulated=["claude"])
    assert "is simulated for one model and not for another" in problem
    (problem,) = problems(provider(ca=PEM), egress_simulated=["claude"])
    assert problem.startswith("llm_models[0].provider.ca = ")


@pytest.mark.parametrize(
    ("option", "given", "what"),
    [
        ("secrets_values", {"claud": KEY}, "is the credential of no model"),
        ("secrets_values", {"claude": ""}, "is empty or no string"),
        ("secrets_values", {"claude": 1}, "is empty or no string"),
        ("secrets_from", {"claude": {"name": "a"}}, "names no key of a Secret"),
        ("secrets_from", {"claude": KEY}, "names no key of a Secret"),
    ],
)
def test_a_credential_belongs_to_a_model_and_is_never_shown(option: str, given: Entry, what: str) -> None:
    (problem,) = problems(CLAUDE, **{option: {"provider-keys": given}})
    assert problem.startswith(f"{option}.provider-keys.{next(iter(given))} = ")
    assert what in problem
    assert KEY not in problem


def test_a_credential_that_is_given_is_taken() -> None:
    assert plan(CLAUDE, secrets_values={"provider-keys": {"claude": KEY}})
    source = {"namespace": "ops", "name": "anthropic", "key": "token"}
    assert plan(CLAUDE, secrets_from={"provider-keys": {"claude": source}})


def test_names_are_unique_over_ours_and_theirs() -> None:
    assert "is the name of llm_models[0] too" in problems(CLAUDE, copy.deepcopy(CLAUDE))[0]


def test_a_tenant_may_use_a_model_of_a_provider_by_name() -> None:
    tenant = {"name": "red", "models": ["claude"], "budget": {"usd": 1, "period": "1d"}, "keys": [{"name": "app"}]}
    found = plan({**CLAUDE, "served_name": "claude-haiku"}, llm_tenants=[tenant])
    assert found["tenants"][0]["served_models"] == ["claude-haiku"]


def test_a_provider_is_no_dearer_fallback() -> None:
    dear = {**CLAUDE, "price": {"input_per_token": 1e-3, "output_per_token": 1e-3}}
    chat = {"name": "chat", "engine": "simulator", "price": PRICE}
    (problem,) = problems(chat, dear, llm_gateway_fallbacks=[{"model": "chat", "to": ["claude"]}])
    assert "costs more than chat" in problem


def test_the_table_shows_where_a_prompt_goes() -> None:
    rows = [line.split() for line in plan_table(plan(CLAUDE, OTHER, egress_simulated=["gpt"])).splitlines()]
    assert ["claude", "anthropic", "api.anthropic.com", "claude-haiku-4-5", "64", "1e-07", "4e-07"] in rows
    assert ["gpt", "openai", "api.openai.com", "(simulated)", "gpt-5-mini", "64", "1e-07", "4e-07"] in rows
