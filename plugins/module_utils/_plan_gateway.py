# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for the LLM gateway and its datastores, and what both roles must agree on. Private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import options_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import RoleOptions
    from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Options = dict[str, t.Any]

# Releases that carried a stranger's code, on PyPI or as images.
DENIED: t.Final = frozenset({(1, 82, 7), (1, 82, 8), (1, 107, 0)})
# GHSA-7hp6-4w63-5g45: whoever knows the salt key becomes admin. Each line of releases got its own fix.
FLOOR: t.Final = (1, 103, 8)
FIXED_IN: t.Final = {(1, 103): 8, (1, 104): 6, (1, 105): 4, (1, 106): 3}
WANTED: t.Final = "v1.108.7"

MAX_REPLICAS: t.Final = 50
MAX_INSTANCES: t.Final = 9
_VERSION = re.compile(r"(?<![0-9.])v?(\d+)\.(\d+)\.(\d+)(?![0-9])")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_DATABASE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_DEFAULT_DATABASE: t.Final = {"cost": "statefulset", "dev": "statefulset", "prod": "cnpg"}

# What holds a budget in LiteLLM's configuration; llm_gateway_config must not take it away.
LOCKED: t.Final[Mapping[str, frozenset[str]]] = {
    "general_settings": frozenset(
        {
            "allow_requests_on_db_unavailable",
            "custom_auth",
            "database_url",
            "disable_auto_add_proxy_admin_to_teams",
            "fail_closed_budget_enforcement",
            "master_key",
            "pass_through_endpoints",
            "proxy_batch_write_at",
            "proxy_budget_rescheduler_max_time",
            "proxy_budget_rescheduler_min_time",
            "require_auth_for_metrics_endpoint",
            "store_model_in_db",
            "use_redis_transaction_buffer",
            "user_api_key_cache_ttl",
        }
    ),
    "litellm_settings": frozenset(
        {"cache", "cache_params", "default_redis_ttl", "disable_end_user_cost_tracking", "num_retries", "fallbacks"}
    ),
    "router_settings": frozenset({"fallbacks", "model_group_alias", "num_retries", "retry_policy"}),
}
_FORBIDDEN: t.Final = frozenset({"environment_variables", "include", "model_list"})


class Around(t.NamedTuple):
    """What the gateway depends on."""

    tier: str
    substrate: str
    models: list[Options]
    features: Mapping[str, bool]


def gateway_options(values: Mapping[str, t.Any], roles: Iterable[RoleOptions]) -> Options:
    """The options of the gateway and its datastores with the roles' own defaults where the inventory says nothing."""
    return options_of(values, roles, "datastores", "llm_gateway", "serving")


def check_gateway(options: Options, around: Around, validator: Validator) -> dict[str, Options]:
    """The plan's entries `datastores` and `gateway`; what is wrong is added to the validator."""
    rules = _Rules(options, around, validator)
    rules.image()
    rules.prices()
    rules.fallbacks()
    rules.numbers()
    rules.config()
    return {"datastores": rules.datastores(), "gateway": rules.gateway()}


def version_of(image: str) -> tuple[int, int, int] | None:
    """The release that an image's tag names; nothing when the tag moves or there is none."""
    _name, _colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    found = _VERSION.search(tag)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


