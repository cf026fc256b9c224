# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts the keeper of epochs into LiteLLM where it reserves, settles and writes, or keeps the process from starting."""

from __future__ import annotations

import typing as t
from functools import wraps

from .accounting import demand
from .keeper import ForgottenError, Keeper
from .unwritten import Redis, Unwritten

if t.TYPE_CHECKING:
    from .ledger import LiteLLMLedger

Call = t.Callable[..., t.Awaitable[t.Any]]
Refusal = t.Callable[[], Exception]


class Reserving(t.Protocol):
    """What is used of litellm.proxy.spend_tracking.budget_reservation."""

    reserve_budget_for_request: Call
    release_budget_reservation: Call
    reconcile_budget_reservation: Call


class Settling(t.Protocol):
    """What is used of litellm.proxy.hooks.proxy_track_cost_callback."""

    _update_database_and_spend_counters: Call


class Counting(t.Protocol):
    """What is used of litellm.proxy.proxy_server."""

    _settle_spend_counter_increment: t.Callable[..., Call]


class Writer(t.Protocol):
    """What is used of the class DBSpendUpdateWriter."""

    db_update_spend_transaction_handler: Call
    _batch_database_updates: Call


class Buffer(t.Protocol):
    """What is used of the class RedisUpdateBuffer."""

    redis_cache: t.Any


class Lock(t.Protocol):
    """What is used of the class PodLockManager."""

    acquire_lock: Call
    release_lock: Call


def keep_reserving(module: Reserving, keeper: Keeper, refusal: Refusal) -> None:
    """Whoever reserved in counters that are gone by now is refused before a model is asked."""
    demand(module, "reserve_budget_for_request", "release_budget_reservation")
    original = module.reserve_budget_for_request

    @wraps(original)
    async def reserve(*given: t.Any, **named: t.Any) -> t.Any:
        if not keeper.admits:
            raise refusal()
        with keeper.books.reserving():
            reservation = await original(*given, **named)
            if reservation is None:
                return None
            keeper.books.note(reservation)
            try:
                await keeper.confirm()
            except ForgottenError as error:
                await _give_back(module, keeper, reservation)
                raise refusal() from error
        return reservation

    module.reserve_budget_for_request = reserve


async def _give_back(module: Reserving, keeper: Keeper, reservation: t.Any) -> None:
    if keeper.admits:
        # The counters only did not answer; they may still hold it.
        await module.release_budget_reservation(budget_reservation=reservation)
    reservation["finalized"] = True


def keep_settling(reserving: Reserving, settling: Settling, counting: Counting, keeper: Keeper) -> None:
    """While the books are closed nothing is settled, and nothing that was settled is on its way."""
    demand(reserving, "reconcile_budget_reservation")
    demand(settling, "_update_database_and_spend_counters")
    demand(counting, "_settle_spend_counter_increment")
    reserving.reconcile_budget_reservation = _within(keeper, reserving.reconcile_budget_reservation)
    settling._update_database_and_spend_counters = _within(keeper, settling._update_database_and_spend_counters)  # noqa: SLF001
    deferred = counting._settle_spend_counter_increment  # noqa: SLF001

    @wraps(deferred)
    def settle(item: t.Any) -> Call:
        """LiteLLM calls it when it puts an increment off, and what it gives once the increment is in the counter."""
        writing = keeper.books.writing()
        writing.__enter__()
        inner = deferred(item)

        async def settled(future: t.Any) -> None:
            try:
                await inner(future)
            finally:
                writing.__exit__(None, None, None)

        return settled

    counting._settle_spend_counter_increment = settle  # noqa: SLF001


def _within(keeper: Keeper, original: Call) -> Call:
    @wraps(original)
    async def settle(*given: t.Any, **named: t.Any) -> t.Any:
        async with keeper.books.settling():
            return await original(*given, **named)

    return settle


def keep_writing(
    writer: Writer,
    buffer: Buffer,
    lock: Lock,
    *,
    keeper: Keeper,
    ledger: LiteLLMLedger,
    kept: t.Callable[[Redis], Unwritten],
    job: str,
) -> None:
    """Every replica writes its own sums: nobody waits for a lock, and nothing is in Redis that could be forgotten."""
    demand(writer, "db_update_spend_transaction_handler", "_batch_database_updates")
    demand(lock, "acquire_lock", "release_lock")
    handler, batch = writer.db_update_spend_transaction_handler, writer._batch_database_updates  # noqa: SLF001

    @wraps(handler)
    async def write(*given: t.Any, **named: t.Any) -> t.Any:
        async with ledger.turn:
            return await handler(*given, **named)

    @wraps(batch)
    def enqueue(*given: t.Any, **named: t.Any) -> t.Awaitable[t.Any]:
        # Counted from the call on, not from when its task first runs.
        writing = keeper.books.writing()
        writing.__enter__()

        async def run() -> t.Any:
            try:
                return await batch(*given, **named)
            finally:
                writing.__exit__(None, None, None)

        return run()

    writer.db_update_spend_transaction_handler = write
    writer._batch_database_updates = enqueue  # noqa: SLF001
    _keep_buffer(buffer, kept)
    _unlock(lock, job)


def _keep_buffer(buffer: Buffer, kept: t.Callable[[Redis], Unwritten]) -> None:
    def read(self: t.Any) -> t.Any:
        return vars(self).get("redis_cache")

    def write(self: t.Any, redis: t.Any) -> None:
        vars(self)["redis_cache"] = redis if redis is None or isinstance(redis, Unwritten) else kept(redis)

    buffer.redis_cache = property(read, write)


def _unlock(lock: Lock, job: str) -> None:
    acquire, release = lock.acquire_lock, lock.release_lock

    @wraps(acquire)
    async def acquired(self: t.Any, cronjob_id: str, *given: t.Any, **named: t.Any) -> t.Any:
        return True if cronjob_id == job else await acquire(self, cronjob_id, *given, **named)

    @wraps(release)
    async def released(self: t.Any, cronjob_id: str) -> t.Any:
        return None if cronjob_id == job else await release(self, cronjob_id)

    lock.acquire_lock = acquired
    lock.release_lock = released
