# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The attacks on a budget, as data: one row an attack. Private to the collection.

An attack says what a clever client changes in an ordinary request. What must hold is the same for all of them, and
stands in _budget_probe_judge.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

CHAT: t.Final = "/v1/chat/completions"
COMPLETIONS: t.Final = "/v1/completions"
EMBEDDINGS: t.Final = "/v1/embeddings"
RESPONSES: t.Final = "/v1/responses"

BEFORE: t.Final = "before the first token"
AFTER: t.Final = "after the first token"
WHOLE: t.Final = "without streaming"

TOKENS: t.Final = 16
PROMPT: t.Final = "{prompt}"
MODEL: t.Final = "{model}"
# In a body: the field is left out.
MISSING: t.Final = "{missing}"
_HUGE: t.Final = 1_000_000_000

Body = t.Mapping[str, t.Any]

BASE: t.Final[t.Mapping[str, Body]] = {
    CHAT: {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": TOKENS},
    COMPLETIONS: {"model": MODEL, "prompt": PROMPT, "max_tokens": TOKENS},
    EMBEDDINGS: {"model": MODEL, "input": PROMPT},
    RESPONSES: {"model": MODEL, "input": PROMPT, "max_output_tokens": TOKENS},
}


@dataclass(frozen=True, slots=True)
class Attack:
    """`bodies` are laid over the ordinary request, one after the other. `requests` come at once, and half as many
    again as long as any is let in.

    The budget is as large as what is reserved for `affordable` requests, each as dear as one of this attack can be:
    `tokens` of output (None: as many as the model may give) in each of `sequences`, and `prompts` times the prompt.
    """

    name: str
    path: str = CHAT
    bodies: t.Sequence[Body] = field(default_factory=lambda: ({},))
    requests: int = 50
    parallel: int = 50
    streams: bool = False
    keys: int = 1
    leave: t.Sequence[str] = ()
    tokens: int | None = TOKENS
    sequences: int = 1
    prompts: int = 1
    affordable: int = 8


_TAGS: t.Final = {"tags": ["free"], "metadata": {"tags": ["free"], "user_api_key_max_budget": 1e9}}
_ELSEWHERE: t.Final = {"model_name": MODEL, "litellm_params": {"model": "openai/" + MODEL, "input_cost_per_token": 0.0}}

ATTACKS: t.Final[t.Sequence[Attack]] = (
    Attack("50 at once"),
    Attack("50 streams at once", streams=True),
    Attack("several choices (n)", bodies=({"n": 4}, {"n": 8}, {"n": 1, "best_of": 8}, {"n": _HUGE}), sequences=8),
    Attack(
        "arrays of prompts",
        path=COMPLETIONS,
        bodies=({"prompt": [PROMPT] * 4}, {"prompt": [PROMPT] * 64}, {"prompt": [[1, 2, 3], [4, 5, 6]]}),
        sequences=4,
        prompts=4,
    ),
    Attack(
        "arrays of embedding inputs",
        path=EMBEDDINGS,
        bodies=({"input": [PROMPT] * 16}, {"input": [[1, 2, 3]] * 16}),
        tokens=0,
        prompts=16,
        affordable=2,
    ),
    Attack(
        "text that tokenizers count differently",
        bodies=({"messages": [{"role": "user", "content": PROMPT + "\U0001f9ff!?;" * 400}]},),
        prompts=44,
        affordable=4,
    ),
    Attack(
        "no limit on the answer",
        bodies=({"max_tokens": MISSING}, {"max_tokens": None}, {"max_tokens": MISSING, "max_completion_tokens": None}),
        tokens=None,
        affordable=3,
    ),
    Attack(
        "huge limits",
        bodies=(
            {"max_tokens": _HUGE},
            {"max_tokens": MISSING, "max_completion_tokens": _HUGE},
            {"max_tokens": _HUGE, "max_completion_tokens": 1},
            {"max_tokens": 1, "max_completion_tokens": _HUGE},
        ),
        tokens=None,
        affordable=3,
    ),
    Attack(
        "negative and odd limits",
        bodies=(
            {"max_tokens": -1},
            {"max_tokens": -_HUGE},
            {"max_tokens": MISSING, "max_completion_tokens": -5},
            {"max_tokens": 0},
            {"max_tokens": 0.5},
            {"max_tokens": "16"},
            {"max_tokens": True},
            {"max_tokens": -1, "max_completion_tokens": _HUGE},
        ),
        tokens=None,
        affordable=3,
    ),
    Attack(
        "responses API",
        path=RESPONSES,
        bodies=(
            {},
            {"instructions": "Count slowly. " * 200},
            {"background": True},
            {"previous_response_id": "resp_0"},
            {"max_output_tokens": MISSING},
            {"max_output_tokens": -1},
            {"stream": True},
        ),
        tokens=None,
        prompts=12,
        affordable=3,
    ),
    Attack(
        "fallbacks, retries, metadata, tags, user_config",
        bodies=(
            {"fallbacks": [MODEL, MODEL], "context_window_fallbacks": [{MODEL: [MODEL]}]},
            {"num_retries": 5, "max_retries": 5, "mock_testing_fallbacks": True},
            _TAGS,
            {"user_config": {"model_list": [_ELSEWHERE]}},
            {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "base_model": "free"},
            {"api_base": "http://127.0.0.1:9", "extra_body": {"max_tokens": _HUGE}, "user": "somebody"},
            {"litellm_metadata": {"user_api_key_team_id": "other"}, "mock_response": "free"},
        ),
    ),
    Attack(
        "model aliases and several models",
        bodies=(
            {"model_alias_map": {"cheap": MODEL}, "aliases": {"cheap": MODEL}},
            {"model": [MODEL, MODEL]},
            {"model": MODEL + "," + MODEL},
            {"model": "openai/" + MODEL},
            {"messages": [[{"role": "user", "content": PROMPT}]] * 4},
            {"model": MISSING},
        ),
        # Only some of the bodies are let in at all.
        affordable=3,
    ),
    Attack("two keys of one team", keys=2),
    Attack(
        "200 streams, cancelled",
        requests=200,
        streams=True,
        tokens=64,
        bodies=({"max_tokens": 64},),
        leave=(BEFORE, AFTER, WHOLE),
        affordable=12,
    ),
)


def body_of(attack: Attack, change: Body, values: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The request of an attack; `values` are what PROMPT and MODEL stand for."""
    return {
        _filled(name, values): _filled(value, values)
        for name, value in {**BASE[attack.path], **change, **({"stream": True} if attack.streams else {})}.items()
        if value != MISSING
    }


def plain_body(attack: Attack, values: t.Mapping[str, str]) -> dict[str, t.Any]:
    """What an honest client sends to the same path."""
    return {name: _filled(value, values) for name, value in BASE[attack.path].items()}


def _filled(value: t.Any, values: t.Mapping[str, str]) -> t.Any:
    if isinstance(value, str):
        for name, text in values.items():
            value = value.replace(name, text)
        return value
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, dict):
        return {_filled(name, values): _filled(item, values) for name, item in value.items()}
    return value
