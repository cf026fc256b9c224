# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import jinja2
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_cache import compiled_once


def test_a_text_is_compiled_once_and_rendered_with_what_holds_now() -> None:
    variables: dict[str, t.Any] = {"outer": trust_as_template("<{{ inner }}>"), "inner": 1}
    templar = Templar(loader=DataLoader(), variables=variables)
    known: dict[t.Any, t.Any] = {}
    results = []
    for value in (1, 2):
        templar.available_variables = {**variables, "inner": value}
        with compiled_once(known):
            results.append(templar.template(trust_as_template("{{ outer }}{{ outer }}\n")))
    assert results == ["<1><1>\n", "<2><2>\n"]
    assert len(known) == 2


def test_other_settings_are_another_text() -> None:
    templar = Templar(loader=DataLoader(), variables={})
    text = trust_as_template("  {% if true %}x{% endif %}")
    known: dict[t.Any, t.Any] = {}
    with compiled_once(known):
        assert templar.template(text) == "  x"
        assert templar.template(text, overrides={"lstrip_blocks": True}) == "x"
        assert templar.template(text) == "  x"


def test_jinja_is_as_it_was_afterwards() -> None:
    original = jinja2.Environment.compile
    with pytest.raises(ZeroDivisionError), compiled_once({}):
        raise ZeroDivisionError
    assert jinja2.Environment.compile is original
