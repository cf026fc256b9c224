# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for the records in DNS, and who writes them how. Private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import options_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import HIDDEN, Validator

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import RoleOptions

Options = dict[str, t.Any]

CREDENTIAL: t.Final = "dns-credential"
# Of each provider: what must be said, and how an identity of the pod looks where the cloud can give it one.
_NEEDED: t.Final[dict[str, tuple[str, ...]]] = {
    "aws": (),
    "azure": (),
    "cloudflare": (),
    "google": ("project",),
    "rfc2136": ("host", "cidrs", "key_name"),
    "webhook": ("image", "credential_variable"),
}
_IDENTITIES: t.Final = {
    "aws": (re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+"), "arn:aws:iam::123456789012:role/external-dns"),
    "google": (re.compile(r"[a-z0-9-]+@[a-z0-9.:-]+\.gserviceaccount\.com"), "dns@project.iam.gserviceaccount.com"),
    "azure": (re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "a client id, which is a UUID"),
}
# What is to be said besides, with an identity and without.
_WITH_IDENTITY: t.Final = {"azure": ("tenant_id", "subscription_id", "resource_group")}
_WITHOUT_IDENTITY: t.Final = {"aws": ("access_key_id",)}
_LABEL: t.Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME: t.Final = re.compile(rf"{_LABEL}(\.{_LABEL})+")
_VARIABLE: t.Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def dns_options(values: Mapping[str, t.Any], roles: Iterable[RoleOptions]) -> Options:
    """The options that matter here with the roles' own defaults where the inventory says nothing."""
    found = options_of(values, roles, "external_dns")
    given = {
        name: (values.get(name) or {}).get(CREDENTIAL)
        for name in ("secrets_values", "secrets_from")
        if isinstance(values.get(name), dict)
    }
    return {**found, "credential_given": [name for name, value in given.items() if _is_said(value)]}


class Around(t.NamedTuple):
    """What the records depend on."""

    substrate: str
    edge: Mapping[str, t.Any]
    wanted: bool = True


def check_dns(options: Options, around: Around, validator: Validator) -> Options:
    """The plan's entry `external_dns`; what is wrong is added to the validator. Empty without the feature."""
    rules = _Rules(options, around, validator)
    if not around.wanted:
        rules.unused()
        return {}
    rules.around(around)
    if not rules.provider:
        if not any(problem.path == "external_dns_provider" for problem in validator.problems):
            fix = f"choose one of: {', '.join(_NEEDED)}"
            validator.add("external_dns_provider", "", "is required for llm_features.external_dns", fix)
        return {}
    rules.settings()
    rules.identity()
    rules.credential()
    rules.numbers()
    return rules.entry()


class _Rules:
    def __init__(self, options: Options, around: Around, validator: Validator) -> None:
        self.options = options
        self.add = validator.add
        self.domain = around.edge.get("domain") or ""
        self.provider: str = options.get("external_dns_provider") or ""
        self.name = f"external_dns_{self.provider}"
        self.found: Options = options.get(self.name) or {}
        self.identified: str = options.get("external_dns_identity") or ""
        self.needs_credential = not (self.provider in _IDENTITIES and self.identified)

    def unused(self) -> None:
        for option in self.options["credential_given"]:
            what = "is given, and llm_features.external_dns is off"
            self.add(f"{option}.{CREDENTIAL}", HIDDEN, what, "turn it on, or remove the credential")

    def around(self, around: Around) -> None:
        feature = "llm_features.external_dns"
        if around.substrate == "local":
            what = "has nobody to tell: names of the local cluster are of no use outside, and it pulls no image"
            self.add(feature, True, what, "set it to false")
        if not self.domain:
            what = "has no host to publish, for llm_domain is empty"
            self.add(feature, True, what, "set llm_domain, or the feature to false")
        elif (exposure := around.edge.get("exposure")) != "load_balancer" and not self._targets():
            what = f"is required: with edge_exposure {exposure} nothing knows the addresses of the entrance"
            self.add("external_dns_targets", [], what, "list the addresses that the records shall lead to")
        zone = self.options.get("external_dns_zone") or ""
        if zone and not _NAME.fullmatch(zone):
            self.add("external_dns_zone", zone, "is no zone", "write it in lower case, such as example.com")
        elif zone and self.domain and not f".{self.domain}".endswith(f".{zone}"):
            what = f"does not hold llm_domain, {self.domain}"
            self.add("external_dns_zone", zone, what, "name the zone that ends like it, or leave it out")

    def _targets(self) -> list[str]:
        return self.options.get("external_dns_targets") or []

    def settings(self) -> None:
        for other in _NEEDED:
            if other != self.provider and any(_is_chosen(value) for value in _given(self.options, other).values()):
                what = f"is for that provider alone, and external_dns_provider is {self.provider}"
                self.add(f"external_dns_{other}", "(given)", what, "remove it")
        more = (_WITH_IDENTITY if self.identified else _WITHOUT_IDENTITY).get(self.provider, ())
        less = (_WITHOUT_IDENTITY if self.identified else _WITH_IDENTITY).get(self.provider, ())
        because = "with" if self.identified else "without"
        for key in (*_NEEDED[self.provider], *more):
            if not self.found.get(key):
                reason = f" {because} external_dns_identity" if key in more else ""
                what = f"is required for external_dns_provider {self.provider}{reason}"
                self.add(f"{self.name}.{key}", None, what, "set it, or choose another provider")
        for key in less:
            if self.found.get(key):
                what = f"means nothing {because} external_dns_identity"
                self.add(f"{self.name}.{key}", self.found[key], what, "remove it")
        for index, cidr in enumerate(self.found.get("cidrs") or []):
            self._network(f"{self.name}.cidrs[{index}]", cidr)
        variable = self.found.get("credential_variable")
        if variable and not _VARIABLE.fullmatch(variable):
            self.add(f"{self.name}.credential_variable", variable, "is no variable", "write one such as API_TOKEN")
        for key, value in (self.found.get("env") or {}).items():
            if not isinstance(value, str) or not _VARIABLE.fullmatch(str(key)) or key == variable:
                what = "is the credential's" if key == variable else "is no string under a variable's name"
                self.add(f"{self.name}.env.{key}", "(hidden)", what, "write NAME: 'text', and no credentials")

    def identity(self) -> None:
        if not self.identified:
            return
        if self.provider not in _IDENTITIES:
            what = f"is for {', '.join(_IDENTITIES)}, and external_dns_provider is {self.provider}"
            self.add("external_dns_identity", self.identified, what, "remove it")
            return
        pattern, example = _IDENTITIES[self.provider]
        if not pattern.fullmatch(self.identified):
            what = f"is no identity of {self.provider}"
            self.add("external_dns_identity", self.identified, what, f"write one such as {example}")

    def credential(self) -> None:
        if not self.needs_credential:
            for option in self.options["credential_given"]:
                what = "is given, and the pod has external_dns_identity"
                self.add(f"{option}.{CREDENTIAL}", HIDDEN, what, "remove one of them")

    def numbers(self) -> None:
        interval = self.options.get("external_dns_interval")
        if interval is not None and not 10 <= interval <= 86400:
            self.add("external_dns_interval", interval, "is out of range", "use at least 10 and at most 86400")
        for index, cidr in enumerate(self.options.get("external_dns_cidrs") or []):
            self._network(f"external_dns_cidrs[{index}]", cidr)
        for index, target in enumerate(self._targets()):
            if not _is_target(target or ""):
                fix = "write an address, or a name in lower case such as lb.example.net"
                self.add(f"external_dns_targets[{index}]", target, "is neither address nor name", fix)

    def _network(self, path: str, cidr: str) -> None:
        try:
            ipaddress.ip_network(cidr or "")
        except ValueError:
            self.add(path, cidr, "is no network", "write address/prefix, such as 192.0.2.0/24")

    def entry(self) -> Options:
        return {
            "provider": self.provider,
            "zone": self.options.get("external_dns_zone") or self.domain,
            "identity": self.identified,
            "credential": self.needs_credential,
            "settings": self.found,
            # Where it must get through to.
            "way": "server" if self.provider == "rfc2136" else "https",
            "servers": list(self.found.get("cidrs") or []),
            "metadata": self.provider == "google" and bool(self.identified),
        }


def _given(options: Options, provider: str) -> Options:
    found: Options = options.get(f"external_dns_{provider}") or {}
    # Defaults alone are no choice.
    defaults = {"region", "algorithm"}
    return {key: value for key, value in found.items() if key not in defaults}


def _is_chosen(value: object) -> bool:
    return value not in (None, False, "", [], {})


def _is_said(value: object) -> bool:
    """An entry of secrets_from whose parts are all unset stands for nothing."""
    if isinstance(value, dict):
        return any(part is not None for part in value.values())
    return value is not None


def _is_target(target: str) -> bool:
    try:
        ipaddress.ip_address(target)
    except ValueError:
        return bool(_NAME.fullmatch(target)) and not target.rsplit(".", 1)[-1].isdigit()
    return True
