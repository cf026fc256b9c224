# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for the entrances, and what those who use them must know. Private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import options_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import DNS_LABEL, Validator

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import RoleOptions

Options = dict[str, t.Any]

INTERNAL: t.Final = "internal"
INTERNAL_PORT: t.Final = 80
MAX_REPLICAS: t.Final = 50
# The longest first label of a host of ours, with room for those to come.
_LONGEST_HOST: t.Final = 20
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# In a policy of ours the whole internet leaves private networks out; an entrance has clients there as well.
_HALVES: t.Final = {"0.0.0.0/0": ["0.0.0.0/1", "128.0.0.0/1"], "::/0": ["::/1", "8000::/1"]}
_SOURCE: t.Final = "self_signed"


class Around(t.NamedTuple):
    """What the entrances depend on."""

    tier: str
    features: Mapping[str, bool]


def edge_options(values: Mapping[str, t.Any], roles: Iterable[RoleOptions]) -> Options:
    """The role's options with their own defaults where the inventory says nothing."""
    return {**options_of(values, roles, "edge"), "llm_domain": values.get("llm_domain") or ""}


def check_edge(options: Options, around: Around, validator: Validator) -> Options:
    """The plan's entry `edge`; what is wrong is added to the validator."""
    rules = _Rules(options, around, validator)
    rules.domain()
    rules.numbers()
    rules.node_ports()
    rules.certificate()
    return rules.entry()


