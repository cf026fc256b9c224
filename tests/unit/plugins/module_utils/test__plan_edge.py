# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of the entrances, and what others learn of them."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_edge import Around, check_edge, edge_options
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

ROLES = read_roles(pathlib.Path(__file__).resolve().parents[4] / "roles")
ACME: dict[str, t.Any] = {
    "email": "admin@example.com",
    "server": "https://acme.example.com/directory",
    "challenge": "http01",
}


def plan(tier: str = "dev", *, cert_manager: bool = False, **values: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    validator = Validator()
    specs = {name: spec for role in ROLES if role.role == "edge" for name, spec in role.options.items()}
    typed = {
        name: validator.check(specs[name], value, name) if name in specs else value for name, value in values.items()
    }
    entry = check_edge(edge_options(typed, ROLES), Around(tier, {"cert_manager": cert_manager}), validator)
    return entry, [str(problem) for problem in validator.problems]


def test_without_a_domain_nothing_is_public() -> None:
    entry, problems = plan()
    assert problems == []
    assert not entry["public"]
    assert entry["exposure"] == "cluster"
    assert (entry["internal"]["service"], entry["internal"]["port"]) == ("internal-istio", 80)


def test_with_a_domain_a_load_balancer_leads_to_it() -> None:
    entry, problems = plan(llm_domain="llm.example.com")
    assert problems == []
    assert (entry["public"], entry["exposure"], entry["port"]) == (True, "load_balancer", 443)
    assert entry["certificate"]["source"] == "self_signed"


def test_clients_of_node_ports_see_the_port_of_the_node() -> None:
    values = {"llm_domain": "llm.example.com", "edge_exposure": "node_port"}
    assert plan(**values)[0]["port"] == 30443
    assert plan(**values, edge_node_ports={"http": 31000, "https": 31001})[0]["port"] == 31001


def test_production_has_two_of_each() -> None:
    assert plan("prod")[0]["replicas"] == 2
    assert plan("prod", edge_replicas=3)[0]["replicas"] == 3
    assert plan("cost")[0]["replicas"] == 1


def test_everywhere_has_private_networks_in_it() -> None:
    assert plan()[0]["clients"] == ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]
    assert plan(edge_clients=["192.0.2.0/24"])[0]["clients"] == ["192.0.2.0/24"]


@pytest.mark.parametrize(
    "domain", ["example", "Example.com", "a..b", "-a.example.com", "*.example.com", "a" * 240 + ".de"]
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    (problem,) = plan(llm_domain=domain)[1]
    assert problem.startswith("llm_domain = ")
    assert "is no domain" in problem


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"edge_exposure": "node_port"}, "edge_exposure"),
        ({"edge_trusted_proxies": -1}, "edge_trusted_proxies"),
        ({"edge_body_bytes": 0}, "edge_body_bytes"),
        ({"edge_rate_limit": {"requests": 0}}, "edge_rate_limit.requests"),
        ({"edge_clients": ["everybody"]}, "edge_clients[0]"),
        ({"edge_node_ports": {"http": 80, "https": 30443}}, "edge_node_ports.http"),
        ({"edge_node_ports": {"http": 30443}}, "edge_node_ports.https"),
        ({"edge_certificate": {"source": "self_signed", "days": 0}}, "edge_certificate.days"),
        ({"edge_certificate": {"source": "provided", "acme": ACME}}, "edge_certificate.acme"),
        ({"edge_certificate": {"source": "cert_manager", "acme": ACME}}, "edge_certificate.source"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values: dict[str, t.Any], path: str) -> None:
    problems = plan(**values)[1]
    assert [problem.partition(" = ")[0] for problem in problems] == [path]


@pytest.mark.parametrize(
    ("certificate", "path"),
    [
        ({}, "edge_certificate"),
        ({"acme": ACME, "issuer": {"kind": "ClusterIssuer", "name": "ours"}}, "edge_certificate"),
        ({"acme": {**ACME, "email": "nobody"}}, "edge_certificate.acme.email"),
        ({"acme": {**ACME, "server": "http://acme"}}, "edge_certificate.acme.server"),
        ({"acme": {**ACME, "challenge": "dns01", "settings": {"a": 1}}}, "edge_certificate.acme.provider"),
        ({"acme": {**ACME, "challenge": "dns01", "provider": "cloudflare"}}, "edge_certificate.acme.settings"),
        ({"acme": {**ACME, "provider": "cloudflare"}}, "edge_certificate.acme.provider"),
    ],
)
def test_cert_manager_is_told_all_that_it_needs(certificate: dict[str, t.Any], path: str) -> None:
    values = {"llm_domain": "llm.example.com", "edge_certificate": {"source": "cert_manager", **certificate}}
    problems = plan(cert_manager=True, **values)[1]
    assert [problem.partition(" = ")[0] for problem in problems] == [path]


def test_a_challenge_that_cannot_reach_the_cluster_is_refused() -> None:
    values = {
        "llm_domain": "llm.example.com",
        "edge_exposure": "node_port",
        "edge_certificate": {"source": "cert_manager", "acme": ACME},
    }
    (problem,) = plan(cert_manager=True, **values)[1]
    assert "needs port 80" in problem
    assert plan(cert_manager=True, **{**values, "edge_exposure": "load_balancer"})[1] == []
