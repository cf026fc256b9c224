# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A Redis as the guard sees it: every command lets others go first, a transaction does not."""

from __future__ import annotations

import asyncio
import fnmatch
import typing as t


class WatchError(Exception):
    """A watched key was changed before the transaction."""


class FakeRedis:
    def __init__(self) -> None:
        self.data: dict[str, t.Any] = {}
        self.versions: dict[str, int] = {}
        self.down = False

    def flushall(self) -> None:
        for name in self.data:
            self._touch(name)
        self.data = {}

    async def get(self, name: str) -> str | None:
        await self._come()
        return t.cast("str | None", self.data.get(name))

    async def set(self, name: str, value: object, ex: int | None = None, nx: bool = False) -> bool:
        await self._come()
        return self.do_set(name, value, ex, nx=nx)

    async def delete(self, *names: str) -> None:
        await self._come()
        self.do_delete(*names)

    async def hdel(self, name: str, *fields: str) -> None:
        await self._come()
        for field in fields:
            self.data.get(name, {}).pop(field, None)

    async def hgetall(self, name: str) -> dict[str, str]:
        await self._come()
        return self.do_hgetall(name)

    async def incrbyfloat(self, name: str, amount: float) -> float:
        await self._come()
        self._touch(name)
        self.data[name] = repr(float(self.data.get(name, 0.0)) + amount)
        return float(self.data[name])

    async def scan_iter(self, match: str, count: int) -> t.AsyncIterator[str]:
        assert count
        await self._come()
        for name in [name for name in self.data if fnmatch.fnmatchcase(name, match)]:
            yield name

    def pipeline(self, transaction: bool) -> Pipeline:
        return Pipeline(self, transaction)

    def do_get(self, name: str) -> t.Any:
        return self.data.get(name)

    def do_set(self, name: str, value: object, ex: int | None = None, *, nx: bool = False) -> bool:
        if nx and name in self.data:
            return False
        self._touch(name)
        self.data[name] = str(value)
        return True

    def do_delete(self, *names: str) -> None:
        for name in names:
            if self.data.pop(name, None) is not None:
                self._touch(name)

    def do_hset(self, name: str, field: str = "", value: str = "", mapping: t.Any = None) -> None:
        self._touch(name)
        self.data.setdefault(name, {}).update(mapping if mapping is not None else {field: value})

    def do_hgetall(self, name: str) -> dict[str, str]:
        return dict(self.data.get(name, {}))

    def _touch(self, name: str) -> None:
        self.versions[name] = self.versions.get(name, 0) + 1

    async def _come(self) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise ConnectionError


class Pipeline:
    def __init__(self, redis: FakeRedis, transaction: bool) -> None:
        self._redis = redis
        self._direct = False
        self._transaction = transaction
        self._calls: list[tuple[str, t.Any, t.Any]] = []
        self._watched: dict[str, int] = {}

    async def __aenter__(self) -> t.Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._calls = []

    def __getattr__(self, name: str) -> t.Any:
        def call(*given: t.Any, **named: t.Any) -> t.Any:
            if self._direct:
                return getattr(self._redis, name)(*given, **named)
            return self._calls.append((f"do_{name}", given, named))

        return call

    async def watch(self, name: str) -> None:
        assert self._transaction
        self._direct = True
        self._watched[name] = self._redis.versions.get(name, 0)

    def multi(self) -> None:
        self._direct = False

    async def execute(self) -> list[t.Any]:
        await self._redis._come()
        if any(self._redis.versions.get(name, 0) != version for name, version in self._watched.items()):
            raise WatchError
        results = []
        for name, given, named in self._calls:
            results.append(getattr(self._redis, name)(*given, **named))
            if not self._transaction:
                await asyncio.sleep(0)
        return results
