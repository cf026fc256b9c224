# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Nothing reaches a model that is not in counters which still live.

A request is let in only in an epoch, and only if the epoch is the same after its reservation. When Redis has forgotten
it, every replica lets nobody in, closes its books and writes what was settled to the database. When all of them have
said so, one makes the counters anew from the database and from what is reserved for requests on their way, and with
them the next epoch. Requests on their way are not disturbed: only their bill waits, for a few seconds.

A replica that was not heard, and so is not in the new counters, revokes the epoch, and it begins once more.
"""

from __future__ import annotations

import asyncio
import logging
import time
import typing as t
import uuid
from collections import defaultdict
from dataclasses import dataclass

from .epoch import Word

if t.TYPE_CHECKING:
    from .books import Books, Clock
    from .epoch import Shared

LOG: t.Final = logging.getLogger("llm_platform_guard")


class ForgottenError(Exception):
    """Nobody can say what was spent: the counters are gone, or do not answer."""


class Ledger(t.Protocol):
    """What must reach the database, and what it says."""

    def written(self) -> bool: ...

    async def write(self) -> None:
        """Try to; it is tried again."""

    async def spent(self, counters: t.Collection[str]) -> t.Mapping[str, float]: ...

    def seconds(self) -> int | None:
        """How long a counter lives."""


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds. A replica that was not heard for `silent` is gone; `gather` is how long one that was let in
    just before may take to be heard for the first time."""

    open: float = 1.0
    closed: float = 0.25
    answer: float = 3.0
    gather: float = 3.0
    silent: float = 15.0
    overdue: float = 6.0


@dataclass(slots=True)
class _Peer:
    word: Word
    heard: float


class Keeper:
    def __init__(
        self,
        books: Books,
        shared: Shared,
        ledger: Ledger,
        needed: t.Callable[[], bool],
        *,
        pace: Pace = Pace(),
        clock: Clock = time.monotonic,
    ) -> None:
        """`needed` says whether counters are kept outside of this process."""
        self.books = books
        self.me = uuid.uuid4().hex
        self._shared = shared
        self._ledger = ledger
        self._needed = needed
        self._pace = pace
        self._clock = clock
        self._epoch: str | None = None
        self._whole = False
        self._missing_since: float | None = None
        self._reached = True
        self._beat = 0
        self._writing: asyncio.Task[None] | None = None
        self._peers: dict[str, _Peer] = {}
        self._hurry = asyncio.Event()

    @property
    def admits(self) -> bool:
        return self._whole or not self._needed()

    @property
    def began(self) -> bool:
        """Whether it has ever let anybody in."""
        return self._epoch is not None or not self._needed()

    async def confirm(self) -> None:
        """Whoever reserved something before this call has it in counters that still live."""
        epoch = self._epoch
        if not self._needed():
            return
        if not self._whole:
            raise ForgottenError
        try:
            async with asyncio.timeout(self._pace.answer):
                current = await self._shared.current()
        except Exception as error:
            raise ForgottenError from error
        if current != epoch:
            self._lose()
            self._hurry.set()
            raise ForgottenError

    async def run(self) -> None:
        while True:
            if self._needed():
                await self._turn_guarded()
            try:
                async with asyncio.timeout(self._pace.open if self._whole else self._pace.closed):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()

    async def _turn_guarded(self) -> None:
        try:
            await self.turn()
        except Exception as error:  # noqa: BLE001 - whatever it is: while it lasts nobody is let in
            if self._reached and not self._whole:
                LOG.warning("no epoch of the budgets' counters yet: %s", type(error).__name__)
            self._forget_the_silent()
            self._reached, self._missing_since = False, None

    async def turn(self) -> None:
        """One look at the others, and what follows from it."""
        if self.books.quiet and not self._ledger.written() and (self._writing is None or self._writing.done()):
            # Not waited for: a replica that cannot write must be heard all the same, or it would pass for dead.
            self._writing = asyncio.create_task(self._ledger.write())
        epoch, words = await self._exchange()
        self._hear(words)
        if epoch is not None and self._whole and epoch == self._epoch:
            await self._bury(words)
            return
        self._lose()
        if epoch is not None:
            self._missing_since = None
            await self._join(epoch)
        else:
            now = self._clock()
            self._missing_since = now if self._missing_since is None else self._missing_since
            await self._begin(now - self._missing_since)

    async def _exchange(self) -> tuple[str | None, dict[str, Word]]:
        self._beat += 1
        word = Word(self._beat)
        if self.books.quiet and self._ledger.written():
            word = Word(self._beat, self.books.stamp, self.books.owed())
        async with asyncio.timeout(self._pace.answer):
            return await self._shared.exchange(self.me, word)

    def _hear(self, words: t.Mapping[str, Word]) -> None:
        now = self._clock()
        if not self._reached:
            # While nobody could be heard, nobody fell silent.
            for peer in self._peers.values():
                peer.heard = now
            self._reached = True
        for name, word in words.items():
            known = self._peers.get(name)
            if known is None or known.word.beat != word.beat:
                self._peers[name] = _Peer(word, now)

    def _forget_the_silent(self) -> None:
        if self._reached:
            self._peers = dict(self._living())

    async def _bury(self, words: t.Collection[str]) -> None:
        living = dict(self._living())
        if dead := [name for name in words if name not in living]:
            await self._shared.forget(dead)
            self._peers = living

    def _living(self) -> t.Iterator[tuple[str, _Peer]]:
        now = self._clock()
        return ((name, peer) for name, peer in self._peers.items() if now - peer.heard < self._pace.silent)

    def _lose(self) -> None:
        if self._whole:
            LOG.warning("the budgets' counters are gone from Redis: nobody is let in until they are made anew")
        self._whole = False
        self.books.close()

    async def _join(self, epoch: str) -> None:
        """Only with nothing to bring, or when what there was to bring is in it already."""
        members = await self._shared.members()
        self._beat += 1
        async with asyncio.timeout(self._pace.answer):
            # Said before anybody is let in, so that no word of closed books is left standing.
            again, _words = await self._shared.exchange(self.me, Word(self._beat))
        if again != epoch:
            return
        if self._epoch is not None and members.get(self.me) != self.books.stamp:
            LOG.warning("the budgets' counters were made without this replica: once more")
            await self._shared.revoke()
            return
        self._epoch, self._whole = epoch, True
        self.books.reopen()
        LOG.warning("the budgets' counters are whole: epoch %s of %d replicas", epoch[:8], len(members))

    async def _begin(self, missing: float) -> None:
        words = {name: peer.word for name, peer in self._living()}
        if missing < self._pace.gather or not words or any(word.stamp is None for word in words.values()):
            return
        if min(words) != self.me and missing < self._pace.overdue:
            return
        owed: defaultdict[str, float] = defaultdict(float)
        for word in words.values():
            for counter, amount in word.owed.items():
                owed[counter] += amount
        spent = await self._ledger.spent(owed)
        counters = {name: spent[name] + amount for name, amount in owed.items() if name in spent}
        members = {name: str(word.stamp) for name, word in words.items()}
        if await self._shared.begin(uuid.uuid4().hex, members, counters, self._ledger.seconds()):
            self._hurry.set()
