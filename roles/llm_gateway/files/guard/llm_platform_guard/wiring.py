# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The keeper of this process, put together with LiteLLM's own modules."""

from __future__ import annotations

import asyncio
import gc
import typing as t
from functools import cache, partial

from . import hooks, settings
from .accounting import demand
from .books import Books
from .epoch import Shared
from .keeper import Keeper
from .ledger import LiteLLMLedger, Proxy
from .unwritten import Unwritten

_LOOK_SECONDS: t.Final = 0.1
_TASKS: t.Final[set[asyncio.Task[None]]] = set()


@cache
def keeper() -> Keeper:
    """Made and put into LiteLLM once."""
    from fastapi import HTTPException
    from litellm import constants
    from litellm.caching import redis_cache
    from litellm.proxy import proxy_server
    from litellm.proxy.db import db_spend_update_writer
    from litellm.proxy.db.db_transaction_queue import pod_lock_manager, redis_update_buffer
    from litellm.proxy.hooks import proxy_track_cost_callback
    from litellm.proxy.shutdown.graceful_shutdown_manager import GracefulShutdownManager
    from litellm.proxy.spend_tracking import budget_reservation

    demand(proxy_server, "prisma_client", "proxy_logging_obj", "spend_counter_cache", "SpendCounterReseed")
    demand(proxy_server.SpendCounterReseed, "_counter_row")
    demand(redis_cache.RedisCache, "async_rpush_pipeline", "async_lpop_pipeline", "init_async_client", "get_ttl")
    proxy: Proxy = t.cast("t.Any", proxy_server)
    ledger = LiteLLMLedger(proxy)

    def client() -> t.Any:
        return proxy.spend_counter_cache.redis_cache.init_async_client()

    def named(name: str) -> str:
        return str(proxy.spend_counter_cache.redis_cache.check_and_fix_namespace(key=name))

    def needed() -> bool:
        return proxy.spend_counter_cache.redis_cache is not None

    def refusal() -> Exception:
        return t.cast("Exception", HTTPException(503, "the budgets' counters are made anew"))

    # Twice as long as a request may take, for it may be tried with another model.
    books = Books(longest=2 * settings.load().limits.request_seconds)
    found = Keeper(books, Shared(client, named), ledger, needed)
    names = [getattr(constants, name) for name in _BUFFERS]
    kept = partial(Unwritten, names=names, ends=GracefulShutdownManager.is_shutting_down)
    hooks.keep_reserving(t.cast("hooks.Reserving", budget_reservation), found, refusal)
    hooks.keep_settling(
        t.cast("hooks.Reserving", budget_reservation),
        t.cast("hooks.Settling", proxy_track_cost_callback),
        t.cast("hooks.Counting", proxy_server),
        found,
    )
    hooks.keep_writing(
        t.cast("hooks.Writer", db_spend_update_writer.DBSpendUpdateWriter),
        t.cast("hooks.Buffer", redis_update_buffer.RedisUpdateBuffer),
        t.cast("hooks.Lock", pod_lock_manager.PodLockManager),
        keeper=found,
        ledger=ledger,
        kept=kept,
        job=constants.DB_SPEND_UPDATE_JOB_NAME,
    )
    return found


# What LiteLLM writes in one go; the sums of budgets are in the first.
_BUFFERS: t.Final = (
    "REDIS_UPDATE_BUFFER_KEY",
    "REDIS_DAILY_SPEND_UPDATE_BUFFER_KEY",
    "REDIS_DAILY_TEAM_SPEND_UPDATE_BUFFER_KEY",
    "REDIS_DAILY_ORG_SPEND_UPDATE_BUFFER_KEY",
    "REDIS_DAILY_END_USER_SPEND_UPDATE_BUFFER_KEY",
    "REDIS_DAILY_AGENT_SPEND_UPDATE_BUFFER_KEY",
    "REDIS_WINDOW_SPEND_UPDATE_BUFFER_KEY",
)


def start(found: Keeper) -> None:
    """In the loop that serves. Where none runs yet, the start-up hook of the worker comes back."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    if not _TASKS:
        _TASKS.update({loop.create_task(found.run()), loop.create_task(_freeze(found))})


async def _freeze(found: Keeper) -> None:
    """What was imported never goes, and to look through it for garbage takes most of a second each time."""
    while not found.began:
        await asyncio.sleep(_LOOK_SECONDS)
    gc.collect()
    gc.freeze()