class _Rules:
    def __init__(self, options: Options, around: Around, validator: Validator) -> None:
        self.options = options
        self.around = around
        self.add = validator.add
        self.public = bool(options.get("llm_domain"))
        self.exposure = options.get("edge_exposure") or ("load_balancer" if self.public else "cluster")

    def domain(self) -> None:
        domain = self.options.get("llm_domain") or ""
        labels = domain.split(".")
        if self.public and (
            len(domain) > 253 - _LONGEST_HOST or len(labels) < 2 or not all(map(DNS_LABEL.fullmatch, labels))
        ):
            fix = "write a domain of yours in lower case, such as llm.example.com, or leave it empty"
            self.add("llm_domain", domain, "is no domain", fix)
        if not self.public and self.exposure != "cluster":
            fix = "set llm_domain, or leave edge_exposure out"
            self.add("edge_exposure", self.exposure, "needs hosts, and llm_domain is empty", fix)

    def numbers(self) -> None:
        ranges = {
            "edge_trusted_proxies": (0, 10),
            "edge_replicas": (0, MAX_REPLICAS),
            "edge_body_bytes": (1024, 1 << 30),
            "edge_body_seconds": (1, 3600),
            "edge_hsts_seconds": (0, 63_072_000),
        }
        for name, (low, high) in ranges.items():
            self._range(name, self.options.get(name), low, high)
        rate = self.options.get("edge_rate_limit") or {}
        for key, high in (("requests", 1_000_000), ("seconds", 3600), ("burst", 1_000_000), ("addresses", 1_000_000)):
            self._range(f"edge_rate_limit.{key}", rate.get(key), 1, high)
        for index, network in enumerate(self.options.get("edge_clients") or []):
            try:
                ipaddress.ip_network(network or "")
            except ValueError:
                fix = "write address/prefix, such as 192.0.2.0/24"
                self.add(f"edge_clients[{index}]", network, "is no network", fix)

    def _range(self, name: str, value: int | None, low: int, high: int) -> None:
        if value is not None and not low <= value <= high:
            self.add(name, value, "is out of range", f"use at least {low} and at most {high}")

    def node_ports(self) -> None:
        ports = self.options.get("edge_node_ports") or {}
        for name, value in ports.items():
            self._range(f"edge_node_ports.{name}", value, 30000, 32767)
        if ports.get("http") is not None and ports.get("http") == ports.get("https"):
            self.add("edge_node_ports.https", ports["https"], "is edge_node_ports.http too", "choose two ports")

    def certificate(self) -> None:
        given = self.options.get("edge_certificate") or {}
        source, issuer, acme = given.get("source") or _SOURCE, _issuer(given), _acme(given)
        self._range("edge_certificate.days", given.get("days"), 1, 825)
        for key, value in (("issuer", issuer), ("acme", acme)):
            if value and source != "cert_manager":
                what = f"is for cert_manager, and edge_certificate.source is {source}"
                self.add(f"edge_certificate.{key}", "(given)", what, "remove it, or set source: cert_manager")
        if source != "cert_manager":
            return
        if not self.around.features.get("cert_manager"):
            what = "needs cert-manager on the cluster, and llm_features does not have it"
            fix = "install it and set llm_features.cert_manager: true, or use self_signed or provided"
            self.add("edge_certificate.source", source, what, fix)
        if bool(issuer) == bool(acme):
            what = "has two issuers" if issuer else "needs an issuer"
            fix = "set either edge_certificate.issuer.name or edge_certificate.acme.email"
            self.add("edge_certificate", source, what, fix)
        elif acme:
            self._acme(acme)

    def _acme(self, acme: Options) -> None:
        path = "edge_certificate.acme"
        email, server = acme.get("email") or "", acme.get("server")
        if not _EMAIL.fullmatch(email):
            self.add(f"{path}.email", email, "is no address", "write one that is read, such as admin@example.com")
        if server is not None and not server.startswith("https://"):
            self.add(f"{path}.server", server, "is no https address", "write the authority's directory")
        if acme.get("challenge") == "dns01":
            if not acme.get("provider"):
                what = "is required for challenge: dns01"
                self.add(f"{path}.provider", None, what, "name who serves the domain's DNS, such as cloudflare")
            if not acme.get("settings"):
                what = "is required: cert-manager must be told how to write records"
                fix = "write the provider's settings, such as apiTokenSecretRef: {name: dns, key: token}"
                self.add(f"{path}.settings", None, what, fix)
        elif acme.get("provider") or acme.get("settings"):
            what = "is for challenge: dns01"
            self.add(f"{path}.provider", acme.get("provider"), what, "set challenge: dns01, or remove it")
        elif self.exposure == "node_port":
            what = "needs port 80 of the hosts to lead here, and edge_exposure is node_port"
            self.add(f"{path}.challenge", acme.get("challenge"), what, "use dns01, or another exposure")

    def entry(self) -> Options:
        namespace = self.options.get("edge_namespace")
        given = self.options.get("edge_certificate") or {}
        ports = self.options.get("edge_node_ports") or {}
        clients = [network for network in self.options.get("edge_clients") or [] if network]
        return {
            "namespace": namespace,
            "public": self.public,
            "domain": self.options.get("llm_domain") or "",
            "exposure": self.exposure,
            "replicas": self.options.get("edge_replicas") or (2 if self.around.tier == "prod" else 1),
            # The port that clients outside see.
            "port": ports.get("https") if self.exposure == "node_port" else 443,
            "node_ports": ports,
            "rate_limit": self.options.get("edge_rate_limit") or {},
            "clients": [half for network in clients for half in _HALVES.get(network, [network])],
            "certificate": {
                "source": given.get("source") or _SOURCE,
                "days": given.get("days") or 90,
                "secrets": given.get("secrets") or {},
                "issuer": _issuer(given),
                "acme": _acme(given),
            },
            "internal": {
                "service": f"{INTERNAL}-istio",
                "port": INTERNAL_PORT,
                "pod_labels": {"gateway.networking.k8s.io/gateway-name": INTERNAL},
            },
        }


def _issuer(given: Options) -> Options:
    """Empty where none was named: defaults alone are no choice."""
    issuer: Options = given.get("issuer") or {}
    return issuer if issuer.get("name") else {}


def _acme(given: Options) -> Options:
    acme: Options = given.get("acme") or {}
    return acme if any(acme.get(key) for key in ("email", "provider", "settings")) else {}
