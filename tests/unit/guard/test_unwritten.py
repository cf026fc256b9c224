# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Sums stay with the process that must write them; only one that ends leaves them to others."""

from __future__ import annotations

import asyncio
import typing as t

SUMS: t.Final = [{"key": "sums", "values": ["1"]}, {"key": "days", "values": ["2", "3"]}]
POP: t.Final = [{"key": "sums", "count": 100}, {"key": "days", "count": 100}]


class Redis:
    marker = "of Redis"

    def __init__(self) -> None:
        self.lists: dict[str, list[str]] = {}
        self.down = False

    async def async_rpush_pipeline(self, rpush_list: t.Any) -> list[int]:
        if self.down:
            raise ConnectionError
        for item in rpush_list:
            self.lists.setdefault(item["key"], []).extend(item["values"])
        return [1 for _item in rpush_list]

    async def async_lpop_pipeline(self, lpop_list: t.Any) -> list[list[str] | None]:
        if self.down:
            raise ConnectionError
        return [self.lists.pop(item["key"], None) for item in lpop_list]


def make(ends: bool = False) -> tuple[t.Any, Redis]:
    from llm_platform_guard.unwritten import Unwritten

    redis = Redis()
    return Unwritten(redis, ["sums", "days"], lambda: ends), redis


def push(kept: t.Any, items: t.Any) -> None:
    asyncio.run(kept.async_rpush_pipeline(items))


def pop(kept: t.Any, items: t.Any) -> t.Any:
    return asyncio.run(kept.async_lpop_pipeline(items))


def test_what_is_to_be_written_is_never_in_redis() -> None:
    kept, redis = make()
    push(kept, SUMS)
    assert (redis.lists, kept.empty) == ({}, False)
    redis.down = True
    assert pop(kept, POP) == [["1"], ["2", "3"]]
    assert kept.empty
    assert pop(kept, POP) == [None, None]


def test_what_another_replica_left_is_written_too() -> None:
    kept, redis = make()
    redis.lists = {"sums": ["9"]}
    push(kept, SUMS)
    assert pop(kept, POP) == [["1", "9"], ["2", "3"]]
    assert redis.lists == {}


def test_a_replica_that_ends_leaves_what_it_could_not_write() -> None:
    kept, redis = make(ends=True)
    push(kept, SUMS)
    assert (redis.lists, kept.empty) == ({"sums": ["1"], "days": ["2", "3"]}, True)


def test_a_replica_that_ends_without_redis_keeps_them_for_its_last_try() -> None:
    kept, redis = make(ends=True)
    redis.down = True
    push(kept, SUMS)
    assert pop(kept, POP) == [["1"], ["2", "3"]]


def test_other_lists_and_everything_else_are_redis_own() -> None:
    kept, redis = make()
    push(kept, [{"key": "tools", "values": ["x"]}])
    assert redis.lists == {"tools": ["x"]}
    assert pop(kept, [{"key": "tools", "count": 1}]) == [["x"]]
    assert kept.marker == "of Redis"
