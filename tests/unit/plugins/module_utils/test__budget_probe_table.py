# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The attacks are data that make the requests they say."""

from __future__ import annotations

import json

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_table import (
    ATTACKS,
    BASE,
    COMPLETIONS,
    MISSING,
    MODEL,
    PROMPT,
    Attack,
    body_of,
    plain_body,
)

VALUES = {PROMPT: "hello [team-1]", MODEL: "chat"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_body_is_filled_and_can_be_told_apart(attack: Attack) -> None:
    for change in attack.bodies:
        text = json.dumps(body_of(attack, change, VALUES))
        assert not any(word in text for word in (PROMPT, MODEL, MISSING))
    assert "[team-1]" in json.dumps(plain_body(attack, VALUES))
    assert attack.path in BASE
    assert attack.affordable < attack.requests


def test_the_table_has_a_row_for_each_attack_that_is_claimed() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(names) == len(set(names))
    assert sum(attack.streams for attack in ATTACKS) >= 2
    assert any(attack.keys == 2 for attack in ATTACKS)
    assert any(attack.requests == 200 and len(attack.leave) == 3 for attack in ATTACKS)
    assert {attack.path for attack in ATTACKS} == set(BASE)
    fields = {name for attack in ATTACKS for change in attack.bodies for name in change}
    assert fields >= {
        "n",
        "prompt",
        "input",
        "max_tokens",
        "max_completion_tokens",
        "fallbacks",
        "metadata",
        "tags",
        "user_config",
        "model",
    }


def test_a_field_can_be_left_out_and_replaced() -> None:
    attack = Attack("x", path=COMPLETIONS)
    assert body_of(attack, {"max_tokens": MISSING, "prompt": [PROMPT, [1]]}, VALUES) == {
        "model": "chat",
        "prompt": ["hello [team-1]", [1]],
    }
