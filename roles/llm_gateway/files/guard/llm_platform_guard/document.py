# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a JSON body strictly: what two parsers could read in two ways is refused."""

from __future__ import annotations

import json
import typing as t

from .refusal import RefusalError


def read(raw: bytes, *, depth: int) -> dict[str, t.Any]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RefusalError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, f"The body is not JSON: {_described(error)}", code="invalid_json") from error
    if not isinstance(value, dict):
        raise RefusalError(400, "The body must be a JSON object", code="invalid_json")
    _demand_shallow(value, depth)
    return value


def write(value: t.Mapping[str, t.Any]) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise RefusalError(400, "The body has a number that is too large", code="invalid_json") from error


def size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")))


def _once(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusalError(400, "The body has an object with the same key twice", code="invalid_json")
    return found


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _described(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)[:100]


def _demand_shallow(value: object, depth: int) -> None:
    level: list[t.Any] = [value]
    for _step in range(depth):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise RefusalError(400, f"The body is nested deeper than {depth} levels", code="invalid_json")


def _children(value: object) -> t.Iterable[t.Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
