# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for models that somebody outside of the cluster serves, and for their way there. Private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from collections.abc import Mapping
from urllib.parse import urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import options_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import DNS_LABEL, HIDDEN, Validator

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import RoleOptions

Options = dict[str, t.Any]

PROVIDER: t.Final = "provider"
# All that such a model may say; the rest is about pods, and there are none.
OPTIONS: t.Final = frozenset({"name", "served_name", "engine", "price", "max_output_tokens", "max_model_len", PROVIDER})
GATEWAY: t.Final = "egress"
# Istio names the Deployment and the Service of a Gateway after it and its class.
SERVICE: t.Final = f"{GATEWAY}-istio"
PORT: t.Final = 80
STAND_IN: t.Final = "provider-stand-in"
MAX_REPLICAS: t.Final = 20
KEYS: t.Final = "provider-keys"

_URLS: t.Final = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
# What the gateway's client appends to the address by itself, and all that it asks for.
_PATHS: t.Final = {"anthropic": "/v1/messages", "openai": "/chat/completions"}
_SECRET = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_MODEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:/@-]{0,126}[A-Za-z0-9])?")
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_INSIDE: t.Final = frozenset({"svc", "local", "localhost", "internal"})
_METADATA: t.Final = ipaddress.ip_address("169.254.169.254")
_EVERYWHERE: t.Final = "0.0.0.0/0"
_PEM: t.Final = "-----BEGIN CERTIFICATE-----"


def check_given(raw: object, validator: Validator) -> None:
    """What only the inventory's own words show: an option that was left out has its default everywhere else."""
    listed = raw if isinstance(raw, list) else []
    for index, model in enumerate(listed):
        if not isinstance(model, Mapping):
            continue
        path, outside = f"llm_models[{index}]", model.get("engine") == PROVIDER
        if PROVIDER in model and not outside:
            fix = "set engine: provider, or remove it"
            validator.add(f"{path}.{PROVIDER}", "(given)", "is for engine provider alone", fix)
        for key in sorted(map(str, model.keys() - OPTIONS)) if outside else ():
            what = "means nothing for engine provider, which has no pods here"
            validator.add(f"{path}.{key}", "(given)", what, "remove it")
        if outside and model.get("max_output_tokens") is None:
            what = "is required for engine provider: a budget is reserved for the longest answer"
            validator.add(f"{path}.max_output_tokens", None, what, "set the most tokens that one answer may have")


def complete_provider(model: Options, path: str, validator: Validator) -> None:
    """Checks one entry and leaves in it what is to be known of a model outside."""
    given = model.get(PROVIDER) or {}
    rules = _Rules(given, f"{path}.{PROVIDER}", validator)
    kept = {key: model.get(key) for key in sorted(OPTIONS - {PROVIDER})}
    found = rules.found(model.get("name") or "")
    model.clear()
    model.update(kept | found)


