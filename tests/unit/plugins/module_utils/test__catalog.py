# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._catalog import (
    CatalogError,
    check_sources,
    narrow,
    read_catalog,
    resolve,
)

CATALOG: dict[str, dict[str, t.Any]] = {
    "models": {"layer": "serving", "profile": "serving", "requires": ["base"], "sources": ["own"]},
    "base": {"layer": "foundation", "profile": "platform", "sources": ["own"]},
    "queue": {
        "layer": "platform",
        "profile": "platform",
        "feature": "queue",
        "requires": ["certs"],
        "sources": ["chart", "existing"],
    },
    "certs": {"layer": "foundation", "profile": "platform", "feature": "certs", "sources": ["existing"]},
    "scaler": {
        "layer": "serving",
        "profile": "serving",
        "feature": "scaler",
        "requires": ["models"],
        "sources": ["chart"],
    },
}


def catalog(**changes: dict[str, t.Any]) -> t.Any:
    return read_catalog({name: {"role": name, **entry, **changes.get(name, {})} for name, entry in CATALOG.items()})


def test_components_come_in_the_order_of_layers_and_requirements() -> None:
    components, problems = resolve(catalog(), "serving", {"queue": True, "certs": True, "scaler": True})
    assert problems == []
    assert [component.name for component in components] == ["base", "certs", "queue", "models", "scaler"]


def test_a_profile_leaves_out_what_lies_above_it() -> None:
    components, _problems = resolve(catalog(), "platform", {})
    assert [component.name for component in components] == ["base"]


def test_a_missing_requirement_names_the_feature_to_turn_on() -> None:
    _components, problems = resolve(catalog(), "platform", {"queue": True})
    assert [str(problem) for problem in problems] == [
        "llm_features.queue = true: component queue needs certs; set llm_features.certs: true"
    ]


def test_a_feature_above_the_profile_is_a_problem() -> None:
    _components, problems = resolve(catalog(), "platform", {"scaler": True})
    assert "set llm_profile: serving" in str(problems[0])


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({"qeue": "chart"}, "did you mean queue?"),
        ({"base": "chart"}, "choose one of: own"),
        ({"queue": "existing"}, "set llm_features.queue: true"),
    ],
)
def test_a_source_that_cannot_be_is_a_problem(sources: dict[str, object], said: str) -> None:
    known = catalog()
    components, _problems = resolve(known, "serving", {})
    problems = check_sources(known, components, sources)
    assert len(problems) == 1
    assert said in str(problems[0])


@pytest.mark.parametrize(
    ("run", "skip", "left"),
    [
        (["all"], [], ["base", "models"]),
        ([], [], ["base", "models"]),
        (["models"], [], ["models"]),
        (["foundation"], [], ["base"]),
        (["all"], ["models"], ["base"]),
        (["always"], [], ["base", "models"]),
    ],
)
def test_tags_narrow_the_plan(run: list[str], skip: list[str], left: list[str]) -> None:
    components, _problems = resolve(catalog(), "serving", {})
    assert narrow(components, run, skip) == (left, [])


def test_a_tag_nobody_answers_to_is_a_problem() -> None:
    components, _problems = resolve(catalog(), "serving", {})
    _names, problems = narrow(components, ["modles"], [])
    assert "did you mean models?" in str(problems[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": {"requires": ["models"]}}, "later layer"),
        ({"base": {"requires": ["nothing"]}}, "not in the catalog"),
        ({"base": {"layer": "moon"}}, "layer"),
        ({"base": {"colour": "red"}}, "colour"),
        ({"base": {"pod_security": "privileged"}}, "reason"),
    ],
)
def test_a_catalog_that_contradicts_itself_is_refused(changes: dict[str, t.Any], said: str) -> None:
    with pytest.raises(CatalogError, match=said):
        catalog(**changes)


def test_components_that_require_each_other_are_refused() -> None:
    circular = catalog(base={"requires": ["certs"]}, certs={"requires": ["base"], "feature": ""})
    with pytest.raises(CatalogError, match="circle"):
        resolve(circular, "platform", {})
