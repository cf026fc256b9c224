# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""No value that reaches a template of Kubernetes objects can change anything but itself."""

from __future__ import annotations

import pathlib

import jinja2
import pytest
from jinja2 import nodes

ROOT = pathlib.Path(__file__).resolve().parents[3]
TEMPLATES = sorted(ROOT.glob("roles/*/templates/*.yml.j2"))
_SAFE_FILTERS = {"to_json", "to_nice_json", "ansible.builtin.to_json", "ansible.builtin.to_nice_json"}
# Indents text that is JSON already.
_KEEPING_FILTERS = {"indent"}


class _Environment(jinja2.Environment):
    """Parses templates whatever filters and tests they use."""

    def _filter_test_common(self, *_arguments: object, **_options: object) -> None:
        raise AssertionError("a template is only parsed here")


def _is_safe(node: nodes.Node) -> bool:
    if isinstance(node, nodes.TemplateData):
        return True
    if isinstance(node, nodes.CondExpr):
        return _is_safe(node.expr1) and (node.expr2 is None or _is_safe(node.expr2))
    if isinstance(node, nodes.Filter):
        return node.name in _SAFE_FILTERS or (
            node.name in _KEEPING_FILTERS and node.node is not None and _is_safe(node.node)
        )
    return False


def unsafe_lines(source: str) -> list[int]:
    """Lines that put an expression into the text without making JSON of it."""
    tree = _Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True).parse(source)
    return [part.lineno for output in tree.find_all(nodes.Output) for part in output.nodes if not _is_safe(part)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_interpolated_value_goes_through_to_json(path: pathlib.Path) -> None:
    lines = unsafe_lines(path.read_text(encoding="utf-8"))
    assert not lines, f"{path.relative_to(ROOT)}: lines {lines} interpolate without to_json"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a: {{ x | to_json }}\n", []),
        ("a: {{ x }}\n", [1]),
        ("a: 1\nb: {{ x | string }}\n", [2]),
        ('a: "{{ x | to_json }}-{{ y }}"\n', [1]),
        ("a: {{ (x | to_json) if y else z }}\n", [1]),
        ("a: {{ x | ansible.builtin.to_json | indent(2) }}\n{% if x %}b: 1{% endif %}\n", []),
        ("a: {{ 'b' ~ x | to_json }}\n", [1]),
    ],
)
def test_the_rule_finds_what_it_is_for(source: str, expected: list[int]) -> None:
    assert unsafe_lines(source) == expected
