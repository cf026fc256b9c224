# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Sums that are still to be written to the database, kept by the process that must write them.

LiteLLM keeps them in Redis, from where one replica writes those of all: what a Redis that forgets had of them was in
no ledger. Here every replica keeps and writes its own. Only what it cannot write as it ends goes to Redis, and is
written by another one.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict, deque


class Redis(t.Protocol):
    """What is used of litellm.caching.redis_cache.RedisCache."""

    async def async_rpush_pipeline(self, rpush_list: t.Sequence[t.Mapping[str, t.Any]]) -> list[int]: ...

    async def async_lpop_pipeline(self, lpop_list: t.Sequence[t.Mapping[str, t.Any]]) -> list[list[str] | None]: ...


class Unwritten:
    """Stands where LiteLLM's buffer has its Redis. Lists that are not in `names` stay in Redis."""

    def __init__(self, redis: Redis, names: t.Collection[str], ends: t.Callable[[], bool]) -> None:
        self._redis = redis
        self._names = frozenset(names)
        self._ends = ends
        self._kept: defaultdict[str, deque[str]] = defaultdict(deque)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._redis, name)

    @property
    def empty(self) -> bool:
        return not any(self._kept.values())

    async def async_rpush_pipeline(self, rpush_list: t.Sequence[t.Mapping[str, t.Any]]) -> list[int]:
        if not self._keeps(rpush_list):
            return await self._redis.async_rpush_pipeline(rpush_list)
        if self._ends():
            try:
                return await self._redis.async_rpush_pipeline(rpush_list)
            except Exception:  # noqa: BLE001, S110 - then they are kept after all
                pass
        for item in rpush_list:
            self._kept[item["key"]].extend(item["values"])
        return [len(self._kept[item["key"]]) for item in rpush_list]

    async def async_lpop_pipeline(self, lpop_list: t.Sequence[t.Mapping[str, t.Any]]) -> list[list[str] | None]:
        if not self._keeps(lpop_list):
            return await self._redis.async_lpop_pipeline(lpop_list)
        left = await self._left_behind(lpop_list)
        return [
            [*self._taken(item["key"]), *(found or ())] or None for item, found in zip(lpop_list, left, strict=True)
        ]

    def _keeps(self, items: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
        return all(item["key"] in self._names for item in items)

    async def _left_behind(self, lpop_list: t.Sequence[t.Mapping[str, t.Any]]) -> list[list[str] | None]:
        """By replicas that ended. One's own is written without Redis, too."""
        try:
            found = await self._redis.async_lpop_pipeline(lpop_list)
        except Exception:  # noqa: BLE001 - another time
            found = []
        return [*found, *[None] * (len(lpop_list) - len(found))]

    def _taken(self, name: str) -> list[str]:
        kept = self._kept.pop(name, ())
        return list(kept)
