# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Controller side of the module render: templates, objects and charts of a component become files of the tree."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ObjectError, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import (
    Rendered,
    RenderError,
    flatten,
    prepare,
    refuse_duplicates,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._render_diff import diff_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._render_scope import Scopes
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import (
    TreeError,
    drop_unknown_components,
    tree_hash,
    write_component,
)
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._chart import Chart, ChartError, Helm
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_options import SPEC, Options, read_options
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_pin import (
    pin_charts,
    pin_rendered,
    registry_access,
)
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_templates import TemplateRenderer
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._tree_overlay import make_overlay

# Where the playbook lock finds all charts that were rendered.
CHARTS_FACT: t.Final = "llm_platform_charts"
_FAILURES = (RenderError, ChartError, TreeError, ObjectError)


class ActionModule(ActionBase):
    """Renders on the controller; no host is contacted."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        variables = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, variables)
        _validation, arguments = self.validate_argument_spec(**SPEC)  # type: ignore[no-untyped-call]
        plan = self._templar.resolve_variable_expression("llm_plan") if "llm_plan" in variables else {}
        cache = self._templar.resolve_variable_expression("llm_cache_dir") if "llm_cache_dir" in variables else None
        try:
            options = read_options(arguments, plan, cache)
            result |= self._render(options, variables)
        except _FAILURES as exc:
            raise AnsibleActionFail(f"component {arguments['component']}: {exc}") from exc
        return result

    def _render(self, options: Options, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        root = make_overlay(options.tree) if self._task.check_mode else options.tree
        charts, excused_charts = pin_charts([self._with_folder(chart) for chart in options.charts], options.images)
        rendered = [
            *self._from_templates(options, variables),
            *self._inline(options),
            *self._from_charts(options, charts, variables),
        ]
        rendered, excused = pin_rendered(rendered, options.images)
        prepared = prepare(
            options.component,
            rendered,
            Scopes(root, options.cluster_scoped),
            options.public_secrets,
        )
        refuse_duplicates(root, options.component, prepared.objects, options.known)
        dropped_components = [] if options.known is None else drop_unknown_components(root, options.known)
        written = write_component(root, options.layer, options.component, prepared.objects)
        result: dict[str, t.Any] = {
            "changed": written.changed or bool(dropped_components),
            "tree": str(root),
            "folder": str(written.folder),
            "hash": tree_hash(root),
            "objects": [ref_of(obj).text for obj in prepared.objects],
            "added": written.added,
            "updated": written.updated,
            "removed": written.removed,
            "dropped_hooks": prepared.dropped,
            "dropped_components": dropped_components,
            "excused_images": [
                {
                    "image": verdict.image,
                    "rule": verdict.rule,
                    "owner": verdict.waiver.owner,
                    "reason": verdict.waiver.reason,
                }
                for verdict in (*excused, *excused_charts)
                if verdict.waiver
            ],
        }
        if options.images.get("collect_charts"):
            result["ansible_facts"] = {CHARTS_FACT: self._noted(charts, variables)}
        if self._task.diff:
            gone = [{"prepared": f"{name} is no component of the plan; its folder goes"} for name in dropped_components]
            result["diff"] = [*diff_of(written.diff), *gone]
        return result

    def _from_templates(self, options: Options, variables: dict[str, t.Any]) -> list[Rendered]:
        role = self._task._role  # noqa: SLF001 - the only way to the role that the task stands in
        if options.templates is None and role is None:
            return []
        folder = Path(role._role_path) / "templates" if role is not None else None  # noqa: SLF001
        renderer = TemplateRenderer(self._templar, self._loader, variables, options.namespace)
        found: list[Rendered] = []
        for template in options.templates_in(folder):
            try:
                path = Path(self._find_needle("templates", template.src))  # type: ignore[no-untyped-call]
            except AnsibleError as exc:
                raise AnsibleActionFail(f"component {options.component}: there is no template {template.src}") from exc
            found += renderer.render(template, path)
        return found

    def _inline(self, options: Options) -> list[Rendered]:
        return [
            Rendered(origin, obj, options.namespace)
            for number, element in enumerate(options.objects)
            for origin, obj in flatten(element, f"objects[{number}]")
        ]

    def _from_charts(self, options: Options, charts: list[Chart], variables: dict[str, t.Any]) -> list[Rendered]:
        if not charts:
            return []
        name = "llm_registry_credentials"
        credentials = self._templar.resolve_variable_expression(name) if name in variables else ""
        access = registry_access(options.images, str(credentials or ""))
        helm = Helm(options.helm, options.cache, options.kube_version, options.api_versions, access=access)
        found: list[Rendered] = []
        for chart in charts:
            found += helm.render(chart)
        return found

    @staticmethod
    def _noted(charts: list[Chart], variables: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """The charts of this component beside those of the components before it, as digest_pin takes them."""
        known = (variables.get("ansible_facts") or {}).get(CHARTS_FACT) or []
        noted = [
            {
                "name": chart.lock_name.ref,
                "version": chart.version,
                "path": chart.path or chart.ref,
                "plain_http": chart.plain_http,
            }
            for chart in charts
        ]
        return [*known, *(entry for entry in noted if entry not in known)]

    def _with_folder(self, chart: Chart) -> Chart:
        """A relative folder is looked for in files/ of the role, as everything else that a role brings."""
        if chart.is_remote or Path(chart.ref).is_absolute():
            return chart
        try:
            return replace(chart, path=self._find_needle("files", chart.ref))  # type: ignore[no-untyped-call]
        except AnsibleError as exc:
            raise ChartError(f"chart {chart.name}: there is no folder or archive {chart.ref}") from exc
