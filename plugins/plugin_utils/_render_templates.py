# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Renders a role's templates with Ansible's own templar. Private to the collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.template import trust_as_template

from ansible_collections.wmx.llm_platform.plugins.module_utils._render import (
    Rendered,
    RenderError,
    flatten,
    parse,
    same_objects,
)
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_cache import compiled_once
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_options import plain

if t.TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_cache import Compiled
    from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_options import Template

# A line that holds nothing but a statement leaves nothing behind, whatever its indentation.
_OVERRIDES = {"trim_blocks": True, "lstrip_blocks": True}


class TemplateRenderer:
    """Renders templates of one task; variables are those of the task, plus the loop variable of a template."""

    def __init__(self, templar: Templar, loader: DataLoader, variables: dict[str, t.Any], namespace: str) -> None:
        self._loader = loader
        self._variables = variables
        self._namespace = namespace
        self._compiled: Compiled = {}
        search = [str(Path(path) / "templates") for path in variables.get("ansible_search_path", [])]
        self._templar = templar.copy_with_new_env(searchpath=search, available_variables=variables)

    def render(self, template: Template, path: Path) -> list[Rendered]:
        """The objects of one template, for each item of its loop; refuses what is different at the second time."""
        text = trust_as_template(self._loader.get_text_file_contents(str(path)))
        if not template.loop_var:
            return self._render_once(text, f"template {path.name}", {})
        return [
            rendered
            for number, item in enumerate(template.items)
            for rendered in self._render_once(
                text, f"template {path.name} ({template.loop_var} {_title(item, number)})", {template.loop_var: item}
            )
        ]

    def _render_once(self, text: str, origin: str, extra: dict[str, t.Any]) -> list[Rendered]:
        self._templar.available_variables = {**self._variables, **extra}
        try:
            first, second = self._template(text), self._template(text)
        except AnsibleError as exc:
            raise RenderError([f"{origin}: {exc}"]) from exc
        found = _objects(first, origin)
        if first != second:
            same_objects(origin, [obj for _place, obj in found], [obj for _place, obj in _objects(second, origin)])
        return [Rendered(place, obj, self._namespace) for place, obj in found]

    def _template(self, text: str) -> t.Any:
        with compiled_once(self._compiled):
            return self._templar.template(text, escape_backslashes=False, overrides=_OVERRIDES)


def _objects(value: t.Any, origin: str) -> list[tuple[str, dict[str, t.Any]]]:
    # A template that is a single expression gives its native value.
    return parse(str(value), origin) if isinstance(value, str) else flatten(plain(value), origin)


def _title(item: t.Any, number: int) -> str:
    name = item.get("name") if isinstance(item, dict) else item
    return str(name) if isinstance(name, (str, int)) else f"number {number + 1}"
