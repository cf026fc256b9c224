# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads OpenAI request bodies: every value is checked here, nothing later meets a wrong type."""

from __future__ import annotations

import dataclasses
import typing as t

from . import tokens
from .errors import ApiError

Body = dict[str, t.Any]
LARGEST_N = 128
COMPLETION_DEFAULT = 16
"""max_tokens of a completions request that names none."""
NOT_SIMULATED = ("logprobs", "top_logprobs", "prompt_logprobs", "response_format", "structured_outputs", "suffix")


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    ids: tuple[int, ...]
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Generation:
    chat: bool
    model: str
    prompts: tuple[Prompt, ...]
    max_tokens: int | None
    n: int
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    ignore_eos: bool
    min_tokens: int
    seed: int | None
    salt: str
    echo: bool

    def limit(self, prompt: Prompt, max_model_len: int) -> int:
        """How many tokens the answer to this prompt may have."""
        room = max_model_len - len(prompt.ids)
        asked = (
            self.max_tokens if self.max_tokens is not None else (room if self.chat else min(room, COMPLETION_DEFAULT))
        )
        if asked > room or room < 1:
            raise ApiError(
                400,
                f"this model's context is {max_model_len} tokens, but the request has {len(prompt.ids)} in its prompt"
                f" and asks for {max(asked, 1)}: shorten the prompt or lower max_tokens",
                param="max_tokens" if room >= 1 and self.max_tokens is not None else "prompt",
            )
        return asked


def chat(body: Body) -> Generation:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong("messages", messages, "a list of at least one message")
    pairs = [_message(index, message) for index, message in enumerate(messages)]
    if body.get("tool_choice") not in (None, "none", "auto"):
        raise ApiError(400, "this simulator does not call tools: leave tool_choice out or at auto", param="tool_choice")
    prompt = Prompt(tuple(tokens.chat_token_ids(pairs)), "\n".join(content for _role, content in pairs))
    limit = body.get("max_completion_tokens")
    name = "max_tokens" if limit is None else "max_completion_tokens"
    return _generation(body, chat=True, prompts=(prompt,), limit_name=name)


def completion(body: Body) -> Generation:
    return _generation(body, chat=False, prompts=tuple(prompts(body, "prompt")), limit_name="max_tokens")


def prompts(body: Body, name: str) -> list[Prompt]:
    """A text, a list of texts, a list of token ids or a list of those."""
    value = body.get(name)
    if isinstance(value, str):
        return [_prompt(name, value)]
    if isinstance(value, list) and value:
        if all(_is_token(item) for item in value):
            return [_prompt(name, value)]
        return [_prompt(name, item) for item in value]
    raise _wrong(name, value, "a text, a list of texts or a list of token ids")


def model_of(body: object) -> tuple[Body, str]:
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    model = body.get("model")
    if not isinstance(model, str):
        raise _wrong("model", model, "the name of a model")
    return body, model


def salt_of(body: Body) -> str:
    salt = body.get("cache_salt")
    if salt is not None and (not isinstance(salt, str) or not salt):
        raise _wrong("cache_salt", salt, "a non-empty text")
    return salt or ""


def _generation(body: Body, *, chat: bool, prompts: tuple[Prompt, ...], limit_name: str) -> Generation:
    for name in NOT_SIMULATED:
        if body.get(name) not in (None, False, {"type": "text"}):
            raise ApiError(400, f"{name} is not simulated: a model server would honour it", param=name)
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong("stream_options", options, "an object")
    stop = body.get("stop")
    words = [stop] if isinstance(stop, str) else stop if stop is not None else []
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise _wrong("stop", stop, "a non-empty text or a list of them")
    return Generation(
        chat=chat,
        model=body["model"],
        prompts=prompts,
        max_tokens=_integer(body, limit_name, None, 1),
        n=_integer(body, "n", 1, 1, LARGEST_N) or 1,
        stop=tuple(words),
        stream=_flag(body, "stream"),
        include_usage=_flag(options or {}, "include_usage"),
        ignore_eos=_flag(body, "ignore_eos"),
        min_tokens=_integer(body, "min_tokens", 0, 0) or 0,
        seed=_integer(body, "seed", None, None),
        salt=salt_of(body),
        echo=_flag(body, "echo") and not chat,
    )


def _message(index: int, message: object) -> tuple[str, str]:
    where = f"messages[{index}]"
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise _wrong(where, message, "an object with role and content")
    content = message.get("content")
    if content is None or isinstance(content, str):
        return message["role"], content or ""
    if not isinstance(content, list):
        raise _wrong(f"{where}.content", content, "a text or a list of parts")
    texts = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise _wrong(f"{where}.content", part, "parts of type text: this model reads nothing else")
        texts.append(part["text"])
    return message["role"], "\n".join(texts)


def _prompt(name: str, value: object) -> Prompt:
    if isinstance(value, str):
        ids = tokens.token_ids(value)
        text = value
    elif isinstance(value, list) and value and all(_is_token(item) for item in value):
        ids, text = [t.cast("int", item) for item in value], ""
    else:
        raise _wrong(name, value, "texts or lists of token ids")
    if not ids:
        raise _wrong(name, value, "a prompt of at least one token")
    return Prompt(tuple(ids), text)


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32


def _integer(
    body: Body, name: str, default: int | None, smallest: int | None, largest: int | None = None
) -> int | None:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(name, value, "an integer")
    if (smallest is not None and value < smallest) or (largest is not None and value > largest):
        raise _wrong(name, value, f"at least {smallest}" + ("" if largest is None else f" and at most {largest}"))
    return value


def _flag(body: Body, name: str) -> bool:
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _wrong(name: str, value: object, expected: str) -> ApiError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}…"
    return ApiError(400, f"{name} is {shown}, expected {expected}", param=name)
