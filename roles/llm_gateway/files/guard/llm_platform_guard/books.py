# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What this process has reserved and not settled yet, and whether it is just writing any of it.

Closed books stand still: nothing is reserved and nothing settled until they are opened again, so that what they owe is
one number. Each closing has a stamp of its own; books that could not stand still any longer get another one.
"""

from __future__ import annotations

import asyncio
import time
import typing as t
import uuid
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

Reservation = t.MutableMapping[str, t.Any]
Clock = t.Callable[[], float]

_INSIDE: t.Final[ContextVar[bool]] = ContextVar("llm_platform_guard_books", default=False)


class Books:
    def __init__(self, longest: float, patience: float = 10.0, clock: Clock = time.monotonic) -> None:
        """After `longest` seconds nobody will settle a reservation any more; `patience` is how long settling waits.

        LiteLLM gives a callback twenty seconds, and what it then has not settled it never does.
        """
        self._longest = longest
        self._patience = patience
        self._clock = clock
        self._held: list[tuple[float, Reservation]] = []
        self._busy = 0
        self._stamp: str | None = None
        self._moving = asyncio.Event()

    @property
    def stamp(self) -> str | None:
        """None while they are open."""
        return self._stamp

    @property
    def quiet(self) -> bool:
        return self._stamp is not None and not self._busy

    def close(self) -> None:
        if self._stamp is None:
            self._stamp = _stamp()
            self._moving.clear()

    def reopen(self) -> None:
        self._stamp = None
        self._moving.set()

    @contextmanager
    def writing(self) -> t.Iterator[None]:
        """They are not quiet meanwhile."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    @contextmanager
    def reserving(self) -> t.Iterator[None]:
        """As writing; what is given back inside of a reservation belongs to it."""
        token = _INSIDE.set(True)
        try:
            with self.writing():
                yield
        finally:
            _INSIDE.reset(token)

    @asynccontextmanager
    async def settling(self) -> t.AsyncIterator[None]:
        """Waits while they are closed; what is settled inside of a settlement belongs to it."""
        if _INSIDE.get():
            yield
            return
        await self._wait()
        with self.reserving():
            yield

    async def _wait(self) -> None:
        if self._stamp is None:
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._moving.wait()
        except TimeoutError:
            if self._stamp is not None:
                self._stamp = _stamp()

    def note(self, reservation: Reservation) -> None:
        self._held.append((self._clock(), reservation))

    def owed(self) -> dict[str, float]:
        """By counter: what it must hold beyond what the database says."""
        oldest = self._clock() - self._longest
        self._held = [(began, one) for began, one in self._held if not one.get("finalized") and began > oldest]
        owed: defaultdict[str, float] = defaultdict(float)
        for _began, reservation in self._held:
            for entry in reservation.get("entries") or ():
                reserved = entry.get("reserved_cost", reservation.get("reserved_cost")) or 0.0
                owed[str(entry["counter_key"])] += float(reserved) + float(entry.get("applied_adjustment") or 0.0)
        return dict(owed)


def _stamp() -> str:
    return uuid.uuid4().hex
