# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers that are still being written while their first tokens are handed out."""

from __future__ import annotations

import contextlib
import logging
import typing as t

from . import text, tokens
from .sequence import FinishReason

if t.TYPE_CHECKING:
    from .sequence import Sequence

LOG = logging.getLogger(__name__)


class Growing:
    """Appends to a sequence and to its pieces in step, and tells the engine."""

    def __init__(self, sequence: Sequence, pieces: list[str], wake: t.Callable[[], None]) -> None:
        self._sequence = sequence
        self._pieces = pieces
        self._wake = wake

    async def follow(self, source: t.AsyncGenerator[str], *, limit: int, stop: t.Sequence[str]) -> None:
        """Until the source, the limit or a stop string ends it. A piece is held back while it may be part of one."""
        seen: list[str] = []
        whole = ""
        longest = max((len(word) for word in stop), default=0)
        try:
            async with contextlib.aclosing(source):
                async for piece in source:
                    seen.append(piece)
                    whole += piece
                    if len(seen) >= limit or any(word in whole for word in stop):
                        break
                    self._release(seen[: _settled(seen, longest - 1)])
        except Exception:
            LOG.exception("the text of %s broke off", self._sequence.id)
            self._end(seen, FinishReason.ERROR)
            return
        answer = text.cut(seen, limit=limit, natural=None, stop=stop)
        self._end(answer.pieces, answer.finish)

    def _release(self, pieces: t.Sequence[str]) -> None:
        fresh = pieces[len(self._pieces) :]
        if not fresh:
            return
        self._pieces += fresh
        self._sequence.output = [*self._sequence.output, *(token_of(piece) for piece in fresh)]
        self._wake()

    def _end(self, pieces: t.Sequence[str], finish: FinishReason) -> None:
        self._sequence.open = False
        self._sequence.finish = finish
        self._release(pieces or [""])


def token_of(piece: str) -> int:
    return (tokens.token_ids(piece) or [0])[0]


def _settled(seen: t.Sequence[str], behind: int) -> int:
    """How many pieces have that many characters behind them; never the last, which may be the end of the answer."""
    count, after = len(seen), 0
    while count and (count == len(seen) or after < behind):
        count -= 1
        after += len(seen[count])
    return count
