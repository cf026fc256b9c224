# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import UNREADABLE, Validator, nearest, show


def check(spec: dict[str, t.Any], value: object) -> tuple[t.Any, list[str]]:
    validator = Validator()
    return validator.check(spec, value, "x"), [str(problem) for problem in validator.problems]


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"type": "str"}, True),
        ({"type": "str"}, 1e3),
        ({"type": "str"}, 3),
        ({"type": "str"}, ["a"]),
        ({"type": "str"}, "a\nb"),
        ({"type": "str"}, "a\x00b"),
        ({"type": "int"}, True),
        ({"type": "int"}, 2.0),
        ({"type": "int"}, "two"),
        ({"type": "int"}, "1e3"),
        ({"type": "float"}, float("nan")),
        ({"type": "float"}, "inf"),
        ({"type": "float"}, True),
        ({"type": "bool"}, 1),
        ({"type": "bool"}, "maybe"),
        ({"type": "list", "elements": "str"}, "a,b"),
        ({"type": "list", "elements": "str"}, {"a": 1}),
        ({"type": "list", "elements": "str"}, ["a", None]),
        ({"type": "list", "elements": "str", "choices": ["a"]}, ["a", "b"]),
        ({"type": "dict"}, "a=b"),
        ({"type": "dict"}, {1: "a"}),
        ({"type": "str", "choices": ["a", "b"]}, "c"),
        ({"type": "str", "required": True}, None),
    ],
)
def test_a_wrong_value_is_one_problem(spec: dict[str, t.Any], value: object) -> None:
    _checked, problems = check(spec, value)
    assert len(problems) == 1
    assert problems[0].startswith("x")
    assert "\n" not in problems[0]


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ({"type": "str"}, "yes", "yes"),
        ({"type": "int"}, "3", 3),
        ({"type": "float"}, "1e-7", 1e-7),
        ({"type": "float"}, 2, 2.0),
        ({"type": "bool"}, "true", True),
        ({"type": "list", "elements": "str", "choices": ["a", "b"]}, ["b"], ["b"]),
        ({"type": "list", "elements": "str"}, None, []),
        ({"type": "str", "default": "d"}, None, "d"),
        ({"type": "dict", "options": {"a": {"type": "int", "default": 1}}}, None, {"a": 1}),
        ({"type": "str"}, UNREADABLE, None),
    ],
)
def test_a_right_value_comes_back_typed(spec: dict[str, t.Any], value: object, expected: object) -> None:
    assert check(spec, value) == (expected, [])


def test_an_unknown_key_deep_inside_is_named_with_the_nearest_one() -> None:
    spec = {
        "type": "list",
        "elements": "dict",
        "options": {"gpu": {"type": "dict", "options": {"count": {"type": "int"}}}},
    }
    _checked, problems = check(spec, [{"gpu": {"coutn": 1}}])
    assert problems == ["x[0].gpu.coutn = 1: is no option here; did you mean count?"]


def test_arguments_may_hold_line_breaks_and_names_may_not() -> None:
    validator = Validator()
    spec = {"type": "list", "elements": "str"}
    assert validator.check(spec, ["a\nb"], "llm_models[0].args") == ["a\nb"]
    assert validator.problems == []


def test_long_values_are_cut_and_strings_are_told_from_booleans() -> None:
    assert show("yes") == '"yes"'
    assert show(True) == "true"
    assert len(show("x" * 300)) < 100


def test_a_name_far_from_all_others_lists_them() -> None:
    assert nearest("zzz", ["alpha", "beta"]) == "known: alpha, beta"
