# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks of single values: each takes the name and the value and gives back what may pass."""

from __future__ import annotations

import typing as t

from .refusal import RefusalError, wrong

LONGEST_NAME: t.Final = 256
"""Names of tools and functions, ids: LiteLLM's reservation does not count them."""


def flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "true or false", value)
    return value


def number(name: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise wrong(name, "a number", value)
    return value


def integer(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(name, "an integer", value)
    return value


def positive(name: str, value: object) -> int:
    found = integer(name, value)
    if found < 1:
        raise wrong(name, "a positive integer", value)
    return found


def at_most(name: str, value: object, largest: int) -> int:
    found = positive(name, value)
    if found > largest:
        raise wrong(name, f"at most {largest}", value)
    return found


def text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise wrong(name, "a string", value)
    return value


def word(name: str, value: object) -> str:
    found = text(name, value)
    if len(found) > LONGEST_NAME:
        raise RefusalError(400, f"{name} is longer than {LONGEST_NAME} characters", param=name, code="string_too_long")
    return found


def table(name: str, value: object) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise wrong(name, "an object", value)
    return value


def items(name: str, value: object, *, least: int = 0, most: int | None = None) -> list[t.Any]:
    if not isinstance(value, list):
        raise wrong(name, "a list", value)
    if len(value) < least:
        raise RefusalError(400, f"{name} must not be empty", param=name, code="invalid_value")
    if most is not None and len(value) > most:
        raise RefusalError(
            400,
            f"{name} has {len(value)} entries, this platform takes at most {most} in one request",
            param=name,
            code="array_above_max_length",
        )
    return value


def stop(name: str, value: object) -> str | list[str]:
    if isinstance(value, str):
        return value
    return [text(f"{name}[{index}]", one) for index, one in enumerate(items(name, value, most=16))]


def integers(name: str, value: object) -> list[int]:
    return [integer(f"{name}[{index}]", one) for index, one in enumerate(items(name, value, most=1024))]


def biases(name: str, value: object) -> dict[str, float]:
    found = table(name, value)
    items(name, list(found), most=1024)
    return {word(name, token): number(f"{name}.{token[:16]}", bias) for token, bias in found.items()}


def stream_options(name: str, value: object) -> dict[str, t.Any]:
    return picked(name, value, {"include_usage": flag})


Check = t.Callable[[str, t.Any], t.Any]


def picked(
    name: str, value: object, checks: t.Mapping[str, Check], *, needed: t.Collection[str] = ()
) -> dict[str, t.Any]:
    """An object reduced to the keys that are known. A null is the same as nothing, as it is for OpenAI."""
    found = table(name, value)
    for key in needed:
        if found.get(key) is None:
            raise RefusalError(400, f"{name} lacks {key}", param=name, code="missing_required_parameter")
    return {key: check(f"{name}.{key}", found[key]) for key, check in checks.items() if found.get(key) is not None}
