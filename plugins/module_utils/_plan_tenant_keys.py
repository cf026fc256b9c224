# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for a tenant's keys: what a key may do ends where its tenant's rights end. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._duration import lifetime_seconds, period_seconds

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_tenants import TenantRules

Options = dict[str, t.Any]

# Seconds that the old value of a rotated key works beside the new one, unless the inventory says otherwise.
_OVERLAP = 86_400


class KeyRules:
    """Checks and completes one key of a tenant in place; the tenant itself is complete already."""

    def __init__(self, tenant: TenantRules, key: Options, path: str) -> None:
        self.rules = tenant
        self.tenant = tenant.tenant
        self.key = key
        self.path = path

    def run(self) -> None:
        name = self.key.get("name")
        self.rules.check_name(f"{self.path}.name", name)
        self.key["secret"] = f"llm-key-{name or ''}"
        allowed = self.tenant["models"]
        self.key["models"] = self.rules.models(f"{self.path}.models", self.key.get("models"), allowed)
        self.limits()
        self.budget()
        self.lifetime()

    def limits(self) -> None:
        self.rules.limits(f"{self.path}.limits", self.key, ("rpm", "tpm", "parallel"))
        most = {**self.tenant["limits"], "parallel": self.tenant["policy"].get("max_key_parallel")}
        limits = self.key["limits"]
        for name, value in limits.items():
            allowed = most.get(name)
            if value is not None and allowed is not None and value > allowed:
                fix = f"lower it to {allowed}, or raise the tenant's"
                self.rules.wrong(
                    f"{self.path}.limits.{name}", value, f"is more than the tenant's limit, {allowed}", fix
                )
        limits["parallel"] = limits["parallel"] or most["parallel"]

    def budget(self) -> None:
        path = f"{self.path}.budget"
        budget, whole = self.rules.budget(path, self.key.get("budget")), self.tenant["budget"]
        self.key["budget"] = budget
        if whole["usd"] is None or self.rules.refused(path):
            return
        if budget["usd"] is None:
            usual = self.tenant["policy"].get("key_budget_usd") or whole["usd"]
            self.key["budget"] = {"usd": min(usual, whole["usd"]), "period": whole["period"]}
            return
        # Over a longer period the tenant's budget begins anew so many times.
        times = max(1.0, period_seconds(budget["period"]) / period_seconds(whole["period"]))
        most = whole["usd"] * times
        if budget["usd"] > most:
            what = f"is more than the tenant's budget, {whole['usd']:g} per {whole['period']}"
            self.rules.wrong(f"{path}.usd", budget["usd"], what, f"use at most {most:g}, or raise the tenant's")

    def lifetime(self) -> None:
        longest = self.tenant["policy"].get("max_key_lifetime")
        given = self.key.get("expires")
        self.key["expires"] = given or longest
        seconds = 0
        if self.key["expires"]:
            seconds = self.rules.duration(f"{self.path}.expires", self.key["expires"], lifetime_seconds) or 0
        if longest is None or self.rules.refused("policy.max_key_lifetime"):
            return
        if seconds > lifetime_seconds(longest):
            fix = f"use at most {longest}, or raise policy.max_key_lifetime"
            self.rules.wrong(f"{self.path}.expires", given, f"outlives the tenant's policy, {longest}", fix)
        elif seconds:
            self.rotation(seconds)

    def rotation(self, lifetime: int) -> None:
        """A value is replaced before it expires: whoever runs the playbook now and then never meets a dead key."""
        given, path = self.key.get("rotate") or {}, f"{self.path}.rotate"
        generation = given.get("generation") or 1
        self.rules.count(f"{path}.generation", given.get("generation"))
        after, overlap = self.span("after", given, lifetime * 2 // 3), self.span("overlap", given, lifetime // 10)
        if given.get("overlap") is None:
            overlap = min(overlap, _OVERLAP)
        if after >= lifetime > 1:
            what = f"is not before the key expires, {self.key['expires']}"
            self.rules.wrong(f"{path}.after", given["after"], what, "use a shorter span, or a longer expires")
        elif overlap >= after > 0 and not self.rules.refused(path):
            what = "is not shorter than the age at which a new value is made"
            self.rules.wrong(f"{path}.overlap", given.get("overlap"), what, "use a shorter span, such as 1h")
        self.key["rotate"] = {"generation": generation, "after": f"{after}s", "overlap_seconds": overlap}

    def span(self, name: str, given: Options, default: int) -> int:
        text = given.get(name)
        return self.rules.duration(f"{self.path}.rotate.{name}", text, lifetime_seconds) or 0 if text else default
