# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Exceptions from rules: data with an owner and a reason. Private to the collection."""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that does not hold where `pattern` matches; it needs someone who answers for it."""

    rule: str
    pattern: str
    owner: str
    reason: str

    def excuses(self, rule: str, name: str) -> bool:
        return self.rule == rule and fnmatch.fnmatchcase(name, self.pattern)


def first_excuse(waivers: Iterable[Waiver], rule: str, name: str) -> Waiver | None:
    return next((waiver for waiver in waivers if waiver.excuses(rule, name)), None)


def waivers_of(
    data: Iterable[Mapping[str, t.Any]], about: str, rules: Iterable[str], path: str, error: type[Exception]
) -> list[Waiver]:
    """Exceptions as the inventory writes them, `about` images or objects; `error` names the one that is incomplete."""
    names = sorted(rules)
    waivers = []
    for index, entry in enumerate(data):
        values = {key: str(entry.get(key) or "").strip() for key in ("rule", about, "owner", "reason")}
        missing = [key for key, value in values.items() if not value]
        if missing:
            fix = f"every exception names rule, {about}, owner and reason"
            raise error(f"{path}[{index}] lacks {', '.join(missing)}; {fix}")
        if values["rule"] not in names:
            raise error(f"{path}[{index}].rule = {values['rule']}: is no rule; choose one of {', '.join(names)}")
        waivers.append(Waiver(values["rule"], values[about], values["owner"], values["reason"]))
    return waivers
