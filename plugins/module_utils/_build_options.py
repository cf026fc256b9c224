# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads the builds' options, which three modules share. Private to the collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_go import GoFolder, GoSource
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import Image
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import Inputs

_TEXTS = {"type": "list", "elements": "str", "default": []}
INPUTS_SPEC: dict[str, t.Any] = {
    "type": "dict",
    "required": True,
    "options": {
        "cache": {"type": "path", "required": True},
        "files": {"type": "path", "required": True},
        "go": {"type": "str", "required": True},
        "go_tools": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "ldflags": {"type": "str", "default": ""},
                "version_of": {"type": "str", "default": ""},
                "rename": {"type": "dict", "default": {}},
                "on_demand": {"type": "bool", "default": False},
            },
        },
        "sources": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "go_mod": {"type": "str", "required": True},
                "module": {"type": "str", "required": True},
                "paths": {"type": "list", "elements": "str", "required": True},
            },
        },
        "node_packages": {"type": "list", "elements": "str", "required": True},
        "images": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "context": {"type": "str", "required": True},
                "name": {"type": "str", "default": ""},
                "args": {"type": "dict", "default": {}},
                "rootfs": _TEXTS,
                "tools": _TEXTS,
                "sources": _TEXTS,
            },
        },
    },
}


def read_inputs(params: dict[str, t.Any]) -> Inputs:
    """Turn checked module parameters into what a build plan is made from."""
    files = Path(params["files"])
    tools = [
        GoFolder(
            name=entry["name"],
            path=str(files / "go" / entry["name"]),
            ldflags=entry["ldflags"],
            version_of=entry["version_of"],
            rename={str(old): str(new) for old, new in entry["rename"].items()},
            on_demand=entry["on_demand"],
        )
        for entry in params["go_tools"]
    ]
    sources = [
        GoSource(path=str(files / "go" / entry["go_mod"]), module=entry["module"], paths=entry["paths"])
        for entry in params["sources"]
    ]
    return Inputs(
        cache=Path(params["cache"]),
        go=params["go"],
        go_tools=tools,
        sources=sources,
        node_packages=params["node_packages"],
        images=[_image(files / "images", entry) for entry in params["images"]],
    )


def _image(folder: Path, entry: dict[str, t.Any]) -> Image:
    # An absolute context is a user's own image; joining keeps it as it is.
    path = folder / entry["context"]
    name = entry["name"]
    if name and (":" not in name.rpartition("/")[2] or "/" not in name or "@" in name):
        msg = f"local_cluster_images: {name} must be a full name with registry and tag, such as ghcr.io/acme/tool:1.2.3"
        raise BuildError(msg)
    return Image(
        context=path.name,
        path=str(path),
        name=name,
        args={str(key): str(value) for key, value in entry["args"].items()},
        rootfs=entry["rootfs"],
        tools=entry["tools"],
        sources=entry["sources"],
    )
