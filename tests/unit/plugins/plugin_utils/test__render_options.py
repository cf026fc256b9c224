# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._render import RenderError
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_options import (
    SPEC,
    Template,
    plain,
    read_options,
)

PLAN: t.Final[dict[str, t.Any]] = {
    "tree": "/build/env",
    "components": [
        {"name": "demo", "layer": "serving", "namespace": "llm-serving"},
        {"name": "bare", "layer": "platform"},
    ],
    "kubernetes": {"version": "v1.36.3", "api_versions": ["a/v1"]},
}


def arguments(**given: t.Any) -> dict[str, t.Any]:
    spec = SPEC["argument_spec"]
    return {name: option.get("default") for name, option in spec.items()} | {"component": "demo"} | given


def chart(**given: t.Any) -> dict[str, t.Any]:
    return {"name": "c", "ref": "c", "version": None, "namespace": None, "values": {}, "plain_http": False, **given}


def test_the_plan_fills_in_what_the_task_leaves_out() -> None:
    options = read_options(arguments(charts=[chart()]), PLAN, "/cache")
    assert (options.layer, options.namespace, options.tree) == ("serving", "llm-serving", pathlib.Path("/build/env"))
    assert (options.kube_version, options.api_versions) == ("v1.36.3", ["a/v1"])
    assert options.known == ["demo", "bare"]
    assert options.charts[0].namespace == "llm-serving"
    assert options.cache == pathlib.Path("/cache")


def test_the_task_overrides_the_plan() -> None:
    given = {"layer": "routing", "namespace": "x", "tree": "/t", "kube_version": "v1", "cache_dir": "/c", "helm": "/h"}
    options = read_options(arguments(**given), PLAN, "/cache")
    assert (options.layer, options.namespace, str(options.tree), options.kube_version) == ("routing", "x", "/t", "v1")
    assert (str(options.cache), options.helm) == ("/c", "/h")


@pytest.mark.parametrize(
    ("given", "plan", "reason"),
    [
        ({}, {}, "neither the task nor llm_plan says layer and tree"),
        ({"layer": "serving"}, {}, "says tree;"),
        ({"component": "other", "layer": "serving"}, PLAN, r"not among the plan's components \(demo, bare\)"),
        ({"component": "bare", "charts": [chart()]}, PLAN, "chart c has no namespace"),
        ({"templates": [1]}, PLAN, "1 must be a file name or"),
        ({"templates": [{"loop": []}]}, PLAN, "must be a file name or"),
        ({"templates": [{"src": "a", "loop": []}]}, PLAN, "a needs loop and loop_var together"),
        ({"templates": [{"src": "a", "loop": "x", "loop_var": "y"}]}, PLAN, "loop of a must be a list, not str"),
        ({"templates": [{"src": "a", "loop": [], "loop_var": "not one"}]}, PLAN, "'not one' of a is no variable name"),
        ({"templates": [{"src": "a", "lop": []}]}, PLAN, "a has the unknown keys lop; known are src, loop, loop_var"),
    ],
)
def test_an_incomplete_task_is_refused_with_what_is_missing(
    given: dict[str, t.Any], plan: dict[str, t.Any], reason: str
) -> None:
    with pytest.raises(RenderError, match=reason):
        read_options(arguments(**given), plan, None)


def test_all_templates_of_the_role_are_the_default(tmp_path: pathlib.Path) -> None:
    for name in ("b.yml.j2", "a.yml.j2", "other.j2"):
        (tmp_path / name).touch()
    assert read_options(arguments(), PLAN, None).templates_in(tmp_path) == [Template("a.yml.j2"), Template("b.yml.j2")]
    assert read_options(arguments(templates=[]), PLAN, None).templates_in(tmp_path) == []
    assert read_options(arguments(templates=["x"]), PLAN, None).templates_in(None) == [Template("x")]


def test_values_lose_the_tags_of_ansible() -> None:
    from ansible.template import trust_as_template

    value = plain({trust_as_template("k"): (trust_as_template("v"), True, 1, 1.5, None)})
    assert value == {"k": ["v", True, 1, 1.5, None]}
    assert [type(item) for item in value["k"]] == [str, bool, int, float, type(None)]
    assert type(next(iter(value))) is str  # pylint: disable=unidiomatic-typecheck  # a tagged text is a str too
