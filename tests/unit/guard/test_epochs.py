# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A budget holds, and is given out whole, whatever Redis forgets under load; without the guard the same load
overdraws it."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from .world import COUNTER, RESERVED, World

BUDGET: t.Final = 200.0


async def until(done: t.Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.005)


async def load(world: World, story: t.Callable[[World], t.Awaitable[None]], clients: int = 4) -> None:
    """Until the budget is spent and everything is settled."""
    replicas = [asyncio.create_task(replica.run(clients)) for replica in world.replicas]
    try:
        await until(lambda: world.worked > BUDGET / 4)
        await story(world)
        await until(lambda: world.worked > BUDGET - 2 * RESERVED)
        await asyncio.sleep(0.3)
        world.over = True
        await until(lambda: not any(replica.asking or replica.tasks for replica in world.replicas))
    finally:
        for task in replicas:
            task.cancel()
        await asyncio.gather(*replicas, return_exceptions=True)


async def once(world: World) -> None:
    world.redis.flushall()


async def again_and_again(world: World) -> None:
    for _time in range(4):
        world.redis.flushall()
        await asyncio.sleep(world.chance.random() * 0.2)


async def restarted_empty(world: World) -> None:
    world.redis.down = True
    await asyncio.sleep(0.1)
    world.redis.flushall()
    world.redis.down = False


async def while_the_database_is_away(world: World) -> None:
    world.database_down = True
    world.redis.flushall()
    await asyncio.sleep(0.5)
    answered = len(world.answered)
    await asyncio.sleep(0.1)
    assert len(world.answered) == answered
    world.database_down = False


async def the_epoch_alone(world: World) -> None:
    del world.redis.data["llm-platform:epoch"]


STORIES = [once, again_and_again, restarted_empty, while_the_database_is_away, the_epoch_alone]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("seed", range(2))
def test_a_budget_is_never_overdrawn_and_is_given_out_whole(seed: int, story: t.Any) -> None:
    async def play() -> World:
        world = World(BUDGET, seed)
        await load(world, story)
        return world

    world = asyncio.run(play())
    assert world.worked <= BUDGET + 1e-6
    # Nothing is reserved any more, so the counter is what was really spent.
    assert float(world.redis.data[COUNTER]) == pytest.approx(world.worked)


def test_without_the_guard_the_same_load_overdraws() -> None:
    async def play() -> World:
        world = World(BUDGET, 1, kept=False)
        await load(world, again_and_again)
        return world

    assert asyncio.run(play()).worked > BUDGET + RESERVED


def test_requests_on_their_way_are_not_waited_for() -> None:
    async def play() -> tuple[float, float]:
        world = World(BUDGET, 1)
        running = [asyncio.create_task(replica.run(0)) for replica in world.replicas]
        one, other = world.replicas[:2]
        await until(lambda: all(replica.keeper.admits for replica in world.replicas))
        slow = asyncio.create_task(one.request(longest=1e6))
        await until(lambda: float(world.redis.data.get(COUNTER, 0.0)) == RESERVED)
        world.redis.flushall()
        await until(lambda: not other.keeper.admits)
        await until(lambda: all(replica.keeper.admits for replica in world.replicas))
        held = float(world.redis.data[COUNTER])
        await other.request()
        for task in (slow, *running):
            task.cancel()
        await asyncio.gather(slow, *running, return_exceptions=True)
        return held, world.worked

    held, worked = asyncio.run(play())
    assert held == RESERVED
    assert 0 < worked <= RESERVED


def test_a_replica_that_was_not_heard_makes_them_begin_once_more() -> None:
    async def play() -> tuple[str, str, float]:
        world = World(BUDGET, 1, replicas=2)
        deaf, other = world.replicas
        running = [asyncio.create_task(replica.run(0)) for replica in world.replicas]
        await until(lambda: all(replica.keeper.admits for replica in world.replicas))
        slow = asyncio.create_task(deaf.request(longest=1e6))
        await until(lambda: float(world.redis.data.get(COUNTER, 0.0)) == RESERVED)
        running[0].cancel()
        world.redis.flushall()
        await until(lambda: not other.keeper.admits)
        await until(lambda: other.keeper.admits)
        without = world.redis.data["llm-platform:epoch"]
        running[0] = asyncio.create_task(deaf.run(0))
        await until(lambda: world.redis.data.get("llm-platform:epoch", without) != without)
        await until(lambda: deaf.keeper.admits and other.keeper.admits)
        held = float(world.redis.data[COUNTER])
        for task in (slow, *running):
            task.cancel()
        await asyncio.gather(slow, *running, return_exceptions=True)
        return without, world.redis.data["llm-platform:epoch"], held

    without, after, held = asyncio.run(play())
    assert (without != after, held) == (True, RESERVED)


def test_a_replica_that_comes_later_joins_without_disturbing_anybody() -> None:
    async def play() -> tuple[str, str]:
        world = World(BUDGET, 1, replicas=2)
        first, later = world.replicas
        running = [asyncio.create_task(first.run(0))]
        await until(lambda: first.keeper.admits)
        epoch = world.redis.data["llm-platform:epoch"]
        assert not later.keeper.began
        running.append(asyncio.create_task(later.run(0)))
        await until(lambda: later.keeper.admits)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        return epoch, world.redis.data["llm-platform:epoch"]

    before, after = asyncio.run(play())
    assert before == after


def test_a_bill_that_cannot_wait_any_longer_is_not_lost_and_the_counters_are_made_after_it() -> None:
    async def play() -> World:
        world = World(BUDGET, 1, replicas=1)
        (only,) = world.replicas
        running = asyncio.create_task(only.run(0))
        await until(lambda: only.keeper.admits)
        await only.request()
        world.database_down = True
        world.redis.flushall()
        await until(lambda: not only.keeper.admits)
        await until(lambda: not only.tasks)  # it waited as long as books do
        world.database_down = False
        await until(lambda: only.keeper.admits)
        assert world.database == pytest.approx(world.worked)
        await only.request()
        await until(lambda: not only.tasks)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return world

    world = asyncio.run(play())
    assert float(world.redis.data[COUNTER]) == pytest.approx(world.worked)
