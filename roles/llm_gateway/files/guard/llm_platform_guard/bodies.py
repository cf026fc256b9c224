# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What may be in a body, route by route. Everything else is left out and named in a header of the answer."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from functools import partial

from . import content
from .refusal import RefusalError, wrong
from .routes import Kind, unknown_model
from .values import (
    at_most,
    biases,
    flag,
    integer,
    integers,
    number,
    picked,
    positive,
    stop,
    stream_options,
    text,
    word,
)

if t.TYPE_CHECKING:
    from .settings import Limits, Model, Settings
    from .values import Check

Body = dict[str, t.Any]

COMPLETION_DEFAULT: t.Final = 16
"""Tokens of a completions request that names no limit, for OpenAI as for vLLM."""
NAMED: t.Final = 16
"""How many left-out fields are named."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

# What vLLM takes beyond OpenAI's fields; none of it makes a request dearer than what was reserved for it.
_SAMPLING: t.Final[dict[str, Check]] = {
    "frequency_penalty": number,
    "ignore_eos": flag,
    "logit_bias": biases,
    "min_p": number,
    "min_tokens": integer,
    "presence_penalty": number,
    "repetition_penalty": number,
    "seed": integer,
    "skip_special_tokens": flag,
    "stop": stop,
    "stop_token_ids": integers,
    "stream": flag,
    "stream_options": stream_options,
    "temperature": number,
    "top_k": integer,
    "top_p": number,
    "user": word,
}

# Left out, these would change the meaning of a request without anyone noticing.
_REFUSED: t.Final[dict[Kind, dict[str, str]]] = {
    Kind.CHAT: {
        "functions": "use tools",
        "function_call": "use tool_choice",
        "audio": "answers are text",
        "web_search_options": "no tools run here",
    },
    Kind.COMPLETIONS: {"suffix": "use a chat completion"},
    Kind.EMBEDDINGS: {},
    Kind.RESPONSES: {
        "background": "wait for the answer",
        "conversation": "send the whole conversation as input",
        "previous_response_id": "send the whole conversation as input",
        "prompt": "send the text as input",
    },
}

_CAPS: t.Final[dict[Kind, tuple[str, ...]]] = {
    Kind.CHAT: ("max_tokens", "max_completion_tokens"),
    Kind.COMPLETIONS: ("max_tokens",),
    Kind.EMBEDDINGS: (),
    Kind.RESPONSES: ("max_output_tokens",),
}


@dataclass(frozen=True, slots=True)
class Reduced:
    body: Body
    left_out: tuple[str, ...]


def reduce(kind: Kind, given: Body, settings: Settings) -> Reduced:
    model = _model(given, settings)
    for name, instead in _REFUSED[kind].items():
        if given.get(name) not in (None, False):
            raise RefusalError(
                400, f"{name} is not supported here: {instead}", param=name, code="unsupported_parameter"
            )
    checks = _checks(kind, settings.limits, model)
    kept: Body = {"model": given["model"]}
    for name, check in checks.items():
        if given.get(name) is not None:
            kept[name] = check(name, given[name])
    _finish(kind, kept, model)
    known = {"model", *checks}
    return Reduced(kept, tuple(_shown(name) for name in given if name not in known)[:NAMED])


def _model(given: Body, settings: Settings) -> Model:
    name = given.get("model")
    if not isinstance(name, str):
        raise wrong("model", "the name of a model", name)
    model = settings.models.get(name)
    if model is None:
        raise unknown_model()
    return model


def _checks(kind: Kind, limits: Limits, model: Model) -> dict[str, Check]:
    """The fields that pass, each with what it must be."""
    caps = {name: partial(_cap, model) for name in _CAPS[kind]}
    choices = partial(at_most, largest=limits.choices)
    if kind is Kind.CHAT:
        return {
            **_SAMPLING,
            **caps,
            "logprobs": flag,
            "messages": partial(content.messages, limits, model.media),
            "n": choices,
            "parallel_tool_calls": flag,
            "reasoning_effort": word,
            "response_format": partial(content.response_format, limits),
            "tool_choice": content.chat_tool_choice,
            "tools": partial(content.chat_tools, limits),
            "top_logprobs": integer,
            "verbosity": word,
        }
    if kind is Kind.COMPLETIONS:
        return {
            **_SAMPLING,
            **caps,
            "best_of": choices,
            "echo": flag,
            "logprobs": integer,
            "n": choices,
            "prompt": partial(content.prompts, limits.prompts),
        }
    if kind is Kind.EMBEDDINGS:
        return {
            "dimensions": positive,
            "encoding_format": word,
            "input": partial(content.prompts, limits.inputs),
            "user": word,
        }
    return {
        **caps,
        "input": partial(content.inputs, model.media),
        "instructions": text,
        "parallel_tool_calls": flag,
        "reasoning": _reasoning,
        "stream": flag,
        "temperature": number,
        "text": partial(content.text_format, limits),
        "tool_choice": content.response_tool_choice,
        "tools": partial(content.response_tools, limits),
        "top_logprobs": integer,
        "top_p": number,
        "user": word,
    }


_NEEDED: t.Final = {
    Kind.CHAT: "messages",
    Kind.COMPLETIONS: "prompt",
    Kind.EMBEDDINGS: "input",
    Kind.RESPONSES: "input",
}


def _finish(kind: Kind, kept: Body, model: Model) -> None:
    needed = _NEEDED[kind]
    if needed not in kept:
        raise RefusalError(400, f"{needed} is missing", param=needed, code="missing_required_parameter")
    if kind is Kind.EMBEDDINGS:
        return
    if model.max_output_tokens is None:
        raise RefusalError(400, "This model makes embeddings, no text", param="model", code="invalid_value")
    names = _CAPS[kind]
    asked = [kept.pop(name) for name in names if name in kept]
    default = COMPLETION_DEFAULT if kind is Kind.COMPLETIONS else model.max_output_tokens
    # One cap only: with two, LiteLLM could reserve for one and the model obey the other.
    kept[names[0]] = min(asked, default=min(default, model.max_output_tokens))
    if kind is Kind.COMPLETIONS and kept.get("stream"):
        # LiteLLM asks for the usage of a chat by itself, but bills nothing for a streamed completion that has none.
        kept["stream_options"] = {"include_usage": True}
    if kind is Kind.RESPONSES and "instructions" in kept:
        kept["input"] = _instructed(kept.pop("instructions"), kept["input"])


def _instructed(instructions: str, given: str | list[Body]) -> list[Body]:
    """Instructions as the first message, which is what they become anyway: LiteLLM reserves nothing for the field."""
    said = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return [{"role": "system", "content": instructions}, *said]


def _cap(model: Model, name: str, value: object) -> int:
    asked = positive(name, value)
    longest = model.max_output_tokens
    if longest is not None and asked > longest:
        raise RefusalError(
            400,
            f"{name} is too large: {asked}. This model supports at most {longest} completion tokens",
            param=name,
            code="invalid_value",
        )
    return asked


def _reasoning(name: str, value: object) -> Body:
    return picked(name, value, {"effort": word})


def _shown(name: str) -> str:
    return name if _SAFE_NAME.fullmatch(name) else "?"
