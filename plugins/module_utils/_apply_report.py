# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Turns outcomes into a module's result: references, who was overruled, diff. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._compare import owned_view
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import dump

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_one import Outcome
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object, Ref

HIDDEN = "********"
HIDDEN_NEW = "******** (changed)"
LISTS: t.Final = ("created", "changed", "unchanged", "would_create", "pruned", "kept")


@dataclass
class Report:
    """Collected while a run goes on."""

    outcomes: list[Outcome] = field(default_factory=list)
    pruned: list[tuple[Ref, Object]] = field(default_factory=list)
    kept: list[Ref] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    written: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.pruned) or any(
            outcome.action in ("created", "changed", "would_create") for outcome in self.outcomes
        )

    def objects(self) -> dict[str, list[str]]:
        lists: dict[str, list[str]] = {name: [] for name in LISTS}
        for outcome in self.outcomes:
            if outcome.action in lists:
                lists[outcome.action].append(outcome.desired.ref.text)
        lists["pruned"] = [ref.text for ref, _live in self.pruned]
        lists["kept"] = [ref.text for ref in self.kept]
        return {name: sorted(texts) for name, texts in lists.items()}

    def taken_back(self) -> list[dict[str, str]]:
        return [
            {"ref": outcome.desired.ref.text, "path": taken.path, "manager": taken.manager, "time": taken.time}
            for outcome in self.outcomes
            for taken in outcome.taken
        ]

    def not_validated(self) -> list[dict[str, str]]:
        return [
            {"ref": outcome.desired.ref.text, "reason": outcome.not_validated}
            for outcome in self.outcomes
            if outcome.not_validated
        ]

    def diff(self) -> list[dict[str, str]]:
        entries = [
            _entry(outcome) for outcome in self.outcomes if outcome.action in ("created", "changed", "would_create")
        ]
        for ref, live in self.pruned:
            before, _after = masked(owned_view({}, live), None)
            entries.append(_texts(f"{ref} (no longer in the tree)", before, None))
        return entries


def _entry(outcome: Outcome) -> dict[str, str]:
    desired = outcome.desired.object
    before = owned_view(desired, outcome.before) if outcome.before is not None else None
    after = owned_view(desired, outcome.live) if outcome.live is not None else desired
    return _texts(f"{outcome.desired.ref} ({outcome.desired.file})", *masked(before, after))


def _texts(header: str, before: Object | None, after: Object | None) -> dict[str, str]:
    return {
        "before_header": header,
        "after_header": header,
        "before": dump(before) if before is not None else "",
        "after": dump(after) if after is not None else "",
    }


def masked(before: Object | None, after: Object | None) -> tuple[Object | None, Object | None]:
    """A Secret's values never show; that one changes does."""
    kinds = {(obj["apiVersion"], obj["kind"]) for obj in (before, after) if obj}
    if kinds != {("v1", "Secret")}:
        return before, after
    old, new = (before or {}).get("data") or {}, (after or {}).get("data") or {}
    hidden_old = dict.fromkeys(old, HIDDEN)
    hidden_new = {
        name: HIDDEN if before is None or old.get(name) == value else HIDDEN_NEW for name, value in new.items()
    }
    return (
        {**before, "data": hidden_old} if before and "data" in before else before,
        {**after, "data": hidden_new} if after and "data" in after else after,
    )
