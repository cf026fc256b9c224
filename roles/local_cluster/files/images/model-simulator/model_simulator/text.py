# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers that are made up, but always the same for the same request."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
import struct
import typing as t

from .sequence import FinishReason

# one token each by the counting of tokens.py
WORDS = (  # noqa: SIM905 - easier to read than a list
    "the a one two this that each some all any new old big long same next last true free full "
    "text line word page part case test code data disk load rate time node port host path rule "
    "is was has does runs asks says sees gets puts adds ends fits holds calm fast slow safe cold warm "
    "and or but then when if so as at by for from in into of on to up with over just only also very"
).split()
SHORTEST, LONGEST = 24, 200


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    pieces: tuple[str, ...]
    finish: FinishReason


def seed_of(prompt: t.Sequence[int], *parts: object) -> int:
    digest = hashlib.blake2b(struct.pack(f"<{len(prompt)}Q", *prompt), digest_size=8)
    digest.update(repr(parts).encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "little")


def made_up(seed: int) -> t.Iterator[str]:
    """Endless sentences, one piece a token."""
    choose = random.Random(seed)  # noqa: S311 - made up on purpose
    opening, left = False, choose.randint(6, 14)
    yield choose.choice(WORDS).capitalize()
    while True:
        word = choose.choice(WORDS)
        if left == 0:
            yield "."
            opening, left = True, choose.randint(6, 14)
            continue
        yield (" " + word.capitalize()) if opening else " " + word
        opening, left = False, left - 1


def natural_length(seed: int, shortest: int = 0) -> int:
    """Where a model would have ended by itself."""
    return max(shortest, SHORTEST + seed % (LONGEST - SHORTEST))


def cut(source: t.Iterable[str], *, limit: int, natural: int | None, stop: t.Sequence[str]) -> Answer:
    """Take pieces up to the limit, the natural end or the first stop string, which is left out."""
    taken: list[str] = []
    text = ""
    for piece in source:
        if len(taken) >= limit:
            return Answer(tuple(taken), FinishReason.LENGTH)
        if natural is not None and len(taken) >= natural:
            return Answer(tuple(taken), FinishReason.STOP)
        text += piece
        hits = [at for at in (text.find(word) for word in stop) if at >= 0]
        if hits:
            return Answer((*_up_to(taken, min(hits)), *_rest(taken, text, min(hits))), FinishReason.STOP)
        taken.append(piece)
    return Answer(tuple(taken), FinishReason.STOP if len(taken) < limit else FinishReason.LENGTH)


def _up_to(taken: t.Sequence[str], length: int) -> list[str]:
    kept, total = [], 0
    for piece in taken:
        kept.append(piece[: max(0, length - total)])
        total += len(piece)
    return kept


def _rest(taken: t.Sequence[str], text: str, length: int) -> list[str]:
    """The piece in which the stop string ended was computed too: it counts, its text up to the stop is kept."""
    before = sum(len(piece) for piece in taken)
    return [text[before:length] if length > before else ""]


def embedding(prompt: t.Sequence[int], dimensions: int) -> list[float]:
    """A unit vector to which every token adds its own direction: texts that share tokens lie close."""
    total = [0.0] * dimensions
    for token in prompt:
        direction = random.Random(token)  # noqa: S311 - made up on purpose
        total = [value + direction.gauss(0.0, 1.0) for value in total]
    norm = math.sqrt(sum(value * value for value in total)) or 1.0
    return [value / norm for value in total]