class _Rules:
    def __init__(self, given: Options, path: str, validator: Validator) -> None:
        self.given = given
        self.path = path
        self.validator = validator

    def add(self, key: str, value: object, what: str, fix: str) -> None:
        self.validator.add(f"{self.path}.{key}", value, what, fix)

    def found(self, name: str) -> Options:
        kind = self.given.get("kind") or ""
        if not kind and not self._is_refused("kind"):
            self.add("kind", None, "is required for engine provider", f"choose one of: {', '.join(sorted(_URLS))}")
        model = self.given.get("model") or ""
        if not _MODEL.fullmatch(model) and not self._is_refused("model"):
            what = "is required for engine provider" if not model else "is no model's name"
            self.add("model", model or None, what, "write it as the provider calls it, such as claude-haiku-4-5")
        secret = self.given.get("secret") or name
        if self.given.get("secret") and not _SECRET.fullmatch(secret):
            self.add("secret", secret, "is no name of a credential", "use a-z, 0-9 and -, at most 40 characters")
        host, prefix = self._address(self.given.get("url") or _URLS.get(kind, ""), kind)
        asked = _PATHS.get(kind, "")
        return {
            "kind": kind,
            "host": host,
            "model": model,
            "secret": secret,
            "ca": self._authority(),
            # What comes here, and what it is outside.
            "path": asked,
            "outside_path": f"{prefix}{asked}",
        }

    def _is_refused(self, key: str) -> bool:
        return any(problem.path == f"{self.path}.{key}" for problem in self.validator.problems)

    def _address(self, url: str, kind: str) -> tuple[str, str]:
        if not url:
            return "", ""
        example = f"write {_URLS.get(kind, 'https://llm.example.com/v1')} or another address of that form"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            self.add("url", url, "is no address", example)
            return "", ""
        if parts.scheme != "https":
            self.add("url", url, "is not https, and keys and prompts must not be read on their way", example)
        elif parts.username is not None or parts.password is not None:
            self.add("url", HIDDEN, "holds a name or password", "remove it; the key comes from secrets_values")
        elif port is not None:
            self.add("url", url, "names a port, and providers are reached at 443 alone", example)
        elif parts.query or parts.fragment or "?" in url or "#" in url:
            self.add("url", url, "has more than a host and a path", example)
        else:
            self._host(url, host)
            return host, self._prefix(url, parts.path, kind, example)
        return "", ""

    def _host(self, url: str, host: str) -> None:
        labels = host.split(".")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            is_address = bool(labels[-1]) and labels[-1].isdigit()
        else:
            is_address = True
        if is_address:
            what = "is an IP address, which no certificate is checked against"
            self.add("url", url, what, "write the host's name")
        elif len(host) > 240 or len(labels) < 2 or not all(map(DNS_LABEL.fullmatch, labels)):
            self.add("url", url, "has no full name of a host", "write one such as api.example.com")
        elif labels[-1] in _INSIDE:
            fix = "serve it by another engine, or name a host of the provider"
            self.add("url", url, "leads into the cluster or its surroundings", fix)

    def _prefix(self, url: str, path: str, kind: str, example: str) -> str:
        prefix = path.rstrip("/")
        if not _PATH.fullmatch(prefix):
            self.add("url", url, "has a path of other letters than a-z, 0-9 and . _ ~ -", example)
        elif kind == "anthropic" and prefix.endswith(("/v1", "/messages")):
            self.add("url", url, "ends in what is appended to it, /v1/messages", "leave that away")
        elif kind == "openai" and prefix.endswith("/completions"):
            self.add("url", url, "ends in what is appended to it, /chat/completions", "leave that away")
        return prefix

    def _authority(self) -> str:
        text: str = (self.given.get("ca") or "").strip()
        if "PRIVATE KEY" in text:
            self.add("ca", HIDDEN, "holds a private key", "give certificates alone, and replace that key")
        elif text and not (text.startswith(_PEM) and text.endswith("-----END CERTIFICATE-----")):
            fix = "write the authority's certificate as a block that begins with -----BEGIN CERTIFICATE-----"
            self.add("ca", "(given)", "is no certificate in PEM", fix)
        return f"{text}\n" if text else ""


def egress_options(values: Mapping[str, t.Any], roles: Iterable[RoleOptions]) -> Options:
    """The role's options with their own defaults where the inventory says nothing."""
    return options_of(values, roles, GATEWAY)


class Around(t.NamedTuple):
    """What the way out depends on."""

    tier: str
    # Whether the plan has the component.
    planned: bool


def check_egress(options: Options, models: list[Options], around: Around, validator: Validator) -> Options:
    """The plan's entry `egress`, nothing without the component; `models` are all, for their places in the inventory."""
    providers = [(index, model) for index, model in enumerate(models) if model.get("engine") == PROVIDER]
    if not around.planned:
        for index, _model in providers:
            what = "leaves the cluster, and llm_features does not have egress"
            fix = "set llm_features.egress: true (in llm_profile llm_gateway), or remove the model"
            validator.add(f"llm_models[{index}].engine", PROVIDER, what, fix)
        return {}
    played = _played(options, [model["name"] for _index, model in providers if model.get("name")], validator)
    _numbers(options, validator)
    hosts = _hosts(providers, played, validator)
    namespace = options.get("egress_namespace")
    return {
        "namespace": namespace,
        "gateway": GATEWAY,
        "service": SERVICE,
        "port": PORT,
        "url": f"http://{SERVICE}.{namespace}",
        "pods": {"gateway.networking.k8s.io/gateway-name": GATEWAY},
        "replicas": options.get("egress_replicas") or (2 if around.tier == "prod" else 1),
        "hosts": list(hosts.values()),
        # Without a provider that is really outside, nothing is let out.
        "outside": any(not entry["simulated"] for entry in hosts.values()),
        "stand_in": STAND_IN if any(entry["simulated"] for entry in hosts.values()) else "",
    }


