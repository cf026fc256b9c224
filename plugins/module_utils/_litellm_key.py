# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys of LiteLLM and the Secrets that hold them, brought to what is declared. Private to the collection."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLM, LiteLLMError, Row, parallel
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import is_ours, text
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_plan import RETIRES, Plan, Terms, plan_key
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_write import KeyWriter, revoke
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from datetime import timedelta

    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import Changes
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_input import Key
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import KeySecrets, Place

T = t.TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """What holds for all keys of a run."""

    environment: str
    base_url: str
    teams: frozenset[str]
    extra_keys: str = "block"
    longest: timedelta | None = None
    check_mode: bool = False


@dataclass(slots=True)
class KeyReport:
    """What was done, or would be."""

    keys: list[Row] = field(default_factory=list)
    extra: list[Row] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return any(item["action"] != "none" for item in (*self.keys, *self.extra))

    def steps(self) -> dict[str, tuple[str, Changes]]:
        """For the diff: what changed, by name."""
        found: dict[str, tuple[str, Changes]] = {
            f"{item['team']}/{item['name']}": (item["action"], item["changes"]) for item in self.keys
        }
        for item in self.extra:
            name = item.get("secret") or f"{item['team']}: {item['alias'] or item['token_hash']} (not declared)"
            works = {"works": {"before": True, "after": False}}
            found[name] = (item["action"], works)
        return found


def reconcile_keys(llm: LiteLLM | None, secrets: KeySecrets, keys: t.Sequence[Key], options: KeyOptions) -> KeyReport:
    """Read all once, then write what differs. Without a gateway (check mode before the first run) nothing is there."""
    return _Keys(llm, secrets, options).reconcile(keys)


