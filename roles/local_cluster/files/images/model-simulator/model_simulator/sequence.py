# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""One sequence on its way through the engine: what was asked, how far it is, when what happened."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from .kv_cache import BlockHash, chain_hash, root_hash


class FinishReason(enum.StrEnum):
    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"
    ERROR = "error"
    REPETITION = "repetition"


@dataclasses.dataclass(slots=True, eq=False)
class Sequence:
    """The engine decides when each token of `output` appears; while it is open, more may follow."""

    id: str
    prompt: t.Sequence[int]
    output: t.Sequence[int]
    finish: FinishReason
    """Why it ends after the last token of `output`."""
    salt: str = ""
    max_tokens: int = 0
    n: int = 1
    pooling: bool = False
    """Ends with the prefill and yields no token (embeddings)."""
    open: bool = False

    arrived: float = 0.0
    ready: float = 0.0
    scheduled: float | None = None
    first_token: float | None = None
    last_token: float | None = None
    computed: int = 0
    generated: int = 0
    cached: int = 0
    preemptions: int = 0
    finished: FinishReason | None = None
    blocks: list[int] = dataclasses.field(default_factory=list)
    published: int = 0
    _hashes: list[BlockHash] = dataclasses.field(default_factory=list)

    @property
    def starved(self) -> bool:
        """Its next token is not known yet, so that no step can yield it."""
        return self.open and self.generated >= len(self.output)

    @property
    def length(self) -> int:
        return len(self.prompt) + self.generated

    @property
    def pending(self) -> int:
        """Tokens whose KV entries are still to be computed."""
        return self.length - self.computed

    @property
    def in_prefill(self) -> bool:
        return self.pending > 1 or self.first_token is None

    def hashes(self, block_size: int) -> list[BlockHash]:
        """Hashes of all full blocks so far."""
        while len(self._hashes) < self.length // block_size:
            start = len(self._hashes) * block_size
            parent = self._hashes[-1] if self._hashes else root_hash(self.salt)
            self._hashes.append(chain_hash(parent, [self._token(i) for i in range(start, start + block_size)]))
        return self._hashes

    def _token(self, index: int) -> int:
        inside = len(self.prompt)
        return self.prompt[index] if index < inside else self.output[index - inside]
