# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Quantiles, ratios and how sure they are."""

from __future__ import annotations

import random
import statistics
import typing as t

Block = tuple[t.Sequence[float], t.Sequence[float]]
"""What was measured on both sides for the same stretch of work."""


class Interval(t.NamedTuple):
    """An estimate with the bounds between which it lies with the confidence asked for."""

    estimate: float
    low: float
    high: float


def quantile(values: t.Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def paired_ratio(ours: t.Sequence[float], other: t.Sequence[float]) -> float:
    """The median of the rounds' ratios: what disturbs a round disturbs all its sides."""
    return statistics.median(one / two for one, two in zip(ours, other, strict=True))


def paired_difference(ours: t.Sequence[float], other: t.Sequence[float]) -> float:
    return statistics.median(one - two for one, two in zip(ours, other, strict=True))


def quantile_ratio(blocks: t.Sequence[Block], share: float) -> float:
    """Of all that the first sides measured to all that the second ones did."""
    ours, other = ([value for block in blocks for value in block[side]] for side in (0, 1))
    return quantile(ours, share) / quantile(other, share)


def bootstrap(
    blocks: t.Sequence[Block], share: float, *, draws: int = 2000, confidence: float = 0.95, seed: int = 1
) -> Interval:
    """The ratio of a quantile, and its interval by drawing blocks with replacement, both sides of a block together.

    Requests wait for each other, so single ones are no independent measurements; blocks that are longer than a request
    nearly are.
    """
    choose = random.Random(seed)  # noqa: S311 - the same draws in every run
    drawn = sorted(quantile_ratio(choose.choices(blocks, k=len(blocks)), share) for _draw in range(draws))
    tail = (1 - confidence) / 2
    return Interval(quantile_ratio(blocks, share), quantile(drawn, tail), quantile(drawn, 1 - tail))
