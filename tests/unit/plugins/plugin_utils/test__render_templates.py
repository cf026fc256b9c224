# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._render import RenderError, prepare
from ansible_collections.wmx.llm_platform.plugins.module_utils._render_scope import Scopes
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import dump, load_documents
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_options import Template
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_templates import TemplateRenderer

# Every place of a document that a value can stand in.
PLACES = """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: places
  annotations:
    example.com/value: {{ value | to_json }}
data:
  value: {{ value | to_json }}
  block: |
    {{ value | to_json }}
  flow: {{ [value] | to_json | to_json }}
---
apiVersion: example.com/v1
kind: Place
metadata:
  name: place
spec:
  list:
    {% for each in [value, value] %}
    - {{ each | to_json }}
    {% endfor %}
  map: { {{ value | to_json }}: 1, "nested": {{ {"a": value} | to_json }} }
  after: intact
"""


def renderer(variables: dict[str, t.Any]) -> TemplateRenderer:
    loader = DataLoader()
    return TemplateRenderer(Templar(loader=loader, variables=variables), loader, variables, "ns")


@pytest.fixture
def template(tmp_path: pathlib.Path) -> t.Callable[[str], pathlib.Path]:
    def write(text: str) -> pathlib.Path:
        path = tmp_path / "demo.yml.j2"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def check_places(path: pathlib.Path, value: str) -> None:
    try:
        rendered = renderer({"value": value}).render(Template("demo.yml.j2"), path)
        config, place = prepare("demo", rendered, Scopes(pathlib.Path("/nonexistent"))).objects
    except RenderError as exc:
        refusal = str(exc)
    else:
        refusal = ""
    if refusal:
        # Only what YAML cannot carry at all may be refused, and in a sentence that names the place.
        assert any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in value), (
            refusal
        )
        assert "demo.yml.j2" in refusal
        return
    assert config["data"]["value"] == value
    assert config["metadata"]["annotations"]["example.com/value"] == value
    assert config["metadata"]["name"] == "places"
    assert place["spec"]["list"] == [value, value]
    assert place["spec"]["map"] == {value: 1, "nested": {"a": value}} if value != "nested" else True
    assert place["spec"]["after"] == "intact"
    for obj in (config, place):
        assert load_documents(dump(obj))[0][1] == obj


def test_a_hostile_value_stays_a_value(template: t.Callable[[str], pathlib.Path], hostile: str) -> None:
    check_places(template(PLACES), hostile)


@given(st.text(min_size=1, max_size=60).filter(lambda text: text != "nested"))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_stays_a_value(template: t.Callable[[str], pathlib.Path], value: str) -> None:
    check_places(template(PLACES), value)


def test_a_loop_renders_the_template_once_for_each_item(template: t.Callable[[str], pathlib.Path]) -> None:
    path = template("kind: Pod\napiVersion: v1\nmetadata: {name: {{ full | to_json }}}\n")
    variables = {"full": trust_as_template("m-{{ model.name }}")}
    rendered = renderer(variables).render(Template("demo.yml.j2", "model", ({"name": "a"}, {"name": "b"})), path)
    assert [item.object["metadata"]["name"] for item in rendered] == ["m-a", "m-b"]
    assert [item.origin for item in rendered] == [f"template demo.yml.j2 (model {name}), line 1" for name in "ab"]


def test_an_undefined_variable_names_template_and_variable(template: t.Callable[[str], pathlib.Path]) -> None:
    with pytest.raises(RenderError, match=r"template demo.yml.j2: .*'nowhere' is undefined"):
        renderer({}).render(Template("demo.yml.j2"), template("kind: {{ nowhere | to_json }}\n"))


def test_a_key_that_stands_twice_is_refused_with_its_line(template: t.Callable[[str], pathlib.Path]) -> None:
    path = template("kind: Pod\nmetadata:\n  name: a\n  name: b\n")
    with pytest.raises(RenderError, match=r"template demo.yml.j2, line 4: .*'name' stands twice"):
        renderer({}).render(Template("demo.yml.j2"), path)


def test_a_template_that_differs_each_time_is_refused(template: t.Callable[[str], pathlib.Path]) -> None:
    path = template(
        "kind: Pod\napiVersion: v1\nmetadata: {name: a, annotations: {x: {{ 99999999 | random | string | to_json }}}}\n"
    )
    with pytest.raises(RenderError, match=r"template demo.yml.j2: Pod a has another content each time"):
        renderer({}).render(Template("demo.yml.j2"), path)


def test_a_template_of_one_expression_gives_its_native_value(template: t.Callable[[str], pathlib.Path]) -> None:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    rendered = renderer({"objects": [obj, obj | {"kind": "Service"}]}).render(
        Template("demo.yml.j2"), template("{{ objects }}")
    )
    assert [item.object["kind"] for item in rendered] == ["Pod", "Service"]
    assert rendered[0].object["kind"].__class__ is str


def test_a_line_with_only_a_statement_leaves_nothing_behind(template: t.Callable[[str], pathlib.Path]) -> None:
    path = template("kind: Pod\n  {% if false %}\nbad\n    {% endif %}\n---\n---\n# nothing\n")
    assert len(renderer({}).render(Template("demo.yml.j2"), path)) == 1
