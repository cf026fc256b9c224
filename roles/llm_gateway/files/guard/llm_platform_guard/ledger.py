# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's way to the database, as the keeper of epochs sees it."""

from __future__ import annotations

import asyncio
import typing as t

from .unwritten import Unwritten

_LOOK_UP_SECONDS: t.Final = 5.0


class Proxy(t.Protocol):
    """What is used of litellm.proxy.proxy_server."""

    prisma_client: t.Any
    proxy_logging_obj: t.Any
    spend_counter_cache: t.Any
    SpendCounterReseed: t.Any


class LiteLLMLedger:
    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._turn = asyncio.Lock()

    @property
    def turn(self) -> asyncio.Lock:
        """Held by whoever writes: what he took out of the queues is in neither of them nor in the database."""
        return self._turn

    def written(self) -> bool:
        if self._turn.locked():
            return False
        writer = self._proxy.proxy_logging_obj.db_spend_update_writer
        kept = writer.redis_update_buffer.redis_cache
        return writer.spend_update_queue.update_queue.empty() and (not isinstance(kept, Unwritten) or kept.empty)

    async def write(self) -> None:
        if self._proxy.prisma_client is None:
            return
        logging = self._proxy.proxy_logging_obj
        await logging.db_spend_update_writer.db_update_spend_transaction_handler(
            prisma_client=self._proxy.prisma_client, n_retry_times=0, proxy_logging_obj=logging
        )

    async def spent(self, counters: t.Collection[str]) -> dict[str, float]:
        """Without those that have no row (any more): nothing is admitted on them either."""
        found: dict[str, float] = {}
        for name in counters:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                row = await self._proxy.SpendCounterReseed._counter_row(self._proxy.prisma_client, name)  # noqa: SLF001
            if row is not None:
                found[name] = float(row.spend or 0.0)
        return found

    def seconds(self) -> int | None:
        return t.cast("int | None", self._proxy.spend_counter_cache.redis_cache.get_ttl())
