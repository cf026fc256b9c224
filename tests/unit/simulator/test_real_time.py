# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The running server gives every token at the time that the scheduler planned: timers, event loop and stream included.

That the plan has the times of the hardware is shown without a clock, in test_calibration. Here the arrivals that a
server really saw are scheduled again on a simulated clock. What a client waited longer than that is the real world.
A request's way to the scheduler is left out: it is the work of this machine, which the profile does not stand for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import statistics
import time
import typing as t

import httpx
import pytest
from model_simulator.kv_cache import BlockPool
from model_simulator.scheduler import Scheduler, drain
from model_simulator.sequence import Sequence
from model_simulator.timing import PROFILES, TimingProfile

if t.TYPE_CHECKING:
    from conftest import Running
    from model_simulator.scheduler import Progress

PROMPT_TOKENS, OUTPUT_TOKENS = 256, 128
ATTEMPTS = 3
EARLY, LATE = 0.05, 0.15
"""How much a median may be below and above the plan. Nothing but a late first token makes a token seem early."""
BUSY = 5.0
"""Milliseconds that one in ten timers may be late on a machine whose times mean anything."""

Tokens = dict[str, tuple[float, ...]]
"""Request to the times of its tokens, in seconds of the monotonic clock."""


class Waited(t.NamedTuple):
    """Seconds from a request's arrival at the scheduler to its first token, and from each token to the next."""

    first: float
    between: float


class Round(t.NamedTuple):
    """What one closed loop saw and what was planned for it, and how many milliseconds one in ten timers was late."""

    arrived: dict[str, float]
    seen: Tokens
    planned: Tokens
    late: float

    @property
    def ratios(self) -> dict[str, float]:
        """Median over the requests of what was seen against what was planned for the same request."""
        pairs = [(self._waited(self.seen, name), self._waited(self.planned, name)) for name in self.arrived]
        return {
            field: statistics.median(getattr(seen, field) / getattr(planned, field) for seen, planned in pairs)
            for field in Waited._fields
        }

    @property
    def on_time(self) -> bool:
        return all(1 - EARLY <= ratio <= 1 + LATE for ratio in self.ratios.values())

    def _waited(self, tokens: Tokens, name: str) -> Waited:
        first, *_others, last = tokens[name]
        return Waited(first - self.arrived[name], (last - first) / (OUTPUT_TOKENS - 1))


async def one_user(client: httpx.AsyncClient, name: str, requests: int, seen: Tokens) -> None:
    for number in range(requests):
        salt = f"{name}-{number}"
        body = {
            "model": "sim",
            "prompt": " ".join(["word"] * PROMPT_TOKENS),
            "max_tokens": OUTPUT_TOKENS,
            "ignore_eos": True,
            "stream": True,
            "cache_salt": salt,
        }
        async with client.stream("POST", "/v1/completions", json=body) as response:
            assert response.status_code == 200
            lines = response.aiter_lines()
            seen[salt] = tuple([time.monotonic() async for line in lines if line.startswith("data: {")])
        assert len(seen[salt]) == OUTPUT_TOKENS


async def lateness(found: list[float]) -> None:
    while True:
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        found.append((time.perf_counter() - start) * 1000 - 5)


async def closed_loop(url: str, key: str, users: int, requests: int) -> tuple[Tokens, float]:
    """Each user sends the next request as soon as the last one is answered."""
    late: list[float] = []
    watch = asyncio.create_task(lateness(late))
    seen: Tokens = {}
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        await asyncio.gather(*(one_user(client, f"user{user}", requests, seen) for user in range(users)))
    watch.cancel()
    return seen, statistics.quantiles(late, n=10)[-1]


def plan(profile: TimingProfile, arrived: list[Sequence]) -> Tokens:
    """The same requests at the same times, on a simulated clock."""
    scheduler = Scheduler(
        profile, max_num_seqs=256, max_num_batched_tokens=2048, pool=BlockPool(profile.gpu_blocks, 16)
    )
    for one in arrived:
        scheduler.submit(Sequence(one.id, one.prompt, one.output, one.finish, salt=one.salt), one.arrived)
    times: Tokens = {one.salt: () for one in arrived}

    def note(progress: Progress, now: float) -> None:
        times[progress.sequence.salt] += (now,)

    drain(scheduler, arrived[0].arrived, note)
    return times


def measure(server: Running, key: str, users: int, requests: int) -> Round:
    """A closed loop against the server, beside the plan that the profile l4 makes for the arrivals of this loop."""
    scheduler = server.server.engine.scheduler
    submit = scheduler.submit
    arrived: list[Sequence] = []

    def remember(sequence: Sequence, now: float) -> None:
        submit(sequence, now)
        arrived.append(sequence)

    scheduler.submit = remember
    seen, late = asyncio.run(closed_loop(server.url, key, users, requests))
    scheduler.submit = submit
    assert len(arrived) == users * requests
    return Round({one.salt: one.arrived for one in arrived}, seen, plan(PROFILES["l4"], arrived), late)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("users", [4, 8])
def test_a_running_server_keeps_to_its_plan(serve: t.Callable[..., Running], key: str, users: int) -> None:
    server = serve("--simulator-profile", "l4")
    rounds: list[Round] = []
    for _attempt in range(ATTEMPTS):
        rounds.append(measure(server, key, users, requests=5))
        if rounds[-1].on_time:
            return
    told = [f"{one.ratios}, timers {one.late:.1f} ms late" for one in rounds]
    if all(one.late > BUSY for one in rounds):
        pytest.skip(f"the machine is too busy to measure: {told}")
    pytest.fail(f"{users} users: seen against planned, by round: {told}")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("factor", [1.5, 1 / 1.5])
def test_the_comparison_sees_a_server_that_is_off(serve: t.Callable[..., Running], key: str, factor: float) -> None:
    server = serve("--simulator-profile", "l4")
    right = server.server.engine.scheduler.profile
    times = {name: value * factor for name, value in dataclasses.asdict(right).items() if isinstance(value, float)}
    server.server.engine.scheduler.profile = dataclasses.replace(right, **times)
    off = measure(server, key, users=4, requests=2)
    assert not off.on_time, off.ratios
