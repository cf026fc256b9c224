# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Continuous batching with chunked prefill, as pure state: every method takes the time, nothing here sleeps."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from .sequence import FinishReason, Sequence

if t.TYPE_CHECKING:
    from .kv_cache import BlockPool
    from .timing import TimingProfile


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What one sequence gets of a step."""

    sequence: Sequence
    tokens: int


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    start: float
    end: float
    shares: tuple[Share, ...]
    prefill_tokens: int


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """A sequence that got a token or came to its end in a step; `latency` is since its previous token."""

    sequence: Sequence
    token: int | None
    first: bool
    latency: float
    done: bool


class Scheduler:
    def __init__(
        self,
        profile: TimingProfile,
        *,
        max_num_seqs: int,
        max_num_batched_tokens: int,
        pool: BlockPool,
    ) -> None:
        self.profile = profile
        self.max_num_seqs = max_num_seqs
        self.max_num_batched_tokens = max_num_batched_tokens
        self.pool = pool
        self.preemptions = 0
        self.arriving: collections.deque[Sequence] = collections.deque()
        self.waiting: collections.deque[Sequence] = collections.deque()
        self.running: dict[Sequence, None] = {}  # in the order of admission
        self._front_end_free = 0.0

    def submit(self, sequence: Sequence, now: float) -> None:
        self._front_end_free = max(now, self._front_end_free) + self.profile.ingest
        sequence.arrived = now
        sequence.ready = self._front_end_free + self.profile.transit
        self.arriving.append(sequence)

    def abort(self, sequence: Sequence) -> bool:
        """Free everything the sequence holds at once. False when it had ended already."""
        if sequence.finished is not None:
            return False
        self.running.pop(sequence, None)
        for queue in (self.arriving, self.waiting):
            if sequence in queue:
                queue.remove(sequence)
        self._end(sequence, FinishReason.ABORT)
        return True

    def next_arrival(self) -> float | None:
        return self.arriving[0].ready if self.arriving else None

    def admit(self, now: float) -> None:
        """Sequences that the front end has passed on join the queue."""
        while self.arriving and self.arriving[0].ready <= now:
            self.waiting.append(self.arriving.popleft())

    def begin(self, now: float) -> Step | None:
        """Choose the work of the next step; None when there is none."""
        self.admit(now)
        budget = self.max_num_batched_tokens
        shares, preempted = self._continue_running(budget)
        budget -= sum(share.tokens for share in shares)
        if not preempted:
            shares += self._start_waiting(budget, now)
        if not shares:
            return None
        decodes = [share for share in shares if not share.sequence.in_prefill]
        prefills = [share for share in shares if share.sequence.in_prefill]
        prefill_tokens = sum(share.tokens for share in prefills)
        seconds = self.profile.step_seconds(
            decodes=len(decodes),
            context_tokens=sum(share.sequence.length for share in decodes),
            prefills=len(prefills),
            prefill_tokens=prefill_tokens,
        )
        return Step(now, now + seconds, tuple(shares), prefill_tokens)

    def complete(self, step: Step) -> list[Progress]:
        """Book a step's work; sequences that were aborted meanwhile are left out."""
        progress: list[Progress] = []
        for share in step.shares:
            sequence = share.sequence
            if sequence.finished is not None:
                continue
            sequence.computed += share.tokens
            self._publish(sequence)
            if sequence.pending == 0:
                progress.append(self._advance(sequence, step.end))
        return progress

    def _continue_running(self, budget: int) -> tuple[list[Share], bool]:
        shares: list[Share] = []
        preempted = False
        for sequence in list(self.running):
            if sequence not in self.running or budget <= 0 or sequence.starved:
                continue
            tokens = min(sequence.pending, budget)
            while not self._reserve(sequence, sequence.computed + tokens):
                victim = next(reversed(self.running))
                preempted = True
                self._preempt(victim)
                if victim is sequence:
                    break
            if sequence in self.running:
                shares.append(Share(sequence, tokens))
                budget -= tokens
        return shares, preempted

    def _start_waiting(self, budget: int, now: float) -> list[Share]:
        shares: list[Share] = []
        while budget > 0 and len(self.running) < self.max_num_seqs:
            sequence = next((one for one in self.waiting if not one.starved), None)
            if sequence is None:
                break
            known = self._known_prefix(sequence)
            cached = len(known) * self.pool.block_size
            tokens = min(sequence.length - cached, budget)
            fresh = self.pool.acquire(known, self._blocks(cached + tokens) - len(known))
            if fresh is None:
                break
            self.waiting.remove(sequence)
            self.running[sequence] = None
            sequence.blocks = known + fresh
            sequence.computed = cached
            sequence.published = len(known)
            if sequence.preemptions == 0:
                sequence.cached = cached
            if sequence.scheduled is None:
                sequence.scheduled = now
            shares.append(Share(sequence, tokens))
            budget -= tokens
        return shares

    def _known_prefix(self, sequence: Sequence) -> list[int]:
        """At least the last token is always computed: its output is what the step is for."""
        if not self.pool.share:
            return []
        useful = (sequence.length - 1) // self.pool.block_size
        return self.pool.match(sequence.hashes(self.pool.block_size)[:useful])

    def _reserve(self, sequence: Sequence, tokens: int) -> bool:
        missing = self._blocks(tokens) - len(sequence.blocks)
        if missing <= 0:
            return True
        fresh = self.pool.acquire((), missing)
        if fresh is None:
            return False
        sequence.blocks += fresh
        return True

    def _preempt(self, sequence: Sequence) -> None:
        del self.running[sequence]
        self.pool.release(sequence.blocks)
        sequence.blocks = []
        sequence.computed = 0
        sequence.preemptions += 1
        self.preemptions += 1
        self.waiting.appendleft(sequence)

    def _publish(self, sequence: Sequence) -> None:
        full = sequence.computed // self.pool.block_size
        if full > sequence.published and self.pool.share:
            hashes = sequence.hashes(self.pool.block_size)
            for index in range(sequence.published, full):
                self.pool.publish(sequence.blocks[index], hashes[index])
        sequence.published = max(full, sequence.published)

    def _advance(self, sequence: Sequence, now: float) -> Progress:
        first = sequence.first_token is None
        latency = now - (sequence.arrived if sequence.last_token is None else sequence.last_token)
        if first:
            sequence.first_token = now
        sequence.last_token = now
        token: int | None = None
        if sequence.generated < len(sequence.output):
            token = sequence.output[sequence.generated]
            sequence.generated += 1
        done = sequence.generated >= len(sequence.output) and not sequence.open
        if done:
            del self.running[sequence]
            self._end(sequence, sequence.finish)
        return Progress(sequence, token, first, latency, done)

    def _end(self, sequence: Sequence, reason: FinishReason) -> None:
        self.pool.release(sequence.blocks)
        sequence.blocks = []
        sequence.finished = reason

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self.pool.block_size)


def drain(scheduler: Scheduler, now: float, on_progress: t.Callable[[Progress, float], None]) -> float:
    """Run on a simulated clock until nothing is left; returns the time it ended."""
    while True:
        step = scheduler.begin(now)
        if step is None:
            arrival = scheduler.next_arrival()
            if arrival is None:
                return now
            now = max(now, arrival)
            continue
        now = step.end
        for progress in scheduler.complete(step):
            on_progress(progress, now)