class _Keys:
    """One reading of LiteLLM and Secrets, and the writes that follow from it."""

    def __init__(self, llm: LiteLLM | None, secrets: KeySecrets, options: KeyOptions) -> None:
        self._llm = llm
        self._secrets = secrets
        self._options = options

    def reconcile(self, keys: t.Sequence[Key]) -> KeyReport:
        options, report = self._options, KeyReport()
        rows = self._llm.keys() if self._llm else []
        # The gateway's clock is known from its answers.
        terms = Terms(self._llm.now() if self._llm else datetime.now(UTC), options.longest)
        self._secrets.read([key.place for key in keys])
        rows = [*rows, *self._missed(keys, {str(row["token"]) for row in rows})]
        plans = self._plan(keys, rows, terms)
        extra = self._extra(rows, plans)
        orphans = self._orphans(keys) if options.extra_keys == "delete" else []
        if self._llm and not options.check_mode:
            self._need_teams(self._llm, plans)
            writer = KeyWriter(self._llm, self._secrets, options.base_url)
            report.errors = [
                *_all(writer.carry_out, [plan for plan in plans if plan.action != "none"]),
                *_all(partial(self._end_extra, self._llm), extra),
                *_all(self._secrets.delete, orphans),
            ]
        report.keys = [self._result(plan, terms) for plan in plans]
        action = "deleted" if options.extra_keys == "delete" else "blocked"
        report.extra = [
            *({**_shown(row), "action": action} for row in extra),
            *({"secret": "/".join(place), "action": "deleted"} for place in orphans),
        ]
        return report

    def _missed(self, keys: t.Sequence[Key], seen: t.Container[str]) -> list[Row]:
        """Keys that Secrets hold and the list lacks are asked for: to replace one that works would be an outage."""
        held = [self._secrets.get(key.place) for key in keys if key.lives]
        unseen = [item.token for item in held if item and item.value and item.token not in seen]
        return [row for row in parallel(self._llm.key, unseen) if row] if self._llm else []

    def _plan(self, keys: t.Sequence[Key], rows: t.Sequence[Row], terms: Terms) -> list[Plan]:
        by_token = {str(row["token"]): row for row in rows}
        siblings: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            if is_ours(row, self._options.environment):
                siblings[(str(row["team_id"]), str(row["metadata"].get("key")))].append(row)
        plans, problems = [], []
        for key in keys:
            held = self._secrets.get(key.place)
            try:
                if held and not held.ours and key.lives:
                    place = "/".join(key.place)
                    raise LiteLLMError(f"{key.path}.secret = {place!r}: exists and was not made here; name another one")
                plan = plan_key(key, held, by_token, siblings[(key.team, key.name)], terms)
            except LiteLLMError as exc:
                problems.append(str(exc))
                continue
            self._see_secret(plan)
            plans.append(plan)
        if problems:
            raise LiteLLMError("\n".join(problems))
        return plans

    def _see_secret(self, plan: Plan) -> None:
        held = self._secrets.get(plan.key.place)
        if held and plan.current and not plan.replace and not plan.promote:
            found = self._secrets.drift(plan.key, held, self._options.base_url)
            plan.changes |= found
            if found and plan.action in ("none", "blocked"):
                plan.action = "updated"

    def _extra(self, rows: t.Sequence[Row], plans: t.Sequence[Plan]) -> list[Row]:
        """Keys in our teams that are not declared, and still work."""
        if self._options.extra_keys == "keep":
            return []
        known = {token for plan in plans for token in plan.touched}
        names = {(plan.key.team, plan.key.name) for plan in plans}
        teams = self._options.teams | {plan.key.team for plan in plans}
        return [
            row
            for row in rows
            if row.get("team_id") in teams
            and str(row["token"]) not in known
            and not (self._options.extra_keys == "block" and row.get("blocked"))
            and not (
                # a value of ours that ends by itself, or has
                is_ours(row, self._options.environment)
                and row["metadata"].get(RETIRES)
                and (row["team_id"], row["metadata"].get("key")) in names
            )
        ]

    def _orphans(self, keys: t.Sequence[Key]) -> list[Place]:
        declared = {key.place for key in keys}
        teams = self._options.teams | {key.team for key in keys}
        return [place for place, held in self._secrets.of_teams(teams) if held.ours and place not in declared]

    def _need_teams(self, llm: LiteLLM, plans: t.Sequence[Plan]) -> None:
        """LiteLLM makes a key for a team that is not there, and then nothing limits it."""
        needed = {plan.key.team: plan.key.path for plan in plans if plan.replace}
        missing = needed.keys() - {str(row["team_id"]) for row in llm.teams()} if needed else set()
        if missing:
            listed = ", ".join(f"{needed[team]}.team = {team!r}" for team in sorted(missing))
            raise LiteLLMError(f"{listed}: no such team in LiteLLM; make it with litellm_team first")

    def _end_extra(self, llm: LiteLLM, row: Row) -> None:
        if self._options.extra_keys == "delete":
            revoke(llm, [row])
        else:
            llm.checked("POST", "/key/block", {"key": row["token"]}, repeatable=True)

    def _result(self, plan: Plan, terms: Terms) -> Row:
        row = plan.current or {}
        return {
            "team": plan.key.team,
            "name": plan.key.name,
            "state": plan.key.state,
            "action": plan.action,
            "reason": plan.reason,
            "changes": plan.changes,
            "alias": row.get("key_alias", ""),
            "token_hash": row.get("token", ""),
            "expires": text(plan.expires),
            "expired": bool(plan.expires and plan.expires <= terms.now),
            "secret": {"namespace": plan.key.namespace, "name": plan.key.secret},
        }


def _shown(row: Row) -> Row:
    return {
        "team": row.get("team_id"),
        "alias": row.get("key_alias") or "",
        "token_hash": row["token"],
        "created_at": row.get("created_at"),
        "created_by": row.get("created_by"),
    }


def _all(step: t.Callable[[T], None], items: t.Iterable[T]) -> list[str]:  # noqa: UP047 - as Query of _transport
    """Many at a time; what fails does not stop the others, and is said."""

    def caught(item: T) -> str:
        try:
            step(item)
        except (LiteLLMError, KubeError) as exc:
            return str(exc)
        return ""

    return [error for error in parallel(caught, items) if error]
