# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages, inputs and tools: reduced to what a model needs, so that everything it reads was counted before.

LiteLLM reserves budget from the texts it knows. A key that it does not know but hands on would be read for nothing;
a tool of another type than a function makes LiteLLM call servers that the client names.
"""

from __future__ import annotations

import typing as t
from functools import partial

from . import document
from .refusal import RefusalError, wrong
from .values import Check, flag, items, picked, table, text, word

if t.TYPE_CHECKING:
    from .settings import Limits

ROLES: t.Final = frozenset({"system", "developer", "user", "assistant", "tool"})
EMBEDDED: t.Final = "data:"
"""A part that names an address would be fetched by the gateway or the model: a way into the cluster."""


def messages(limits: Limits, media: bool, name: str, value: object) -> list[dict[str, t.Any]]:
    part = partial(_chat_part, media)
    checks: dict[str, Check] = {
        "role": _role,
        "content": partial(_content, part),
        "name": word,
        "tool_calls": partial(_tool_calls, limits),
        "tool_call_id": word,
        "refusal": text,
    }
    return [
        picked(f"{name}[{index}]", message, checks, needed=("role",))
        for index, message in enumerate(items(name, value, least=1))
    ]


def chat_tools(limits: Limits, name: str, value: object) -> list[dict[str, t.Any]]:
    checks = {"type": _function, "function": _described_function}
    found = [
        picked(f"{name}[{index}]", tool, checks, needed=("type", "function"))
        for index, tool in enumerate(items(name, value, most=limits.tools))
    ]
    return _small(limits, name, found)


def response_tools(limits: Limits, name: str, value: object) -> list[dict[str, t.Any]]:
    checks = {"type": _function, **_FUNCTION}
    found = [
        picked(f"{name}[{index}]", tool, checks, needed=("type", "name"))
        for index, tool in enumerate(items(name, value, most=limits.tools))
    ]
    return _small(limits, name, found)


def chat_tool_choice(name: str, value: object) -> str | dict[str, t.Any]:
    if isinstance(value, str):
        return word(name, value)
    return picked(name, value, {"type": _function, "function": _named_function}, needed=("type", "function"))


def response_tool_choice(name: str, value: object) -> str | dict[str, t.Any]:
    if isinstance(value, str):
        return word(name, value)
    return picked(name, value, {"type": _function, "name": word}, needed=("type", "name"))


def response_format(limits: Limits, name: str, value: object) -> dict[str, t.Any]:
    schema = {"name": word, "description": text, "schema": table, "strict": flag}
    checks = {"type": word, "json_schema": lambda place, one: picked(place, one, schema)}
    return _small(limits, name, picked(name, value, checks, needed=("type",)))


def text_format(limits: Limits, name: str, value: object) -> dict[str, t.Any]:
    schema = {"type": word, "name": word, "description": text, "schema": table, "strict": flag}
    checks = {"format": lambda place, one: picked(place, one, schema, needed=("type",)), "verbosity": word}
    return _small(limits, name, picked(name, value, checks))


def inputs(media: bool, name: str, value: object) -> str | list[dict[str, t.Any]]:
    """The input of a response: a text, or what was said and called so far."""
    if isinstance(value, str):
        return value
    found = [_input(media, f"{name}[{index}]", one) for index, one in enumerate(items(name, value, least=1))]
    return [one for one in found if one is not None]


def prompts(most: int, name: str, value: object) -> t.Any:
    """A text, a list of tokens, or a list of either."""
    if isinstance(value, str):
        return value
    found = items(name, value, least=1)
    if _is_tokens(found):
        return found
    for index, one in enumerate(items(name, value, most=most)):
        if not isinstance(one, str) and not (isinstance(one, list) and one and _is_tokens(one)):
            raise wrong(f"{name}[{index}]", "a string or a list of tokens", one)
    return found


def _is_tokens(value: list[t.Any]) -> bool:
    return all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**31 for one in value)


def _role(name: str, value: object) -> str:
    if value not in ROLES:
        raise RefusalError(400, f"{name} must be one of {', '.join(sorted(ROLES))}", param=name, code="invalid_value")
    return str(value)


def _function(name: str, value: object) -> str:
    if value != "function":
        raise RefusalError(
            400, f"{name} must be function: no other tools are offered here", param=name, code="invalid_value"
        )
    return "function"


_FUNCTION: t.Final[dict[str, Check]] = {"name": word, "description": text, "parameters": table, "strict": flag}


def _described_function(name: str, value: object) -> dict[str, t.Any]:
    return picked(name, value, _FUNCTION, needed=("name",))


def _named_function(name: str, value: object) -> dict[str, t.Any]:
    return picked(name, value, {"name": word}, needed=("name",))


def _called_function(name: str, value: object) -> dict[str, t.Any]:
    return picked(name, value, {"name": word, "arguments": text}, needed=("name",))


def _tool_calls(limits: Limits, name: str, value: object) -> list[dict[str, t.Any]]:
    checks = {"id": word, "type": _function, "function": _called_function}
    return [
        picked(f"{name}[{index}]", call, checks, needed=("function",))
        for index, call in enumerate(items(name, value, most=limits.tools))
    ]


def _content(part: Check, name: str, value: object) -> str | list[dict[str, t.Any]]:
    if isinstance(value, str):
        return value
    return [part(f"{name}[{index}]", one) for index, one in enumerate(items(name, value, least=1))]


def _chat_part(media: bool, name: str, value: object) -> dict[str, t.Any]:
    kind = table(name, value).get("type")
    if kind in ("text", "refusal"):
        return picked(name, value, {"type": word, kind: text}, needed=(kind,))
    if kind == "image_url" and media:
        picture = {"url": _embedded, "detail": word}
        checks = {"type": word, "image_url": lambda place, one: picked(place, one, picture, needed=("url",))}
        return picked(name, value, checks, needed=("image_url",))
    if kind == "input_audio" and media:
        sound = {"data": text, "format": word}
        checks = {"type": word, "input_audio": lambda place, one: picked(place, one, sound, needed=("data",))}
        return picked(name, value, checks, needed=("input_audio",))
    raise _unknown_part(name)


def _response_part(media: bool, name: str, value: object) -> dict[str, t.Any]:
    kind = table(name, value).get("type")
    if kind in ("input_text", "output_text", "text"):
        return picked(name, value, {"type": word, "text": text}, needed=("text",))
    if kind == "refusal":
        return picked(name, value, {"type": word, "refusal": text}, needed=("refusal",))
    if kind == "input_image" and media:
        return picked(name, value, {"type": word, "image_url": _embedded, "detail": word}, needed=("image_url",))
    raise _unknown_part(name)


def _unknown_part(name: str) -> RefusalError:
    return RefusalError(400, f"{name} is of a type that this model does not take", param=name, code="invalid_value")


def _embedded(name: str, value: object) -> str:
    found = text(name, value)
    if not found[: len(EMBEDDED)].lower() == EMBEDDED:
        raise RefusalError(
            400, f"{name} must be a data: URL: nothing is fetched from here", param=name, code="invalid_value"
        )
    return found


def _input(media: bool, name: str, value: object) -> dict[str, t.Any] | None:
    found = table(name, value)
    kind = found.get("type", "message")
    if kind == "message":
        checks: dict[str, Check] = {
            "type": word,
            "role": _role,
            "content": partial(_content, partial(_response_part, media)),
        }
        return picked(name, value, checks, needed=("role", "content"))
    if kind == "function_call":
        call: dict[str, Check] = {"type": word, "call_id": word, "name": word, "arguments": text}
        return picked(name, value, call, needed=("call_id", "name", "arguments"))
    if kind == "function_call_output":
        output: dict[str, Check] = {"type": word, "call_id": word, "output": text}
        return picked(name, value, output, needed=("call_id", "output"))
    if kind == "reasoning":
        # Clients send a model's thoughts back. They are for a server that keeps state, which this one does not.
        return None
    raise _unknown_part(name)


T = t.TypeVar("T")


def _small(limits: Limits, name: str, value: T) -> T:  # noqa: UP047 - Python 3.11
    if document.size(value) > limits.uncounted_bytes:
        raise RefusalError(
            400, f"{name} is larger than {limits.uncounted_bytes} bytes", param=name, code="string_above_max_length"
        )
    return value
