# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The newest requests as they came in, without secrets: tests read what a gateway really sent."""

from __future__ import annotations

import collections
import time
import typing as t

if t.TYPE_CHECKING:
    from .sequence import Sequence

SECRET_HEADERS = ("authorization", "cookie", "key", "token", "secret", "password")
SECRET_FIELDS = ("api_key", "authorization", "password", "secret", "token", "access_token")
REMOVED = "(removed)"
LONGEST = 4096
"""Characters kept of one string."""


class RequestLog:
    def __init__(self, size: int) -> None:
        self._entries: collections.deque[tuple[dict[str, t.Any], list[Sequence]]] = collections.deque(maxlen=size)
        self._number = 0

    def add(
        self, method: str, path: str, headers: t.Iterable[tuple[str, str]], body: object
    ) -> t.Callable[[t.Iterable[Sequence]], None]:
        """Note a request; what is called with its sequences later makes the log tell what became of them."""
        self._number += 1
        entry = {
            "number": self._number,
            "time": time.time(),
            "method": method,
            "path": path,
            "headers": [[name, _header(name, value)] for name, value in headers],
            "body": _clean(body),
        }
        sequences: list[Sequence] = []
        self._entries.append((entry, sequences))
        return sequences.extend

    def entries(self) -> list[dict[str, t.Any]]:
        return [{**entry, "outcome": _outcome(sequences)} for entry, sequences in self._entries]

    def clear(self) -> None:
        self._entries.clear()


def _outcome(sequences: t.Sequence[Sequence]) -> dict[str, t.Any]:
    """The work done so far, counted as the metrics count it: a prompt when its prefill is done."""
    return {
        "prompt_tokens": sum(len(one.prompt) for one in sequences if one.first_token is not None),
        "generated_tokens": sum(one.generated for one in sequences),
        "finished": [one.finished.value if one.finished else None for one in sequences],
    }


def _header(name: str, value: str) -> str:
    secret = any(word in name.lower() for word in SECRET_HEADERS)
    return REMOVED if secret else value[:LONGEST]


def _clean(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): REMOVED if str(key).lower() in SECRET_FIELDS else _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value[:LONGEST] if isinstance(value, str) else value
