# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts the parts together: from a request to sequences in the engine and back to text."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import dataclasses
import time
import typing as t
import uuid

from . import protocol, text
from .engine import Engine
from .errors import ApiError
from .faults import FaultInjector, Faults
from .growing import Growing, token_of
from .kv_cache import BlockPool
from .metrics import Metrics
from .request_log import RequestLog
from .scheduler import Scheduler
from .sequence import FinishReason, Sequence
from .timing import PROFILES

if t.TYPE_CHECKING:
    from .options import Options
    from .scheduler import Progress


class TextSource(t.Protocol):
    """Where the words of an answer come from."""

    described: str
    counting: str
    """What precedes the description of how all other tokens are counted."""

    def pieces(
        self, request: protocol.Generation, prompt: protocol.Prompt, seed: int, limit: int, /
    ) -> t.Iterable[str] | t.AsyncGenerator[str]:
        """The text of each token: made up as far as it is wanted, or on its way."""

    def longest(self, limit: int, /) -> int:
        """How many tokens of those asked for an answer that is on its way may have."""


class MadeUpText:
    described = "made up, the same for the same request"
    counting = ""

    def pieces(
        self, _request: protocol.Generation, _prompt: protocol.Prompt, seed: int, _limit: int, /
    ) -> t.Iterable[str]:
        return text.made_up(seed)

    @staticmethod
    def longest(limit: int, /) -> int:
        return limit


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """A sequence, the text of each of its tokens, and what makes both grow if they do."""

    sequence: Sequence
    pieces: t.Sequence[str]
    growth: t.Callable[[], t.Coroutine[t.Any, t.Any, None]] | None = None


class Server:
    def __init__(self, options: Options, source: TextSource) -> None:
        self.options = options
        self.source = source
        profile = PROFILES[options.profile]
        self.metrics = Metrics(options.served_model_name[0], options.max_model_len, _cache_config(options))
        pool = BlockPool(options.gpu_blocks, options.block_size, share=options.enable_prefix_caching)
        self.engine = Engine(
            Scheduler(
                profile,
                max_num_seqs=options.max_num_seqs,
                max_num_batched_tokens=options.max_num_batched_tokens,
                pool=pool,
            ),
            self.metrics,
        )
        self.log = RequestLog(options.request_log_size)
        faults = Faults(options.error_rate, 500, options.delay_seconds, options.stall_rate)
        self.faults = FaultInjector(faults, options.seed)
        self.started = time.monotonic()
        self.created = int(time.time())

    @property
    def ready(self) -> bool:
        return time.monotonic() - self.started >= self.options.startup_seconds

    def check_model(self, name: str) -> None:
        if name not in self.options.served_model_name:
            raise ApiError(404, f"the model '{name}' does not exist", param="model")

    def plan(self, request: protocol.Generation) -> list[Planned]:
        """Prompts times n sequences, in the order of their choices."""
        most = self.options.max_new_tokens or self.options.max_model_len
        limits = [min(most, request.limit(prompt, self.options.max_model_len)) for prompt in request.prompts]
        for limit in limits:
            self.metrics.request(request.n, limit)
        return [
            self._plan_one(request, prompt, limit, index)
            for prompt, limit in zip(request.prompts, limits, strict=True)
            for index in range(request.n)
        ]

    def _plan_one(self, request: protocol.Generation, prompt: protocol.Prompt, limit: int, index: int) -> Planned:
        seed = text.seed_of(prompt.ids, self.options.seed if request.seed is None else request.seed, index)
        source = self.source.pieces(request, prompt, seed, limit)
        sequence = Sequence(
            id=uuid.uuid4().hex,
            prompt=prompt.ids,
            output=(),
            finish=FinishReason.STOP,
            salt=request.salt,
            max_tokens=limit,
            n=request.n,
        )
        if isinstance(source, collections.abc.AsyncGenerator):
            sequence.open = True
            growing: list[str] = []
            follow = Growing(sequence, growing, self.engine.wake).follow
            longest = self.source.longest(limit)
            return Planned(sequence, growing, lambda: follow(source, limit=longest, stop=request.stop))
        natural = None if request.ignore_eos else text.natural_length(seed, request.min_tokens)
        answer = text.cut(source, limit=limit, natural=natural, stop=request.stop)
        pieces = answer.pieces or ("",)
        sequence.output = [token_of(piece) for piece in pieces]
        sequence.finish = answer.finish
        return Planned(sequence, pieces)

    @contextlib.contextmanager
    def run(self, planned: t.Sequence[Planned]) -> t.Iterator[t.AsyncIterator[Progress]]:
        """Progress of all of them. Leaving the block early stops what is on its way, too."""
        growth = [asyncio.create_task(item.growth()) for item in planned if item.growth]
        try:
            with self.engine.submit([item.sequence for item in planned]) as progress:
                yield progress
        finally:
            for task in growth:
                task.cancel()

    async def embed(
        self,
        prompts: t.Sequence[protocol.Prompt],
        dimensions: int,
        salt: str,
        follow: t.Callable[[t.Iterable[Sequence]], None],
    ) -> list[list[float]]:
        for prompt in prompts:
            if len(prompt.ids) > self.options.max_model_len:
                raise ApiError(
                    400,
                    f"this model's context is {self.options.max_model_len} tokens, the input has {len(prompt.ids)}",
                    param="input",
                )
        sequences = [
            Sequence(uuid.uuid4().hex, prompt.ids, (), FinishReason.STOP, salt, pooling=True) for prompt in prompts
        ]
        follow(sequences)
        with self.engine.submit(sequences) as progress:
            async for _item in progress:
                pass
        return [await asyncio.to_thread(text.embedding, prompt.ids, dimensions) for prompt in prompts]


def _cache_config(options: Options) -> dict[str, str]:
    """The labels of vllm:cache_config_info that mean something here."""
    return {
        "block_size": str(options.block_size),
        "cache_dtype": "auto",
        "enable_prefix_caching": str(options.enable_prefix_caching),
        "gpu_memory_utilization": str(options.gpu_memory_utilization),
        "num_gpu_blocks": str(options.gpu_blocks),
        "num_gpu_blocks_override": str(options.num_gpu_blocks_override),
        "prefix_caching_hash_algo": "sha256",
    }
