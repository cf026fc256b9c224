# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of the records in DNS."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_dns import Around, check_dns, dns_options
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Options = dict[str, t.Any]
ROLES = read_roles(pathlib.Path(__file__).resolve().parents[4] / "roles")
EDGE: Options = {"domain": "llm.example.com", "exposure": "load_balancer"}
ROLE = "arn:aws:iam::123456789012:role/external-dns"
CLIENT = "01234567-89ab-cdef-0123-456789abcdef"
AZURE: Options = {"tenant_id": "t", "subscription_id": "s", "resource_group": "g"}
WAYS: dict[str, Options] = {
    "cloudflare": {"external_dns_provider": "cloudflare"},
    "aws by its role": {"external_dns_provider": "aws", "external_dns_identity": ROLE},
    "aws by a key": {"external_dns_provider": "aws", "external_dns_aws": {"access_key_id": "AKIA"}},
    "google by its identity": {
        "external_dns_provider": "google",
        "external_dns_identity": "dns@project.iam.gserviceaccount.com",
        "external_dns_google": {"project": "p"},
    },
    "google by a key": {"external_dns_provider": "google", "external_dns_google": {"project": "p"}},
    "azure by its identity": {
        "external_dns_provider": "azure",
        "external_dns_identity": CLIENT,
        "external_dns_azure": AZURE,
    },
    "azure by a file": {"external_dns_provider": "azure"},
    "rfc2136": {
        "external_dns_provider": "rfc2136",
        "external_dns_rfc2136": {"host": "ns1.example.com", "cidrs": ["192.0.2.53/32"], "key_name": "k"},
    },
    "webhook": {
        "external_dns_provider": "webhook",
        "external_dns_webhook": {"image": "ghcr.io/acme/hook:1.0.0", "credential_variable": "API_TOKEN"},
    },
}


def plan(
    edge: Options | None = None, substrate: str = "existing", *, wanted: bool = True, **values: t.Any
) -> tuple[Options, list[str]]:
    validator = Validator()
    specs = {name: spec for role in ROLES if role.role == "external_dns" for name, spec in role.options.items()}
    typed = {
        name: validator.check(specs[name], value, name) if name in specs else value for name, value in values.items()
    }
    around = Around(substrate, EDGE if edge is None else edge, wanted=wanted)
    entry = check_dns(dns_options(typed, ROLES), around, validator)
    return entry, [str(problem) for problem in validator.problems]


def paths(problems: list[str]) -> list[str]:
    return [problem.partition(" = ")[0] for problem in problems]


@pytest.mark.parametrize("way", WAYS)
def test_each_provider_can_be_planned(way: str) -> None:
    entry, problems = plan(**WAYS[way])
    assert problems == []
    assert entry["provider"] == WAYS[way]["external_dns_provider"]
    assert entry["zone"] == "llm.example.com"
    assert entry["credential"] is not ("by its" in way)
    assert entry["metadata"] is (way == "google by its identity")
    assert (entry["way"], entry["servers"]) == (
        ("server", ["192.0.2.53/32"]) if entry["provider"] == "rfc2136" else ("https", [])
    )


@pytest.mark.parametrize("way", WAYS)
def test_nothing_that_a_provider_needs_may_be_left_out(way: str) -> None:
    provider = WAYS[way]["external_dns_provider"]
    name = f"external_dns_{provider}"
    for key in WAYS[way].get(name, {}):
        rest = {other: value for other, value in WAYS[way][name].items() if other != key}
        assert paths(plan(**{**WAYS[way], name: rest})[1]) == [f"{name}.{key}"]


