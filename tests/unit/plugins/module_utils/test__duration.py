# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._duration import (
    DurationError,
    lifetime_seconds,
    period_seconds,
)

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("90m", 5400), ("24h", DAY), ("1d", DAY), ("30d", 30 * DAY), ("2w", 14 * DAY)]
)
def test_spans_of_one_length_are_read_the_same_everywhere(text: str, seconds: int) -> None:
    assert lifetime_seconds(text) == period_seconds(text) == seconds


def test_a_month_is_a_period_and_no_lifetime() -> None:
    assert period_seconds("1mo") == 30 * DAY
    with pytest.raises(DurationError, match="differ in length"):
        lifetime_seconds("1mo")


@pytest.mark.parametrize(
    "text", ["", "0d", "-1d", "1.5h", "d", "30", "30 d", "1d\n", "1y", "\u0661d", "1D", "99999999999s"]
)
def test_anything_else_is_no_span(text: str) -> None:
    for read in (lifetime_seconds, period_seconds):
        with pytest.raises(DurationError, match="is no span of time") as caught:
            read(text)
        assert "30d" in caught.value.fix


@pytest.mark.parametrize("text", ["25h", "1441m", "86401s"])
def test_hours_beyond_a_day_live_but_make_no_period(text: str) -> None:
    assert lifetime_seconds(text) > DAY
    with pytest.raises(DurationError, match="cuts to a day"):
        period_seconds(text)


@pytest.mark.parametrize(
    ("text", "read"), [("367d", period_seconds), ("2mo", period_seconds), ("9999d", lifetime_seconds)]
)
def test_too_long_is_refused(text: str, read: object) -> None:
    with pytest.raises(DurationError):
        read(text)  # type: ignore[operator]
