# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads spans of time such as 12h, 30d or 1mo, within what LiteLLM counts correctly. Private to the collection."""

from __future__ import annotations

import re
import typing as t

_SECONDS: t.Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([1-9][0-9]{0,9})(mo|[smhdw])", re.ASCII)
_DAY = _SECONDS["d"]
_YEAR = 366 * _DAY
_MONTH = 30 * _DAY


class DurationError(Exception):
    """The text is no span of time that can be used here."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def lifetime_seconds(text: str) -> int:
    """How long something lasts from now on; a month has no length of its own and is refused."""
    amount, unit = _read(text, "write a whole number and s, m, h, d or w, such as 30d")
    if unit == "mo":
        raise DurationError("counts in months, which differ in length", "write days, such as 30d")
    seconds = amount * _SECONDS[unit]
    if seconds > 10 * _YEAR:
        raise DurationError("is longer than ten years", "write a shorter one, such as 30d")
    return seconds


def period_seconds(text: str) -> int:
    """The length of a budget's period, for comparisons; LiteLLM turns others than these at wrong times."""
    amount, unit = _read(text, "write a whole number and s, m, h, d or w, or 1mo, such as 30d")
    if unit == "mo":
        if amount != 1:
            raise DurationError("is more than one month, and LiteLLM knows only 1mo", "write 1mo, or days such as 90d")
        return _MONTH
    seconds = amount * _SECONDS[unit]
    # It takes hours, minutes and seconds modulo a day: 48h would begin anew every day.
    if unit in "smh" and seconds > _DAY:
        raise DurationError(f"is more than a day in {unit}, which LiteLLM cuts to a day", "write days, such as 7d")
    if seconds > _YEAR:
        raise DurationError("is longer than a year", "write a shorter one, such as 30d")
    return seconds


def _read(text: str, fix: str) -> tuple[int, str]:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise DurationError("is no span of time", fix)
    return int(match[1]), match[2]
