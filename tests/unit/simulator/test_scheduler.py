# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler on a simulated clock."""

from __future__ import annotations

import itertools
import statistics
import typing as t

import pytest
from model_simulator.kv_cache import BlockPool
from model_simulator.scheduler import Progress, Scheduler, drain
from model_simulator.sequence import FinishReason, Sequence
from model_simulator.timing import PROFILES

NUMBERS = itertools.count()


def sequence(prompt: int = 32, output: int = 8, *, same: bool = False, salt: str = "") -> Sequence:
    number = next(NUMBERS)
    start = 0 if same else (number + 1) * 100_000
    return Sequence(str(number), range(start, start + prompt), range(output), FinishReason.LENGTH, salt)


def scheduler(slots: int = 4, *, blocks: int = 1000, budget: int = 2048, profile: str = "l4") -> Scheduler:
    return Scheduler(PROFILES[profile], max_num_seqs=slots, max_num_batched_tokens=budget, pool=BlockPool(blocks, 16))


def run(core: Scheduler, sequences: t.Sequence[Sequence]) -> list[Progress]:
    for one in sequences:
        core.submit(one, 0.0)
    seen: list[Progress] = []
    drain(core, 0.0, lambda progress, _now: seen.append(progress))
    return seen


def test_more_requests_than_slots_wait_and_are_answered_in_order() -> None:
    core = scheduler(slots=2)
    sequences = [sequence() for _number in range(6)]
    for one in sequences:
        core.submit(one, 0.0)
    step = core.begin(1.0)
    assert step is not None
    assert (len(core.running), len(core.waiting)) == (2, 4)
    core.complete(step)
    most = 0

    def watch(_progress: Progress, _now: float) -> None:
        nonlocal most
        most = max(most, len(core.running))

    drain(core, step.end, watch)
    assert most == 2
    starts = [one.scheduled for one in sequences]
    assert starts == sorted(starts, key=lambda start: start or 0.0)
    assert all(one.finished is FinishReason.LENGTH and one.generated == 8 for one in sequences)


def test_everything_is_given_back_at_the_end() -> None:
    core = scheduler()
    run(core, [sequence(prompt=100, output=50) for _number in range(9)])
    assert core.pool.usage == 0.0
    assert not core.running
    assert not core.waiting


def test_a_larger_batch_makes_every_token_slower() -> None:
    def latency(users: int) -> float:
        seen = run(scheduler(slots=64), [sequence(output=90) for _number in range(users)])
        return statistics.median(item.latency for item in seen if not item.first)

    assert latency(1) < latency(8) < latency(32)


def test_a_longer_prompt_makes_the_first_token_later() -> None:
    def first(prompt: int) -> float:
        return next(item for item in run(scheduler(), [sequence(prompt=prompt)]) if item.first).latency

    assert first(16) < first(1024) < first(6000)


def test_a_long_prompt_is_prefilled_in_chunks_while_others_go_on() -> None:
    core = scheduler(budget=512)
    short, long = sequence(prompt=16, output=30), sequence(prompt=3000, output=2)
    core.submit(short, 0.0)
    core.submit(long, 0.0)
    before_first = 0

    def watch(item: Progress, _now: float) -> None:
        nonlocal before_first
        if item.sequence is short and long.first_token is None:
            before_first += 1

    drain(core, 1.0, watch)
    assert before_first >= 5
    assert long.generated == 2


def test_a_known_prefix_is_not_computed_again() -> None:
    core = scheduler()
    first, second = sequence(prompt=1000, same=True), sequence(prompt=1000, same=True)
    run(core, [first])
    run(core, [second])
    assert first.cached == 0
    assert second.cached == 992, "62 whole blocks; the last token is always computed"
    assert first.first_token is not None
    assert second.first_token is not None
    assert second.first_token - second.ready < first.first_token - first.ready


def test_sequences_with_another_salt_share_nothing() -> None:
    core = scheduler()
    run(core, [sequence(prompt=1000, same=True, salt="one")])
    other, same = sequence(prompt=1000, same=True, salt="two"), sequence(prompt=1000, same=True, salt="one")
    run(core, [other])
    run(core, [same])
    assert other.cached == 0
    assert same.cached == 992


def test_a_full_cache_preempts_the_newest_and_all_are_answered() -> None:
    core = scheduler(slots=4, blocks=16)
    sequences = [sequence(prompt=48, output=60) for _number in range(4)]
    run(core, sequences)
    assert core.preemptions > 0
    assert sequences[0].preemptions == 0
    assert sequences[-1].preemptions > 0
    assert all(one.generated == 60 for one in sequences)
    assert core.pool.usage == 0.0


@pytest.mark.parametrize("state", ["arriving", "waiting", "running"])
def test_an_abort_frees_the_slot_at_once(state: str) -> None:
    core = scheduler(slots=1)
    blocker, victim = sequence(), sequence()
    if state != "running":
        core.submit(blocker, 0.0)
    core.submit(victim, 0.0)
    step = core.begin(0.0 if state == "arriving" else 1.0)
    assert victim in getattr(core, state)
    assert core.abort(victim)
    assert victim not in core.running
    assert victim not in core.waiting
    assert victim not in core.arriving
    assert victim.finished is FinishReason.ABORT
    assert not core.abort(victim), "it has ended already"
    if step is not None:
        assert all(item.sequence is not victim for item in core.complete(step))
    drain(core, 1.0, lambda _item, _now: None)
    assert core.pool.usage == 0.0


def test_a_pooling_sequence_ends_with_its_prefill() -> None:
    core = scheduler()
    one = Sequence("pool", range(100), (), FinishReason.STOP, pooling=True)
    seen = run(core, [one])
    assert [(item.token, item.done) for item in seen] == [(None, True)]
