# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings that could loosen the guard keep LiteLLM from starting."""

from __future__ import annotations

import json
import typing as t

import pytest

if t.TYPE_CHECKING:
    import pathlib

MODELS: t.Final = {"chat": {"max_output_tokens": 5}}


def test_the_least_is_a_list_of_models() -> None:
    from llm_platform_guard.settings import Limits, Model, parse

    found = parse({"models": MODELS})
    assert dict(found.models) == {"chat": Model(5)}
    assert found.limits == Limits()
    assert found.limits.prompts == 1


def test_limits_can_be_set() -> None:
    from llm_platform_guard.settings import parse

    limits = parse({"models": MODELS, "limits": {"choices": 2, "body_seconds": 1, "stall_seconds": 0.5}}).limits
    assert (limits.choices, limits.body_seconds, limits.stall_seconds) == (2, 1, 0.5)


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ([], "the settings"),
        ({}, "models"),
        ({"models": {}}, "models is empty"),
        ({"models": MODELS, "limit": {}}, "limit"),
        ({"models": {"chat": 5}}, "models.chat"),
        ({"models": {"chat": {}}}, "max_output_tokens"),
        ({"models": {"chat": {"max_output_tokens": 0}}}, "models.chat.max_output_tokens"),
        ({"models": {"chat": {"max_output_tokens": True}}}, "models.chat.max_output_tokens"),
        ({"models": {"chat": {"max_output_tokens": "5"}}}, "models.chat.max_output_tokens"),
        ({"models": {"chat": {"max_output_tokens": 5, "media": "no"}}}, "models.chat.media"),
        ({"models": {"chat": {"max_output_tokens": 5, "price": 1}}}, "price"),
        ({"models": MODELS, "limits": {"choises": 1}}, "choises"),
        ({"models": MODELS, "limits": {"choices": 0}}, "limits.choices"),
        ({"models": MODELS, "limits": {"choices": 1.5}}, "limits.choices"),
        ({"models": MODELS, "limits": {"choices": True}}, "limits.choices"),
        ({"models": MODELS, "limits": {"prompts": None}}, "limits.prompts"),
        ({"models": MODELS, "limits": {"body_seconds": -1}}, "limits.body_seconds"),
        ({"models": MODELS, "limits": {"body_seconds": float("nan")}}, "limits.body_seconds"),
    ],
)
def test_whatever_is_wrong_is_named(raw: object, named: str) -> None:
    from llm_platform_guard.settings import SettingsError, parse

    with pytest.raises(SettingsError, match=named):
        parse(raw)


def test_the_file_is_named_when_it_is_wrong(tmp_path: pathlib.Path) -> None:
    from llm_platform_guard.settings import SettingsError, load

    path = tmp_path / "guard.json"
    for content in (None, "{", "[]"):
        if content:
            path.write_text(content)
        with pytest.raises(SettingsError, match=str(path)):
            load({"LLM_GUARD_SETTINGS": str(path)})
    path.write_text(json.dumps({"models": MODELS}))
    assert list(load({"LLM_GUARD_SETTINGS": str(path)}).models) == ["chat"]


def test_the_master_key_must_be_there_and_long() -> None:
    from llm_platform_guard.settings import SettingsError, master_key

    for environment in ({}, {"LITELLM_MASTER_KEY": ""}, {"LITELLM_MASTER_KEY": "sk-short"}):
        with pytest.raises(SettingsError):
            master_key(environment)
    assert master_key({"PROXY_MASTER_KEY": "sk-0123456789abcdef"}) == b"sk-0123456789abcdef"


def test_a_key_that_is_too_short_is_not_shown() -> None:
    from llm_platform_guard.settings import SettingsError, master_key

    with pytest.raises(SettingsError) as raised:
        master_key({"LITELLM_MASTER_KEY": "sk-secret"})
    assert "sk-secret" not in str(raised.value)
