# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A simulated gateway: several replicas reserve, ask a model, settle and write as LiteLLM does, hooks of the guard
included, with one budget, one Redis and one database. What the model worked for is the truth."""

from __future__ import annotations

import asyncio
import random
import types
import typing as t
from contextlib import suppress

from .redis import FakeRedis

COUNTER: t.Final = "spend:team:a"
BUFFER: t.Final = "sums"
RESERVED: t.Final = 3.0


class RefusedError(Exception):
    """503: nobody can be let in."""


class SpentError(Exception):
    """The budget is spent."""


class World:
    def __init__(self, budget: float, seed: int, replicas: int = 3, *, kept: bool = True) -> None:
        self.budget = budget
        self.chance = random.Random(seed)  # noqa: S311 - a simulation's dice
        self.redis = FakeRedis()
        self.database = 0.0
        self.database_down = False
        self.over = False
        self.worked = 0.0
        self.answered: list[float] = []
        self.replicas = [Replica(self, kept=kept) for _number in range(replicas)]

    async def pause(self, longest: float = 0.004) -> None:
        await asyncio.sleep(self.chance.random() * longest)


class Replica:
    def __init__(self, world: World, *, kept: bool) -> None:
        self.world = world
        self.tasks: set[asyncio.Task[t.Any]] = set()
        self.asking = 0
        self.reserving = types.SimpleNamespace(
            reserve_budget_for_request=self._reserve,
            release_budget_reservation=self._release,
            reconcile_budget_reservation=self._reconcile,
        )
        self.settling = types.SimpleNamespace(_update_database_and_spend_counters=self._settle)
        self.counting = types.SimpleNamespace(_settle_spend_counter_increment=lambda _item: self._landed)
        self.writer = type("Writer", (_Writer,), {})()
        self.buffer = type("Buffer", (), {"redis_cache": None})()
        self.lock = type("Lock", (_Lock,), {})()
        self.writer.world, self.writer.replica = world, self
        self.writer.redis_update_buffer = self.buffer
        self.keeper: t.Any = None
        if kept:
            self._keep()
        self.buffer.redis_cache = Lists(world.redis)

    def _keep(self) -> None:
        from llm_platform_guard import hooks
        from llm_platform_guard.books import Books
        from llm_platform_guard.epoch import Shared
        from llm_platform_guard.keeper import Keeper, Pace
        from llm_platform_guard.ledger import LiteLLMLedger
        from llm_platform_guard.unwritten import Unwritten

        proxy: t.Any = types.SimpleNamespace(
            prisma_client="prisma",
            proxy_logging_obj=types.SimpleNamespace(db_spend_update_writer=self.writer),
            spend_counter_cache=types.SimpleNamespace(redis_cache=types.SimpleNamespace(get_ttl=lambda: 600)),
            SpendCounterReseed=types.SimpleNamespace(_counter_row=self._row),
        )
        ledger = LiteLLMLedger(proxy)
        pace = Pace(open=0.03, closed=0.01, answer=1.0, gather=0.1, silent=0.6, overdue=0.2)
        shared = Shared(lambda: self.world.redis, lambda name: name)
        self.keeper = Keeper(Books(60.0, patience=0.5), shared, ledger, lambda: True, pace=pace)
        hooks.keep_reserving(t.cast("t.Any", self.reserving), self.keeper, RefusedError)
        hooks.keep_settling(
            t.cast("t.Any", self.reserving), t.cast("t.Any", self.settling), t.cast("t.Any", self.counting), self.keeper
        )
        hooks.keep_writing(
            t.cast("t.Any", type(self.writer)),
            t.cast("t.Any", type(self.buffer)),
            t.cast("t.Any", type(self.lock)),
            keeper=self.keeper,
            ledger=ledger,
            kept=lambda redis: Unwritten(redis, [BUFFER], lambda: False),
            job="spend",
        )

    async def run(self, clients: int) -> None:
        jobs = [self._clients_loop() for _client in range(clients)] + [self._write_loop()]
        if self.keeper:
            jobs.append(self.keeper.run())
        await asyncio.gather(*jobs)

    async def request(self, longest: float | None = None) -> None:
        """One request, from its reservation to its bill. One in four takes long."""
        reservation = await self.reserving.reserve_budget_for_request()
        await self.world.pause(longest or self.world.chance.choice((0.01, 0.01, 0.01, 0.4)))
        cost = self.world.chance.uniform(0.5, RESERVED)
        self.world.worked += cost
        self.world.answered.append(asyncio.get_running_loop().time())
        self._later(self.settling._update_database_and_spend_counters(reservation, cost))

    async def _clients_loop(self) -> None:
        while not self.world.over:
            self.asking += 1
            try:
                await self.request()
            except (SpentError, RefusedError, ConnectionError):
                await self.world.pause()
            finally:
                self.asking -= 1

    async def _write_loop(self) -> None:
        while True:
            await self.world.pause(0.1)
            with suppress(ConnectionError):
                await self.writer.db_update_spend_transaction_handler()

    def _later(self, work: t.Coroutine[t.Any, t.Any, t.Any]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _row(self, _prisma: t.Any, name: str) -> t.Any:
        await self.world.pause()
        if self.world.database_down:
            raise ConnectionError
        return types.SimpleNamespace(spend=self.world.database) if name == COUNTER else None

    async def _seeded(self) -> None:
        if await self.world.redis.get(COUNTER) is None:
            row = await self._row(None, COUNTER)
            await self.world.redis.set(COUNTER, row.spend, nx=True)

    async def _reserve(self) -> t.Any:
        await self._seeded()
        await self.world.pause()
        value = await self.world.redis.incrbyfloat(COUNTER, RESERVED)
        if value > self.world.budget:
            await self.world.redis.incrbyfloat(COUNTER, -RESERVED)
            raise SpentError
        entry = {"counter_key": COUNTER, "reserved_cost": RESERVED, "applied_adjustment": 0.0}
        return {"reserved_cost": RESERVED, "entries": [entry], "finalized": False}

    async def _release(self, budget_reservation: t.Any) -> None:
        await self.reserving.reconcile_budget_reservation(budget_reservation, 0.0)

    async def _reconcile(self, reservation: t.Any, cost: float) -> None:
        held = await self.world.redis.get(COUNTER)
        if held is None or float(held) + cost - RESERVED < 0:
            await self._seeded()
            await self.world.redis.incrbyfloat(COUNTER, cost)
        else:
            await self._deferred(cost - RESERVED)
        reservation["finalized"] = True

    async def _deferred(self, amount: float) -> None:
        """The increment leaves a little later, when the settlement is over."""
        landed = self.counting._settle_spend_counter_increment("item")

        async def leave() -> None:
            await self.world.pause()
            with suppress(ConnectionError):
                await self.world.redis.incrbyfloat(COUNTER, amount)
            await landed(None)

        self._later(leave())

    async def _landed(self, _future: t.Any) -> None:
        """LiteLLM notes the new value here."""

    async def _settle(self, reservation: t.Any, cost: float) -> None:
        await self.world.pause()
        self._later(self.writer._batch_database_updates(cost))
        try:
            await self.reserving.reconcile_budget_reservation(reservation, cost)
        except ConnectionError:
            reservation["finalized"] = True


class _Writer:
    """One replica's way to the database, through lists, as LiteLLM's."""

    world: World
    replica: Replica
    redis_update_buffer: t.Any

    def __init__(self) -> None:
        self.spend_update_queue = types.SimpleNamespace(update_queue=asyncio.Queue())

    async def _batch_database_updates(self, cost: float) -> None:
        await self.world.pause()
        self.spend_update_queue.update_queue.put_nowait(cost)

    async def db_update_spend_transaction_handler(self, **_how: t.Any) -> None:
        queue, lists = self.spend_update_queue.update_queue, self.redis_update_buffer.redis_cache
        costs = [str(queue.get_nowait()) for _number in range(queue.qsize())]
        await lists.async_rpush_pipeline([{"key": BUFFER, "values": costs}])
        if not await self.replica.lock.acquire_lock("spend"):
            return
        (popped,) = await lists.async_lpop_pipeline([{"key": BUFFER, "count": 100}])
        await self.world.pause(0.03)
        if self.world.database_down:
            await lists.async_rpush_pipeline([{"key": BUFFER, "values": popped or []}])
        else:
            self.world.database += sum(float(cost) for cost in popped or ())
        await self.replica.lock.release_lock("spend")


class _Lock:
    async def acquire_lock(self, _job: str) -> bool:
        return True

    async def release_lock(self, _job: str) -> None:
        """Nobody waits for it."""


class Lists:
    """LiteLLM's cache, as far as its buffer uses it."""

    def __init__(self, redis: FakeRedis) -> None:
        self.redis = redis

    async def async_rpush_pipeline(self, rpush_list: t.Any) -> list[int]:
        await self.redis.get("")
        for item in rpush_list:
            self.redis.data.setdefault(item["key"], []).extend(item["values"])
        return [len(self.redis.data[item["key"]]) for item in rpush_list]

    async def async_lpop_pipeline(self, lpop_list: t.Any) -> list[list[str] | None]:
        await self.redis.get("")
        return [self.redis.data.pop(item["key"], None) for item in lpop_list]
