# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Drives the scheduler in real time: sleeps through steps, hands tokens to those who wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import time
import typing as t

if t.TYPE_CHECKING:
    from .metrics import Metrics
    from .scheduler import Progress, Scheduler
    from .sequence import Sequence

BEHIND = 0.25
"""Seconds the steps may lag behind the clock before the schedule is moved: an overloaded machine cannot catch up."""


class Engine:
    def __init__(self, scheduler: Scheduler, metrics: Metrics) -> None:
        self.scheduler = scheduler
        self.metrics = metrics
        self._work = asyncio.Event()
        self._listeners: dict[Sequence, asyncio.Queue[Progress]] = {}
        metrics.watch(scheduler)

    @contextlib.contextmanager
    def submit(self, sequences: t.Sequence[Sequence]) -> t.Iterator[t.AsyncIterator[Progress]]:
        """Progress of all of them. Leaving the block early aborts the rest and frees their slots at once."""
        queue: asyncio.Queue[Progress] = asyncio.Queue()
        for sequence in sequences:
            self._listeners[sequence] = queue
            self.scheduler.submit(sequence, time.monotonic())
        self._work.set()
        try:
            yield self._listen(queue, len(sequences))
        finally:
            for sequence in sequences:
                del self._listeners[sequence]
                if self.scheduler.abort(sequence):
                    self.metrics.ended(sequence, time.monotonic())

    def wake(self) -> None:
        """A sequence got more to hand out."""
        self._work.set()

    async def run(self) -> None:
        """Until cancelled. Each step starts where the one before ended, so that timer errors do not add up."""
        cursor = time.monotonic()
        while True:
            now = time.monotonic()
            if now - cursor > BEHIND:
                cursor = now
            step = self.scheduler.begin(cursor)
            if step is None:
                cursor = await self._rest(now)
                continue
            await asyncio.sleep(max(0.0, step.end - time.monotonic()))
            progress = self.scheduler.complete(step)
            self.metrics.step(step, progress, self.scheduler.preemptions)
            for item in progress:
                if item.done:
                    self.metrics.ended(item.sequence, step.end)
                listener = self._listeners.get(item.sequence)
                if listener is not None:
                    listener.put_nowait(item)
            cursor = step.end

    async def _rest(self, now: float) -> float:
        """Wait for a sequence to come out of the front end, or for a new one; the time at which to go on."""
        arrival = self.scheduler.next_arrival()
        if arrival is not None:
            await asyncio.sleep(max(0.0, arrival - now))
            return arrival
        self._work.clear()
        await self._work.wait()
        return time.monotonic()

    @staticmethod
    async def _listen(queue: asyncio.Queue[Progress], open_sequences: int) -> t.AsyncIterator[Progress]:
        while open_sequences:
            item = await queue.get()
            open_sequences -= item.done
            yield item
