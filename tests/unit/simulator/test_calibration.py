# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The profile l4 against a closed-loop measurement of a 0.5B model on one L4: 256 tokens in, 128 out."""

from __future__ import annotations

import dataclasses
import statistics

import pytest
from model_simulator.kv_cache import BlockPool
from model_simulator.scheduler import Scheduler
from model_simulator.sequence import FinishReason, Sequence
from model_simulator.timing import PROFILES, TimingProfile

# users: (time to first token, inter-token latency), medians in milliseconds
MEASURED = {
    1: (27.0, 5.1),
    2: (37.8, 5.2),
    4: (50.1, 5.3),
    8: (60.9, 5.5),
    16: (103.8, 6.0),
    32: (135.3, 7.1),
}
TOLERANCE = 0.15


def closed_loop(profile: TimingProfile, users: int) -> tuple[float, float]:
    """Medians in milliseconds when each user sends the next request as soon as the last one is answered."""
    requests = min(20 * users, 320)
    scheduler = Scheduler(
        profile,
        max_num_seqs=256,
        max_num_batched_tokens=2048,
        pool=BlockPool(profile.gpu_blocks, 16),
    )
    first: list[float] = []
    between: list[float] = []
    sent = 0

    def send(now: float) -> None:
        nonlocal sent
        if sent < requests:
            prompt = range(sent * 256, sent * 256 + 256)  # no two share a prefix
            scheduler.submit(Sequence(str(sent), prompt, range(128), FinishReason.LENGTH), now)
            sent += 1

    for _user in range(users):
        send(0.0)
    now = 0.0
    while True:
        step = scheduler.begin(now)
        if step is None:
            arrival = scheduler.next_arrival()
            if arrival is None:
                break
            now = max(now, arrival)
            continue
        now = step.end
        for item in scheduler.complete(step):
            (first if item.first else between).append(item.latency * 1000)
            if item.done:
                send(now)
    assert len(first) == requests
    assert len(between) == requests * 127
    return statistics.median(first), statistics.median(between)


@pytest.mark.parametrize("users", MEASURED)
def test_the_profile_reproduces_the_measured_medians(users: int) -> None:
    first, between = closed_loop(PROFILES["l4"], users)
    assert first == pytest.approx(MEASURED[users][0], rel=TOLERANCE), "time to first token"
    assert between == pytest.approx(MEASURED[users][1], rel=TOLERANCE), "inter-token latency"


@pytest.mark.parametrize("field", ["step", "ingest"])
def test_the_comparison_sees_a_profile_that_is_off(field: str) -> None:
    wrong = dataclasses.replace(PROFILES["l4"], **{field: getattr(PROFILES["l4"], field) * 1.5})
    off = [
        abs(got / wanted - 1)
        for users, row in MEASURED.items()
        for got, wanted in zip(closed_loop(wrong, users), row, strict=True)
    ]
    assert max(off) > TOLERANCE
