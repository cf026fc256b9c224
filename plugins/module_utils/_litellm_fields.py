# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a field of LiteLLM should be against what it is, whatever form LiteLLM gave it. Private to the collection."""

from __future__ import annotations

import math
import re
import typing as t
from datetime import UTC, datetime

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLMError, Row
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import PLATFORM

MANAGED_BY: t.Final = "managed_by"
ENVIRONMENT: t.Final = "environment"
# LiteLLM keeps this one when metadata is replaced, and refuses it from outside.
_SYSTEM_METADATA: t.Final = frozenset({"team_member_budget_id"})
_UNITS: t.Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NAME: t.Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PERIOD: t.Final = re.compile(r"[1-9][0-9]{0,6}(s|m|h|d|w|mo)")
# To these, LiteLLM gives rights or money that no list of ours shows.
RESERVED_MODELS: t.Final = frozenset({"all-proxy-models", "all-team-models", "no-default-models", "*"})

Changes = dict[str, dict[str, t.Any]]


class Problems:
    """Collects all that is wrong with a module's input, so that one run names everything."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, path: str, value: object, what: str, fix: str) -> None:
        self._found.append(f"{path} = {value!r}: {what}; {fix}")

    def stop(self) -> None:
        if self._found:
            raise LiteLLMError("; ".join(self._found) if len(self._found) == 1 else "\n".join(["", *self._found]))

    def name(self, path: str, value: str) -> None:
        if not _NAME.fullmatch(value):
            self.add(path, value, "is no DNS label", "use up to 63 of a-z, 0-9 and -, not at the ends")

    def budget(self, path: str, usd: float | None, period: str | None) -> None:
        if usd is not None and not (math.isfinite(usd) and usd > 0):
            self.add(f"{path}.budget_usd", usd, "is no budget", "give dollars above 0; to stop all use, block it")
        if period is not None and not _PERIOD.fullmatch(period):
            self.add(f"{path}.budget_period", period, "is no period", "write it like 30d, 24h or 1mo")

    def limit(self, path: str, value: int | None) -> None:
        # LiteLLM takes 0 for no limit in some places and for all refused in others.
        if value is not None and value < 1:
            self.add(path, value, "is no limit", "give 1 or more; to stop all use, block it")

    def models(self, path: str, names: t.Sequence[str]) -> None:
        for name in names:
            if name in RESERVED_MODELS or "*" in name or not name:
                self.add(path, name, "is not one model", "name each model that is allowed")


def seconds(duration: str) -> int:
    """`90s`, `15m`, `12h`, `30d` or `2w` in seconds."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", duration)
    if not found:
        raise ValueError(f"{duration!r} is no duration: write it like 90s, 15m, 12h, 30d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def moment(value: object) -> datetime | None:
    """A date of LiteLLM's or of a user's, in UTC."""
    if not value:
        return None
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def text(when: datetime | None) -> str | None:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if when else None


def mark(environment: str) -> Row:
    """The metadata by which we know our own."""
    return {MANAGED_BY: PLATFORM, ENVIRONMENT: environment}


def is_ours(row: Row, environment: str) -> bool:
    metadata = row.get("metadata") or {}
    return metadata.get(MANAGED_BY) == PLATFORM and metadata.get(ENVIRONMENT) == environment


def normal(field: str, value: t.Any) -> t.Any:
    """One form for what LiteLLM gives in many: nothing is None, sets are sorted, numbers are floats."""
    if field in {"blocked", "auto_rotate"}:
        return bool(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value)
    if field.endswith("_limit") or field == "max_parallel_requests":
        return float(value)  # PostgreSQL's bigint may come as text
    if field == "metadata":
        return {key: item for key, item in value.items() if key not in _SYSTEM_METADATA} or None
    if field == "object_permission":
        return {key: item for key, item in value.items() if item and key != "object_permission_id"} or None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(set(value)) or None
    return value or None


def changes(live: Row, wanted: Row) -> Changes:
    """Fields that differ, with both values, in the order of what is wanted."""
    found: Changes = {}
    for field, value in wanted.items():
        before, after = normal(field, live.get(field)), normal(field, value)
        if isinstance(before, float) and isinstance(after, float) and math.isclose(before, after, rel_tol=1e-9):
            continue
        if before != after:
            # As LiteLLM and the user write it: [] and null can mean opposite things.
            found[field] = {"before": live.get(field), "after": value}
    return found


def sides(items: t.Mapping[str, tuple[str, Changes]]) -> dict[str, t.Any]:
    """Ansible's diff of what changed, by name: fields before and after; what is new or gone has one side only."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for name, (action, found) in items.items():
        if action == "none":
            continue
        if action != "created":
            before[name] = {field: values["before"] for field, values in found.items()}
        if action != "deleted":
            after[name] = {field: values["after"] for field, values in found.items()}
        if action in ("rotated", "healed", "revoked"):
            before[name], after[name] = {**before[name], "value": "old"}, {**after[name], "value": action}
    return {"before": before, "after": after}
