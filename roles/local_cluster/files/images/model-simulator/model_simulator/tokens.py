# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Tokens without a tokenizer: pieces of up to four characters. Counts are close to, never equal to, a real model's."""

from __future__ import annotations

import re
import typing as t
import zlib

COUNTING = "pieces of up to four letters or digits, one per other character; not the tokenizer of any model"
PER_MESSAGE = 4
"""What a chat template adds to each message."""
FOR_ANSWER = 3
"""What a chat template adds to open the answer."""

_PIECE = re.compile(r" ?[^\W_]{1,4}| ?[^\w\s]|_|\s+")


def pieces(text: str) -> list[str]:
    return _PIECE.findall(text)


def token_ids(text: str) -> list[int]:
    return [zlib.crc32(piece.encode("utf-8", "surrogatepass")) for piece in pieces(text)]


def chat_token_ids(messages: t.Iterable[tuple[str, str]]) -> list[int]:
    """Tokens of (role, content) pairs, laid out so that a longer conversation begins with the shorter one's tokens."""
    ids: list[int] = []
    for role, content in messages:
        ids += [zlib.crc32(f"<{role}:{i}>".encode()) for i in range(PER_MESSAGE - 1)]
        ids += [*token_ids(content), zlib.crc32(b"<end>")]
    return ids + [zlib.crc32(f"<answer:{i}>".encode()) for i in range(FOR_ANSWER)]
