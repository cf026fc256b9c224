# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What tests of roles share: rendering a role's template as the render action does."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).resolve().parents[3]
Object = dict[str, t.Any]


class RenderTemplate(t.Protocol):
    def __call__(
        self, role: str, template: str, variables: dict[str, t.Any], *, namespace: str = "default"
    ) -> list[Object]: ...


@pytest.fixture(scope="session")
def render_template() -> RenderTemplate:
    """Renders roles/<role>/templates/<template> with the role's defaults and vars under the given variables.

    The objects come back as the render action would write them (checked, cleaned, labelled, named); what it refuses
    raises its RenderError.
    """
    from ansible_collections.wmx.llm_platform.plugins.module_utils._render import prepare
    from ansible_collections.wmx.llm_platform.plugins.module_utils._render_scope import Scopes
    from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_options import Template
    from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_templates import TemplateRenderer

    loader = DataLoader()

    def render(role: str, template: str, variables: dict[str, t.Any], *, namespace: str = "default") -> list[Object]:
        folder = ROOT / "roles" / role
        known: dict[str, t.Any] = {}
        for part in ("defaults", "vars"):
            if (folder / part / "main.yml").exists():
                known |= loader.load_from_file(str(folder / part / "main.yml"), trusted_as_template=True) or {}
        known |= variables
        renderer = TemplateRenderer(Templar(loader=loader, variables=known), loader, known, namespace)
        rendered = renderer.render(Template(template), folder / "templates" / template)
        return prepare(role, rendered, Scopes(pathlib.Path("/nonexistent"))).objects

    return render