def test_without_the_feature_nothing_is_planned() -> None:
    assert plan(wanted=False) == ({}, [])


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "external_dns_provider"),
        ({"external_dns_provider": "clouflare"}, "external_dns_provider"),
        ({**WAYS["cloudflare"], "external_dns_identity": ROLE}, "external_dns_identity"),
        ({**WAYS["aws by its role"], "external_dns_identity": "external-dns"}, "external_dns_identity"),
        ({**WAYS["aws by its role"], "external_dns_aws": {"access_key_id": "AKIA"}}, "external_dns_aws.access_key_id"),
        ({**WAYS["azure by a file"], "external_dns_azure": {"tenant_id": "t"}}, "external_dns_azure.tenant_id"),
        ({**WAYS["cloudflare"], "external_dns_google": {"project": "p"}}, "external_dns_google"),
        ({**WAYS["aws by its role"], "external_dns_cloudflare": {"proxied": True}}, "external_dns_cloudflare"),
        ({**WAYS["cloudflare"], "external_dns_zone": "example.org"}, "external_dns_zone"),
        ({**WAYS["cloudflare"], "external_dns_zone": "e.com"}, "external_dns_zone"),
        ({**WAYS["cloudflare"], "external_dns_zone": "*.com"}, "external_dns_zone"),
        ({**WAYS["cloudflare"], "external_dns_interval": 1}, "external_dns_interval"),
        ({**WAYS["cloudflare"], "external_dns_cidrs": ["everywhere"]}, "external_dns_cidrs[0]"),
        ({**WAYS["cloudflare"], "external_dns_targets": ["10.0.0.300"]}, "external_dns_targets[0]"),
        ({**WAYS["cloudflare"], "external_dns_policy": "mirror"}, "external_dns_policy"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values: Options, path: str) -> None:
    assert paths(plan(**values)[1]) == [path]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"cidrs": ["ns1"]}, "external_dns_rfc2136.cidrs[0]"),
        ({"algorithm": "hmac-md5"}, "external_dns_rfc2136.algorithm"),
    ],
)
def test_what_a_name_server_cannot_be_is_refused(more: Options, path: str) -> None:
    given = {**WAYS["rfc2136"]["external_dns_rfc2136"], **more}
    assert paths(plan(external_dns_provider="rfc2136", external_dns_rfc2136=given)[1]) == [path]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"credential_variable": "API-TOKEN"}, "external_dns_webhook.credential_variable"),
        ({"env": {"API_TOKEN": "x"}}, "external_dns_webhook.env.API_TOKEN"),
        ({"env": {"RETRIES": 3}}, "external_dns_webhook.env.RETRIES"),
    ],
)
def test_what_a_webhook_cannot_have_is_refused(more: Options, path: str) -> None:
    given = {**WAYS["webhook"]["external_dns_webhook"], **more}
    assert paths(plan(external_dns_provider="webhook", external_dns_webhook=given)[1]) == [path]


def test_there_must_be_hosts_and_somebody_who_asks_for_them() -> None:
    assert paths(plan({"domain": "", "exposure": "cluster"}, **WAYS["cloudflare"])[1]) == ["llm_features.external_dns"]
    assert paths(plan(substrate="local", **WAYS["cloudflare"])[1]) == ["llm_features.external_dns"]


@pytest.mark.parametrize("exposure", ["cluster", "node_port"])
def test_where_nothing_knows_the_addresses_they_must_be_said(exposure: str) -> None:
    edge = {**EDGE, "exposure": exposure}
    assert paths(plan(edge, **WAYS["cloudflare"])[1]) == ["external_dns_targets"]
    for target in ("192.0.2.1", "2001:db8::1", "lb.example.net"):
        assert plan(edge, **WAYS["cloudflare"], external_dns_targets=[target])[1] == []


def test_the_zone_may_be_above_the_domain() -> None:
    assert plan(**WAYS["cloudflare"], external_dns_zone="example.com")[0]["zone"] == "example.com"
    assert plan(**WAYS["cloudflare"], external_dns_zone="llm.example.com")[1] == []


@pytest.mark.parametrize("option", ["secrets_values", "secrets_from"])
def test_a_credential_that_nobody_reads_is_refused(option: str) -> None:
    value = "hunter2-hunter2" if option == "secrets_values" else {"namespace": "ops", "name": "dns", "key": "k"}
    given: Options = {option: {"dns-credential": value}}
    for wanted, way in ((False, {}), (True, WAYS["aws by its role"])):
        (problem,) = plan(wanted=wanted, **way, **given)[1]
        assert problem.startswith(f"{option}.dns-credential = ")
        assert "hunter2" not in problem
    assert plan(**WAYS["aws by a key"], **given)[1] == []
    assert plan(wanted=False, **{option: {"dns-credential": None}})[1] == []
