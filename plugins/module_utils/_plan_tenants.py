# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules between the options of tenants, and what follows from them for each key. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._duration import (
    DurationError,
    lifetime_seconds,
    period_seconds,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_models import NAME_LENGTH
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_tenant_keys import KeyRules
from ansible_collections.wmx.llm_platform.plugins.module_utils._quantity import QuantityError, parse_quantity
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import DNS_LABEL, Validator

if t.TYPE_CHECKING:
    from collections.abc import Callable


Tenant = dict[str, t.Any]
Options = dict[str, t.Any]

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_SYSTEM = frozenset({"default"})
_MAXIMUM = 2_000_000_000
_MOST_DOLLARS = 1e9


@dataclass(frozen=True)
class Surroundings:
    """What tenants depend on: served names by model, namespaces that are taken, and whether a gateway is planned."""

    models: t.Mapping[str, str] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    # Models that were refused are not in `models`, and a tenant that names one is not to blame.
    models_known: bool = True
    gateway: bool = True
    profile: str = ""


def check_tenants(
    tenants: list[Tenant], delete: list[Options], around: Surroundings, validator: Validator
) -> tuple[list[Tenant], list[Options]]:
    """The tenants with every key present, and the former ones to delete; refused entries are left out."""
    if (tenants or delete) and not around.gateway:
        name, value = ("llm_tenants", tenants) if tenants else ("llm_tenants_delete", delete)
        what = f"needs the LLM gateway, which llm_profile: {around.profile} does not have"
        validator.add(name, [entry.get("name") for entry in value if entry], what, "set llm_profile: llm_gateway")
        return [], []
    for index, tenant in enumerate(tenants):
        if tenant:
            TenantRules(tenant, f"llm_tenants[{index}]", around, validator).run()
    for key in ("name", "namespace"):
        unique(tenants, key, "llm_tenants", validator, "give each tenant its own")
    _check_delete(tenants, delete, around, validator)
    return [tenant for tenant in tenants if tenant], [entry for entry in delete if entry]


def unique(entries: list[t.Any], key: str, path: str, validator: Validator, fix: str) -> None:
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        value = entry.get(key) if entry else None
        if not value:
            continue
        if value not in seen:
            seen[value] = index
        # Two equal names give two equal namespaces: one line is enough.
        elif key == "name" or entry.get("name") != entries[seen[value]].get("name"):
            validator.add(f"{path}[{index}].{key}", value, f"is the {key} of {path}[{seen[value]}] too", fix)


def _check_delete(tenants: list[Tenant], delete: list[Options], around: Surroundings, validator: Validator) -> None:
    names = {tenant["name"]: index for index, tenant in enumerate(tenants) if tenant and tenant.get("name")}
    namespaces = {tenant["namespace"]: tenant["name"] for tenant in tenants if tenant}
    for index, entry in enumerate(delete):
        if not entry:
            continue
        path, name = f"llm_tenants_delete[{index}]", entry.get("name")
        _check_name(f"{path}.name", name, validator)
        entry["namespace"] = entry.get("namespace") or f"tenant-{name or ''}"
        if name in names:
            fix = "remove it here, or the tenant from llm_tenants"
            validator.add(f"{path}.name", name, f"is llm_tenants[{names[name]}], which still exists", fix)
        elif entry["namespace"] in namespaces:
            what = f"is the namespace of tenant {namespaces[entry['namespace']]}"
            validator.add(f"{path}.namespace", entry["namespace"], what, "name the namespace that this tenant had")
        else:
            _check_namespace(f"{path}.namespace", entry["namespace"], around, validator)
    unique(delete, "name", "llm_tenants_delete", validator, "name it once")


def _check_name(path: str, name: str | None, validator: Validator) -> None:
    if name is not None and (not _NAME.fullmatch(name) or len(name) > NAME_LENGTH):
        what = f"is no DNS label of at most {NAME_LENGTH} characters that starts with a letter"
        validator.add(path, name, what, "use a-z, 0-9 and -, such as team-red")


def _check_namespace(path: str, namespace: str, around: Surroundings, validator: Validator) -> None:
    fix = "remove it, or choose a namespace of the tenant's own"
    if any(problem.path == path.replace(".namespace", ".name") for problem in validator.problems):
        return  # the namespace follows from a name that was refused
    if not DNS_LABEL.fullmatch(namespace):
        validator.add(path, namespace, "is no namespace's name", "use a-z, 0-9 and -, at most 63 characters")
    elif namespace in _SYSTEM or namespace.startswith("kube-"):
        validator.add(path, namespace, "belongs to Kubernetes", fix)
    elif namespace in around.namespaces:
        validator.add(path, namespace, "belongs to the platform itself", fix)