class _Rules:
    def __init__(self, options: Options, around: Around, validator: Validator) -> None:
        self.options = options
        self.around = around
        self.add = validator.add

    def image(self) -> None:
        image = self.options.get("llm_gateway_image") or ""
        version = version_of(image)
        if version is None:
            what = "has a tag that names no release, so that nobody knows what it holds"
            self.add("llm_gateway_image", image, what, f"use a tag such as {WANTED}; a digest may follow it")
            return
        text = ".".join(map(str, version))
        if version in DENIED:
            self.add("llm_gateway_image", image, f"is LiteLLM {text}, a compromised release", f"use {WANTED}")
        elif version < FLOOR or version[2] < FIXED_IN.get(version[:2], 0):
            what = f"is LiteLLM {text}, in which GHSA-7hp6-4w63-5g45 is open"
            self.add("llm_gateway_image", image, what, f"use {WANTED} or another release after 2026-10-24")

    def prices(self) -> None:
        for index, model in enumerate(self.around.models):
            for key in ("input_per_token", "output_per_token"):
                if not (model.get("price") or {}).get(key):
                    what = "is missing: what costs nothing is counted against no budget"
                    fix = "set both prices in dollars per token, such as 0.0000002"
                    self.add(f"llm_models[{index}].price.{key}", None, what, fix)

    def fallbacks(self) -> None:
        served = [model["served_name"] for model in self.around.models]
        prices = {model["served_name"]: model.get("price") or {} for model in self.around.models}
        for index, entry in enumerate(self.options.get("llm_gateway_fallbacks") or []):
            path = f"llm_gateway_fallbacks[{index}]"
            origin = entry.get("model")
            named = [("model", origin), *((f"to[{number}]", name) for number, name in enumerate(entry.get("to") or []))]
            for key, name in named:
                if name is not None and name not in served:
                    known = ", ".join(served) or "none"
                    self.add(f"{path}.{key}", name, "is no served_name in llm_models", f"known: {known}")
                elif key != "model" and name == origin:
                    self.add(f"{path}.{key}", name, "falls back to itself", "name another model")
                elif key != "model" and origin in prices and _dearer(prices[name], prices[origin]):
                    what = f"costs more than {origin}, for which the budget was reserved"
                    self.add(f"{path}.{key}", name, what, "name a model that is not dearer")

    def numbers(self) -> None:
        ranges = {
            "llm_gateway_replicas": (0, MAX_REPLICAS),
            "llm_gateway_workers": (1, 64),
            "llm_gateway_key_cache_seconds": (1, 300),
            "llm_gateway_spend_flush_seconds": (1, 60),
            "llm_gateway_budget_reset_seconds": (5, 3600),
            "llm_gateway_database_connections": (1, 1000),
            "llm_gateway_request_timeout": (1, 3600),
            "llm_gateway_stream_timeout": (1, 3600),
            "llm_gateway_retries": (0, 10),
            "llm_gateway_startup_seconds": (10, 3600),
            "datastores_database_connections": (10, 10000),
            "datastores_database_instances": (0, MAX_INSTANCES),
        }
        for name, (low, high) in ranges.items():
            value = self.options.get(name)
            if value is not None and not low <= value <= high:
                self.add(name, value, "is out of range", f"use at least {low} and at most {high}")

    def config(self) -> None:
        for section, value in (self.options.get("llm_gateway_config") or {}).items():
            path = f"llm_gateway_config.{section}"
            if section in _FORBIDDEN:
                self.add(path, "(hidden)", "comes from the inventory's models and Secrets", "remove it")
            elif section in LOCKED:
                if not isinstance(value, dict):
                    self.add(path, value, "is no dict", "write options below it")
                    continue
                callbacks = value.get("callbacks")
                if section == "litellm_settings" and callbacks is not None and not isinstance(callbacks, list):
                    # A list is appended to ours; anything else would take the guard's place.
                    self.add(f"{path}.callbacks", callbacks, "is no list", "write a list; it is added to our callbacks")
                for key in sorted(LOCKED[section] & set(value)):
                    what = "holds budgets and keys, and is not for llm_gateway_config"
                    self.add(f"{path}.{key}", "(hidden)", what, "remove it; see the options llm_gateway_*")

    def gateway(self) -> Options:
        replicas = self.options.get("llm_gateway_replicas") or (2 if self.around.tier == "prod" else 1)
        return {
            "namespace": self.options.get("llm_gateway_namespace"),
            "serving_namespace": self.options.get("serving_namespace"),
            "replicas": replicas,
            "image": self.options.get("llm_gateway_image"),
        }

    def datastores(self) -> Options:
        return {
            "namespace": self.options.get("llm_gateway_namespace"),
            "database": self._database(),
            "redis": self._redis(),
        }

    def _database(self) -> Options:
        name = self.options.get("datastores_database_name") or ""
        if not _DATABASE.fullmatch(name):
            self.add("datastores_database_name", name, "is no database's name", "use a-z, 0-9 and _")
        kind = self.options.get("datastores_database") or _DEFAULT_DATABASE.get(self.around.tier, "statefulset")
        if kind == "cnpg" and self.around.substrate == "local":
            what = "needs the operator CloudNativePG, which the local cluster does not have"
            self.add("datastores_database", kind, what, "use statefulset or external")
        elif kind == "cnpg" and not self.around.features.get("cloudnative_pg"):
            what = "needs the operator CloudNativePG on the cluster, and llm_features does not have it"
            fix = "install it and set llm_features.cloudnative_pg: true, or use statefulset or external"
            self.add("datastores_database", kind, what, fix)
        database: Options = {
            "kind": kind,
            "name": name,
            "secret": "litellm-pg-app",
            "port": 5432,
            "sslmode": "",
            "cidrs": [],
        }
        if kind == "external":
            return {**database, "instances": 0, "pods": {}, **self._external("datastores_database_external")}
        if kind == "cnpg":
            instances = self.options.get("datastores_database_instances") or (3 if self.around.tier == "prod" else 1)
            pods = {"cnpg.io/cluster": "postgresql"}
            return {**database, "instances": instances, "pods": pods, "host": "postgresql-rw", "sslmode": "require"}
        pods = {"app.kubernetes.io/name": "postgresql"}
        return {**database, "instances": 1, "pods": pods, "host": "postgresql"}

    def _redis(self) -> Options:
        kind = self.options.get("datastores_redis") or "single"
        redis: Options = {"kind": kind, "secret": "litellm-redis", "port": 6379, "tls": False, "cidrs": []}
        if kind == "external":
            return {**redis, "pods": {}, **self._external("datastores_redis_external")}
        if self.around.tier == "prod" and not self.options.get("datastores_accept_single_redis"):
            what = "is one Redis: while it restarts, every budgeted request is refused"
            fix = "use external with a replicated one, or accept it with datastores_accept_single_redis: true"
            self.add("datastores_redis", kind, what, fix)
        return {**redis, "pods": {"app.kubernetes.io/name": "redis"}, "host": "redis"}

    def _external(self, name: str) -> Options:
        given = {key: value for key, value in (self.options.get(name) or {}).items() if value is not None}
        host = given.get("host") or ""
        if not _HOST.fullmatch(host):
            what = "is required" if not host else "is no host name or address"
            self.add(f"{name}.host", host or None, what, "name the server, such as db.example.com")
        port = given.get("port")
        if port is not None and not 1 <= port <= 65535:
            self.add(f"{name}.port", port, "is no port", "use 1 to 65535")
        cidrs = given.get("cidrs") or []
        if not cidrs:
            fix = "list the server's networks, such as 10.20.0.0/24"
            self.add(f"{name}.cidrs", None, "is required: NetworkPolicies let the gateway out by address only", fix)
        for index, cidr in enumerate(cidrs):
            try:
                ipaddress.ip_network(cidr)
            except ValueError:
                self.add(f"{name}.cidrs[{index}]", cidr, "is no network", "write address/prefix, such as 10.20.0.0/24")
        return given


def _dearer(price: Mapping[str, float], than: Mapping[str, float]) -> bool:
    return any((price.get(key) or 0) > (than.get(key) or 0) for key in ("input_per_token", "output_per_token"))