def check_keys(values: Mapping[str, t.Any], models: list[Options], validator: Validator) -> None:
    """Credentials that are given must be some model's."""
    known = sorted({model["secret"] for model in models if model.get("engine") == PROVIDER and model.get("secret")})
    for option in ("secrets_values", "secrets_from"):
        given = (values.get(option) or {}).get(KEYS)
        for name, value in (given or {}).items():
            path = f"{option}.{KEYS}.{name}"
            if name not in known:
                fix = f"known: {', '.join(known)}" if known else "add the model, or remove it"
                validator.add(path, HIDDEN, "is the credential of no model with engine provider", fix)
            elif option == "secrets_values" and (not isinstance(value, str) or not value):
                validator.add(path, HIDDEN, "is empty or no string", "put the key in quotes")
            elif option == "secrets_from" and not _is_source(value):
                validator.add(path, HIDDEN, "names no key of a Secret", "write {namespace: …, name: …, key: …}")


def _is_source(value: object) -> bool:
    names = ("namespace", "name", "key")
    return (
        isinstance(value, Mapping)
        and value.keys() == set(names)
        and all(isinstance(value[name], str) and value[name] for name in names)
    )


def _played(options: Options, names: list[str], validator: Validator) -> set[str]:
    played = {name for name in options.get("egress_simulated") or [] if name}
    for index, name in enumerate(options.get("egress_simulated") or []):
        if name and name not in names:
            fix = f"known: {', '.join(names)}" if names else "remove it"
            validator.add(f"egress_simulated[{index}]", name, "is no model with engine provider", fix)
    return played


def _numbers(options: Options, validator: Validator) -> None:
    replicas = options.get("egress_replicas")
    if replicas is not None and not 0 <= replicas <= MAX_REPLICAS:
        validator.add("egress_replicas", replicas, "is out of range", f"use at least 0 and at most {MAX_REPLICAS}")
    for index, given in enumerate(options.get("egress_cidrs") or []):
        path = f"egress_cidrs[{index}]"
        try:
            network = ipaddress.ip_network(given or "")
        except ValueError:
            validator.add(path, given, "is no network", "write address/prefix, such as 203.0.113.0/24")
            continue
        if network.version == _METADATA.version and _METADATA in network and given != _EVERYWHERE:
            what = f"holds the cloud's metadata, {_METADATA}"
            validator.add(path, given, what, f"write {_EVERYWHERE}, which leaves private networks out, or less")


def _hosts(providers: list[tuple[int, Options]], played: set[str], validator: Validator) -> dict[str, Options]:
    """Each host once, with all that its certificate is checked by."""
    found: dict[str, Options] = {}
    for index, model in providers:
        host, path = model.get("host"), f"llm_models[{index}].{PROVIDER}"
        if not host:
            continue
        model["simulated"] = model.get("name") in played
        entry = {"host": host, "ca": model.get("ca") or "", "simulated": model["simulated"]}
        other = found.setdefault(host, entry)
        if other["ca"] != entry["ca"]:
            what = "differs from that of another model at the same host"
            validator.add(f"{path}.ca", "(given)" if entry["ca"] else None, what, "give both the same, or none")
        if other["simulated"] != entry["simulated"]:
            what = "is simulated for one model and not for another"
            validator.add(f"{path}.url", host, what, "name all its models in egress_simulated, or none")
        if entry["simulated"] and entry["ca"]:
            what = "is impossible for a simulated provider, whose authority is made here"
            validator.add(f"{path}.ca", "(given)", what, "remove it")
    return found
