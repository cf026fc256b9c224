# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A bench is as good as its arithmetic."""

from __future__ import annotations

import random

import pytest

from tests.bench._arithmetic import bootstrap, paired_difference, paired_ratio, quantile, quantile_ratio


@pytest.mark.parametrize(("share", "wanted"), [(0.0, 1), (0.5, 51), (0.95, 96), (1.0, 100)])
def test_a_quantile_is_one_of_the_values_in_any_order(share: float, wanted: int) -> None:
    values = [float(number) for number in range(1, 101)]
    random.Random(3).shuffle(values)  # noqa: S311 - an order, no secret
    assert quantile(values, share) == wanted


def test_a_round_that_was_disturbed_does_not_move_the_ratio() -> None:
    assert paired_ratio([2.0, 200.0, 4.0], [1.0, 100.0, 2.0]) == 2.0
    assert paired_ratio([2.0, 900.0, 2.0], [1.0, 1.0, 1.0]) == 2.0


def test_differences_are_those_of_the_rounds() -> None:
    assert paired_difference([5.0, 105.0, 6.0], [1.0, 100.0, 1.0]) == 5.0


def test_rounds_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_ratio([1.0, 2.0], [1.0])


def drawn(factor: float, seed: int = 5, count: int = 20) -> list[tuple[list[float], list[float]]]:
    draw = random.Random(seed)  # noqa: S311 - numbers, no secrets
    found = []
    for _block in range(count):
        # What a block has in common, such as a neighbour on the machine, hits both of its sides.
        noise = draw.lognormvariate(0, 0.5)
        sides = [[noise * draw.lognormvariate(0, 0.3) for _value in range(60)] for _side in range(2)]
        found.append(([value * factor for value in sides[0]], sides[1]))
    return found


def test_the_interval_holds_the_estimate_and_the_truth() -> None:
    interval = bootstrap(drawn(0.5), 0.95, draws=400)
    assert interval.low <= interval.estimate <= interval.high
    assert interval.low < 0.5 < interval.high
    assert interval.high < 1


def test_sides_that_do_not_differ_are_not_told_apart() -> None:
    interval = bootstrap(drawn(1.0), 0.95, draws=400)
    assert interval.low < 1 < interval.high


def test_blocks_are_drawn_with_both_of_their_sides() -> None:
    blocks = [([float(number)] * 9, [2.0 * number] * 9) for number in range(1, 30)]
    assert bootstrap([blocks[0]] * 5, 0.95, draws=100) == (0.5, 0.5, 0.5)
    # Drawn apart from each other, the sides of such blocks would give ratios up to 14.5.
    assert bootstrap(blocks, 0.95, draws=200) == (0.5, 0.5, 0.5)


def test_the_same_measurement_gives_the_same_interval() -> None:
    assert bootstrap(drawn(0.8), 0.95, draws=100) == bootstrap(drawn(0.8), 0.95, draws=100)


def test_the_ratio_is_that_of_all_values_and_not_the_mean_of_the_blocks() -> None:
    assert quantile_ratio([([1.0] * 99, [1.0] * 99), ([100.0], [50.0])], 0.5) == 1.0
