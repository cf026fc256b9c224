# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""OpenAI response objects."""

from __future__ import annotations

import dataclasses
import time
import typing as t
import uuid

if t.TYPE_CHECKING:
    from .protocol import Generation
    from .sequence import Sequence

Json = dict[str, t.Any]


def usage(prompt: int, completion: int, cached: int) -> Json:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def usage_of(sequences: t.Sequence[Sequence], n: int) -> Json:
    """A prompt that is answered n times is counted once."""
    firsts = sequences[::n]
    return usage(
        sum(len(sequence.prompt) for sequence in firsts),
        sum(sequence.generated for sequence in sequences),
        sum(sequence.cached for sequence in firsts),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What chat and completions answers have in common, and where they differ."""

    request: Generation
    head: Json

    @classmethod
    def of(cls, request: Generation) -> Shape:
        prefix = "chatcmpl-" if request.chat else "cmpl-"
        head = {"id": prefix + uuid.uuid4().hex, "created": int(time.time()), "model": request.model}
        return cls(request, head)

    def whole(self, sequences: t.Sequence[Sequence], texts: t.Sequence[str]) -> Json:
        choices = [
            self._choice(index, sequence, text)
            for index, (sequence, text) in enumerate(zip(sequences, texts, strict=True))
        ]
        kind = "chat.completion" if self.request.chat else "text_completion"
        return {**self.head, "object": kind, "choices": choices, "usage": usage_of(sequences, self.request.n)}

    def opening(self, index: int) -> Json:
        return self._chunk(index, {"role": "assistant", "content": ""}, None)

    def piece(self, index: int, text: str, reason: str | None) -> Json:
        return self._chunk(index, {"content": text} if self.request.chat else text, reason)

    def closing(self, sequences: t.Sequence[Sequence]) -> Json:
        return {**self._chunk_head(), "choices": [], "usage": usage_of(sequences, self.request.n)}

    def _choice(self, index: int, sequence: Sequence, text: str) -> Json:
        reason = None if sequence.finished is None else sequence.finished.value
        content: Json = {"message": {"role": "assistant", "content": text}} if self.request.chat else {"text": text}
        return {"index": index, **content, "logprobs": None, "finish_reason": reason}

    def _chunk(self, index: int, content: Json | str, reason: str | None) -> Json:
        name = "delta" if self.request.chat else "text"
        choice = {"index": index, name: content, "logprobs": None, "finish_reason": reason}
        return {**self._chunk_head(), "choices": [choice]}

    def _chunk_head(self) -> Json:
        kind = "chat.completion.chunk" if self.request.chat else "text_completion"
        return {**self.head, "object": kind}


def model_card(name: str, root: str, max_model_len: int, created: int) -> Json:
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "llm-platform-simulator",
        "root": root,
        "parent": None,
        "max_model_len": max_model_len,
    }
