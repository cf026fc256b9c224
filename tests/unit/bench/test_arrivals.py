# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Both sides of a comparison get the same work, and it is the work that was described."""

from __future__ import annotations

import itertools
import statistics

import pytest

from tests.bench._arrivals import NO_PREFIX, PREFIX_TOKENS, SHARED, blocks, capacity, plan


def test_the_same_seed_gives_the_same_work_and_another_one_does_not() -> None:
    assert plan(1, 20.0, 30.0) == plan(1, 20.0, 30.0)
    assert plan(1, 20.0, 30.0) != plan(2, 20.0, 30.0)


def test_arrivals_are_a_poisson_process_of_the_rate() -> None:
    found = plan(4, 50.0, 200.0)
    gaps = [two.at - one.at for one, two in itertools.pairwise(found)]
    assert all(gap >= 0 for gap in gaps)
    assert found[-1].at < 200.0
    assert len(found) / 200.0 == pytest.approx(50.0, rel=0.05)
    # The gaps of such a process vary as much as they are long.
    assert statistics.stdev(gaps) / statistics.fmean(gaps) == pytest.approx(1.0, rel=0.05)


def test_lengths_do_not_depend_on_the_rate() -> None:
    slow, quick = plan(7, 1.0, 300.0), plan(7, 1.0, 600.0)
    assert [item[1:] for item in quick[: len(slow)]] == [item[1:] for item in slow]


def test_lengths_are_mixed_with_a_heavy_tail_within_their_bounds() -> None:
    found = plan(3, 50.0, 200.0)
    prompts, answers = [item.tokens for item in found], [item.answer for item in found]
    for values, low, high in ((prompts, 16, 3000), (answers, 4, 320)):
        assert low <= min(values) < statistics.median(values) < max(values) <= high
        assert statistics.fmean(values) > 1.2 * statistics.median(values)


def test_some_prompts_share_their_beginning() -> None:
    found = plan(3, 50.0, 200.0)
    shared = [item for item in found if item.prefix != NO_PREFIX]
    assert len(shared) / len(found) == pytest.approx(SHARED, abs=0.03)
    assert all(item.prefix_tokens == PREFIX_TOKENS[item.prefix] for item in shared)
    assert all(item.prefix_tokens == 0 for item in found if item.prefix == NO_PREFIX)
    assert {item.prefix for item in shared} == set(range(len(PREFIX_TOKENS)))


def test_blocks_hold_every_arrival_after_the_first_seconds_once() -> None:
    found = plan(5, 20.0, 22.0)
    made = blocks(found, 2.0, 5.0)
    assert len(made) == 4
    places = [place for block in made for place in block]
    assert places == [place for place, item in enumerate(found) if item.at >= 2.0]
    assert all(found[block[-1]].at - found[block[0]].at < 5.0 for block in made)


def test_more_slots_have_more_capacity_but_less_than_in_proportion() -> None:
    sample = plan(0, 1.0, 150.0)
    few, more = capacity(sample, 4, "l4"), capacity(sample, 8, "l4")
    assert few < more < 2 * few
