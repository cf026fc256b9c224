# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The same arrivals stay together on both sides, and a load that was not sent as planned is none."""

from __future__ import annotations

import typing as t

import pytest

from tests.bench._ground import GroundError
from tests.bench.picker import check_sent, paired_blocks

if t.TYPE_CHECKING:
    from tests.bench._arrivals import Arrival


def plans() -> list[list[Arrival]]:
    from tests.bench._arrivals import plan

    return [plan(seed, 5.0, 22.0) for seed in (1, 2)]


def rows(arrivals: list[Arrival], factor: float, late: float = 0.0) -> list[tuple[float, float, float]]:
    """To the first token and to the end, and how late it was sent: told by the arrival's place."""
    return [(factor * place, factor * place + 1, late) for place in range(1, len(arrivals) + 1)]


def test_blocks_hold_the_same_arrivals_of_both_sides() -> None:
    planned = plans()
    pairs = [{"picker": rows(plan, 1.0), "in turn": rows(plan, 2.0)} for plan in planned]
    made = paired_blocks(pairs, planned)
    assert len(made) == 8
    assert all(len(ours) == len(other) for ours, other in made)
    assert all(two == 2 * one for ours, other in made for one, two in zip(ours, other, strict=True))


def test_a_load_that_comes_late_is_refused() -> None:
    planned = plans()
    pairs = [{"picker": rows(plan, 1.0), "in turn": rows(plan, 2.0, late=3.0)} for plan in planned]
    assert check_sent(pairs) == 3.0
    pairs[0]["picker"] = rows(planned[0], 1.0, late=80.0)
    with pytest.raises(GroundError, match="80 ms late"):
        check_sent(pairs)
