# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""When which request arrives: drawn once from a seed, so that two sides get the very same work."""

from __future__ import annotations

import itertools
import random
import sys
import typing as t
from pathlib import Path

SIMULATOR: t.Final = Path(__file__).resolve().parents[2] / "roles/local_cluster/files/images/model-simulator"
NO_PREFIX: t.Final = -1
# Every second request or so begins with one of a few instructions, of which some are far more common than others.
SHARED: t.Final = 0.6
PREFIX_TOKENS: t.Final = (256, 384, 512, 640, 768, 1024)
# Median and spread of logarithmic normal distributions, and their bounds: most are short, few are very long.
PROMPT: t.Final = (120, 1.1, 16, 3000)
ANSWER: t.Final = (48, 0.8, 4, 320)


class Arrival(t.NamedTuple):
    """One request; lengths in tokens as the simulator counts them, without what its chat template adds."""

    at: float
    prefix: int
    prefix_tokens: int
    tokens: int
    answer: int


def plan(seed: int, rate: float, seconds: float) -> list[Arrival]:
    """A Poisson process of `rate` a second."""
    draw = random.Random(seed)  # noqa: S311 - the same in every run
    popularity = [1 / (number + 1) for number in range(len(PREFIX_TOKENS))]
    found = []
    now = draw.expovariate(rate)
    while now < seconds:
        prefix = draw.choices(range(len(PREFIX_TOKENS)), popularity)[0] if draw.random() < SHARED else NO_PREFIX
        beginning = PREFIX_TOKENS[prefix] if prefix != NO_PREFIX else 0
        found.append(Arrival(now, prefix, beginning, _length(draw, *PROMPT), _length(draw, *ANSWER)))
        now += draw.expovariate(rate)
    return found


def blocks(arrivals: t.Sequence[Arrival], warm: float, length: float) -> list[list[int]]:
    """Places of the arrivals in stretches of that many seconds, from `warm` on, by their planned time alone."""
    found: dict[int, list[int]] = {}
    for place, arrival in enumerate(arrivals):
        if arrival.at >= warm:
            found.setdefault(int((arrival.at - warm) / length), []).append(place)
    return [found[number] for number in sorted(found)]


def capacity(arrivals: t.Sequence[Arrival], slots: int, profile: str) -> float:
    """Requests a second that a replica answers at most: the simulator's own scheduler with all of them in its queue."""
    # A byte-compiled file would be one more input of the simulator's image.
    sys.dont_write_bytecode = True
    if str(SIMULATOR) not in sys.path:
        sys.path.append(str(SIMULATOR))
    from model_simulator.kv_cache import BlockPool  # type: ignore[import-not-found,unused-ignore]
    from model_simulator.scheduler import Scheduler, drain  # type: ignore[import-not-found,unused-ignore]
    from model_simulator.sequence import FinishReason, Sequence  # type: ignore[import-not-found,unused-ignore]
    from model_simulator.timing import PROFILES  # type: ignore[import-not-found,unused-ignore]

    timing = PROFILES[profile]
    pool = BlockPool(timing.gpu_blocks, 16)
    scheduler = Scheduler(timing, max_num_seqs=slots, max_num_batched_tokens=2048, pool=pool)
    fresh = itertools.count(1 << 32)
    for number, arrival in enumerate(arrivals):
        beginning = [(arrival.prefix + 1 << 16) + place for place in range(arrival.prefix_tokens)]
        prompt = beginning + [next(fresh) for _token in range(arrival.tokens)]
        sequence = Sequence(str(number), prompt, (0,) * arrival.answer, FinishReason.LENGTH, "")
        scheduler.submit(sequence, 0.0)
    return len(arrivals) / drain(scheduler, 0.0, lambda _progress, _now: None)


def _length(draw: random.Random, median: float, spread: float, low: int, high: int) -> int:
    return min(high, max(low, round(median * draw.lognormvariate(0.0, spread))))