class TenantRules:
    """Checks and completes one entry in place."""

    def __init__(self, tenant: Tenant, path: str, around: Surroundings, validator: Validator) -> None:
        self.tenant = tenant
        self.path = path
        self.around = around
        self.validator = validator

    def run(self) -> None:
        name = self.tenant.get("name")
        _check_name(f"{self.path}.name", name, self.validator)
        self.tenant["namespace"] = self.tenant.get("namespace") or f"tenant-{name or ''}"
        _check_namespace(f"{self.path}.namespace", self.tenant["namespace"], self.around, self.validator)
        self.tenant["budget"] = self.budget("budget", self.tenant.get("budget"), required=True)
        self.tenant["models"] = self.models("models", self.tenant.get("models"), None)
        self.limits("limits", self.tenant, ("rpm", "tpm"))
        self.policy()
        self.quota()
        self.admins()
        self.keys()

    def check_name(self, key: str, name: str | None) -> None:
        _check_name(f"{self.path}.{key}", name, self.validator)

    def wrong(self, key: str, value: object, what: str, fix: str) -> None:
        self.validator.add(f"{self.path}.{key}", value, what, fix)

    def refused(self, key: str) -> bool:
        return any(problem.path.startswith(f"{self.path}.{key}") for problem in self.validator.problems)

    def budget(self, key: str, given: Options | None, *, required: bool = False) -> Options:
        """Dollars and period; both None where none was given or it was refused."""
        usd, period = (given or {}).get("usd"), (given or {}).get("period")
        if self.refused(key):
            return {"usd": None, "period": None}
        if usd is None and period is None:
            if required:
                fix = "set budget.usd and budget.period, such as 50 and 30d"
                self.wrong(key, None, "is required: without it a tenant could spend without end", fix)
        elif usd is None:
            self.wrong(f"{key}.usd", None, f"is missing beside {key}.period", "set both")
        elif period is None:
            self.wrong(f"{key}.period", None, f"is missing beside {key}.usd", "set both, such as period: 30d")
        if usd is not None and not 0 < usd <= _MOST_DOLLARS:
            self.wrong(f"{key}.usd", usd, "is out of range", "write dollars, more than 0 and at most 1e9")
        if period is not None:
            self.duration(f"{key}.period", period, period_seconds)
        return {"usd": None, "period": None} if self.refused(key) else {"usd": usd, "period": period}

    def duration(self, key: str, text: str, read: Callable[[str], int]) -> int | None:
        try:
            return read(text)
        except DurationError as exc:
            self.wrong(key, text, str(exc), exc.fix)
            return None

    def models(self, key: str, given: list[str | None] | None, allowed: list[str] | None) -> list[str]:
        """All that may be used where none are named: to LiteLLM an empty list means every model, now and later."""
        known = self.around.models
        if not given:
            if allowed is None and not known and self.around.models_known:
                self.wrong(key, given, "cannot name a model, and llm_models is empty", "add a model to llm_models")
            return list(known) if allowed is None else list(allowed)
        for index, name in enumerate(given):
            if name is None:
                continue
            if name not in known:
                if self.around.models_known:
                    fix = f"choose one of: {', '.join(known)}" if known else "add it to llm_models"
                    self.wrong(f"{key}[{index}]", name, "is no name in llm_models", fix)
            elif allowed is not None and name not in allowed:
                fix = f"choose one of: {', '.join(allowed)}, or add it to the tenant's models"
                self.wrong(f"{key}[{index}]", name, "is no model that the tenant may use", fix)
            elif name in given[:index]:
                self.wrong(f"{key}[{index}]", name, "is there twice", "name it once")
        return [name for name in given if name is not None]

    def limits(self, key: str, owner: Options, names: tuple[str, ...]) -> None:
        owner["limits"] = {name: (owner.get("limits") or {}).get(name) for name in names}
        for name, value in owner["limits"].items():
            self.count(f"{key}.{name}", value)

    def count(self, key: str, value: int | None) -> None:
        if value is not None and not 1 <= value <= _MAXIMUM:
            self.wrong(key, value, "is out of range", "use at least 1, or leave it out")

    def policy(self) -> None:
        self.tenant["policy"] = policy = self.tenant.get("policy") or {}
        lifetime, dollars = policy.get("max_key_lifetime"), policy.get("key_budget_usd")
        if lifetime is not None:
            self.duration("policy.max_key_lifetime", lifetime, lifetime_seconds)
        if dollars is not None and not 0 < dollars <= _MOST_DOLLARS:
            self.wrong("policy.key_budget_usd", dollars, "is out of range", "write dollars, more than 0")
        self.count("policy.max_key_parallel", policy.get("max_key_parallel"))

    def quota(self) -> None:
        self.tenant["quota"] = quota = self.tenant.get("quota") or {}
        for name in ("cpu", "memory", "storage"):
            text = quota.get(name)
            if text is None:
                continue
            try:
                parse_quantity(text)
            except QuantityError as exc:
                self.wrong(f"quota.{name}", text, str(exc), "write a quantity such as 500m, 2 or 4Gi")
        for name in ("gpu", "pods"):
            amount = quota.get(name)
            if amount is not None and not 0 <= amount <= 100_000:
                self.wrong(f"quota.{name}", amount, "is out of range", "use at least 0 and at most 100000")

    def admins(self) -> None:
        self.tenant["admins"] = [admin for admin in self.tenant.get("admins") or [] if admin]
        seen: set[tuple[str, str]] = set()
        for index, admin in enumerate(self.tenant["admins"]):
            name, pair = admin.get("name"), (admin.get("kind") or "", admin.get("name") or "")
            if name is None:
                continue
            if not name.strip() or len(name) > 253:
                fix = "write it as the cluster's authentication gives it, at most 253 characters"
                self.wrong(f"admins[{index}].name", name, "is no name of a user or group", fix)
            # Everybody, or those who rule the cluster anyway: certainly not meant as one tenant's admins.
            elif name.startswith("system:"):
                fix = "name the tenant's own users or groups"
                self.wrong(f"admins[{index}].name", name, "is a name that Kubernetes keeps for itself", fix)
            elif pair in seen:
                self.wrong(f"admins[{index}].name", name, "is there twice", "name it once")
            seen.add(pair)

    def keys(self) -> None:
        keys = [key for key in self.tenant.get("keys") or [] if key]
        self.tenant["keys"] = keys
        for index, key in enumerate(keys):
            KeyRules(self, key, f"keys[{index}]").run()
        unique(keys, "name", f"{self.path}.keys", self.validator, "give each key of a tenant its own")
        served = self.around.models
        for owner in (self.tenant, *keys):
            owner["served_models"] = [served[name] for name in owner["models"] if name in served]
