# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The options of render: their specification, and what the plan fills in. Private to the collection."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._render import RenderError
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._chart import Chart

SPEC: t.Final[dict[str, t.Any]] = {
    "argument_spec": {
        "component": {"type": "str", "required": True},
        "layer": {"type": "str"},
        "namespace": {"type": "str"},
        "templates": {"type": "list", "elements": "raw"},
        "objects": {"type": "list", "elements": "dict", "default": []},
        "charts": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "ref": {"type": "str", "required": True},
                "version": {"type": "str"},
                "namespace": {"type": "str"},
                "values": {"type": "dict", "default": {}},
                "plain_http": {"type": "bool", "default": False},
            },
        },
        "tree": {"type": "path"},
        "known_components": {"type": "list", "elements": "str"},
        "cluster_scoped": {"type": "list", "elements": "str", "default": []},
        "public_secrets": {"type": "list", "elements": "str", "default": []},
        "kube_version": {"type": "str"},
        "api_versions": {"type": "list", "elements": "str"},
        "helm": {"type": "path"},
        "cache_dir": {"type": "path"},
    }
}


@dataclass(frozen=True, slots=True)
class Template:
    src: str
    loop_var: str = ""
    items: tuple[t.Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    component: str
    layer: str
    namespace: str
    tree: Path
    cache: Path
    helm: str
    kube_version: str
    api_versions: list[str]
    templates: list[Template] | None
    objects: list[dict[str, t.Any]] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    known: list[str] | None = None
    cluster_scoped: list[tuple[str, str]] = field(default_factory=list)
    public_secrets: list[str] = field(default_factory=list)
    # How images are pinned; nothing is where the plan says nothing about it.
    images: dict[str, t.Any] = field(default_factory=dict)

    def templates_in(self, folder: Path | None) -> list[Template]:
        """The templates asked for; all of the role's when none are named."""
        if self.templates is not None or folder is None:
            return self.templates or []
        return [Template(path.name) for path in sorted(folder.glob("*.yml.j2"))]


def plain(value: t.Any) -> t.Any:
    """A copy in plain Python types, free of the tags that Ansible puts on values."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _template(value: t.Any) -> Template:
    if isinstance(value, str):
        return Template(value)
    if not isinstance(value, dict) or not isinstance(value.get("src"), str):
        raise RenderError([f"templates: {value!r} must be a file name or {{src, loop, loop_var}}"])
    unknown = sorted(set(value) - {"src", "loop", "loop_var"})
    if unknown:
        text = f"has the unknown keys {', '.join(unknown)}; known are src, loop, loop_var"
        raise RenderError([f"templates: {value['src']} {text}"])
    if ("loop" in value) != ("loop_var" in value):
        raise RenderError([f"templates: {value['src']} needs loop and loop_var together"])
    if "loop" not in value:
        return Template(value["src"])
    if not isinstance(value["loop"], list):
        raise RenderError([f"templates: loop of {value['src']} must be a list, not {type(value['loop']).__name__}"])
    if not str(value["loop_var"]).isidentifier():
        raise RenderError([f"templates: loop_var {value['loop_var']!r} of {value['src']} is no variable name"])
    return Template(value["src"], value["loop_var"], tuple(value["loop"]))


def _group_kind(value: str) -> tuple[str, str]:
    group, _slash, kind = value.rpartition("/")
    return group, kind


def read_options(arguments: dict[str, t.Any], plan: dict[str, t.Any], cache: str | None) -> Options:
    """Options of the task, completed from the plan; RenderError names what neither of them says."""
    component = arguments["component"]
    entry: dict[str, t.Any] = next((entry for entry in plan.get("components") or [] if entry["name"] == component), {})
    kubernetes = plan.get("kubernetes") or {}
    layer = arguments["layer"] or entry.get("layer")
    tree = arguments["tree"] or plan.get("tree")
    if not layer or not tree:
        missing = " and ".join(name for name, value in (("layer", layer), ("tree", tree)) if not value)
        raise RenderError([f"neither the task nor llm_plan says {missing}; run role plan first or set the option"])
    namespace = plain(arguments["namespace"] or entry.get("namespace") or "")
    known = arguments["known_components"]
    if known is None and plan.get("components"):
        known = [entry["name"] for entry in plan["components"]]
    if known is not None and component not in known:
        raise RenderError([f"it is not among the plan's components ({', '.join(known)})"])
    charts = []
    for chart in arguments["charts"]:
        target = plain(chart["namespace"] or namespace)
        if not target:
            raise RenderError([f"chart {chart['name']} has no namespace; set it there or as the option namespace"])
        charts.append(
            Chart(
                name=plain(chart["name"]),
                ref=plain(chart["ref"]),
                namespace=target,
                version=plain(chart["version"] or ""),
                plain_http=chart["plain_http"],
                values=plain(chart["values"]),
                sources=plain(plan.get("sources") or ""),
            )
        )
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "llm-platform"
    return Options(
        component=plain(component),
        layer=plain(layer),
        namespace=namespace,
        tree=Path(plain(tree)).expanduser(),
        cache=Path(plain(arguments["cache_dir"] or cache or home)).expanduser(),
        helm=plain(arguments["helm"] or plan.get("helm") or "helm"),
        kube_version=plain(arguments["kube_version"] or kubernetes.get("version") or ""),
        api_versions=plain(arguments["api_versions"] or kubernetes.get("api_versions") or []),
        templates=None if arguments["templates"] is None else [_template(value) for value in arguments["templates"]],
        objects=plain(arguments["objects"]),
        charts=charts,
        known=None if known is None else plain(known),
        cluster_scoped=[_group_kind(plain(value)) for value in arguments["cluster_scoped"]],
        public_secrets=plain(arguments["public_secrets"]),
        images=plain(plan.get("images") or {}),
    )
