# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Says what the local cluster is built from, under which keys, and what is still missing. Private to the collection."""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError, key_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_go import (
    GoFolder,
    GoSource,
    go_version,
    source_inputs,
    tool_inputs,
    tool_names,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import (
    Image,
    image_inputs,
    parents,
    record_path,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_root import root_inputs

Kind = t.Literal["go_tools", "tools", "sources", "node_root", "image"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything the role's options and data say about builds."""

    cache: Path
    go: str
    go_tools: list[GoFolder]
    sources: list[GoSource]
    node_packages: list[str]
    images: list[Image]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One thing that is built: where it lies once it is there, and the keys of what it is made of."""

    kind: Kind
    name: str
    key: str
    path: str
    parts: dict[str, str]

    @property
    def present(self) -> bool:
        """Tell whether it is built; a build appears under its path in one step, so existing means complete."""
        return Path(self.path).exists()

    def result(self) -> dict[str, t.Any]:
        """Show the artifact to the role."""
        return {**asdict(self), "present": self.present}


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All artifacts in the order in which they are built, and those that are built for whoever asks."""

    artifacts: list[Artifact]
    on_demand: list[Artifact] = field(default_factory=list)

    @property
    def missing(self) -> list[Artifact]:
        """List what must be built."""
        return [artifact for artifact in self.artifacts if not artifact.present]

    def one(self, kind: Kind, name: str | None = None) -> Artifact:
        """Find an artifact that the plan is known to have."""
        for artifact in (*self.artifacts, *self.on_demand):
            if artifact.kind == kind and name in (None, artifact.name):
                return artifact
        msg = f"the build plan has no {kind} {name or ''}".rstrip()
        raise BuildError(msg)


def plan_builds(inputs: Inputs) -> BuildPlan:
    """Key every artifact by its inputs, those it is made of included."""
    cache = inputs.cache
    version = go_version(inputs.go, cache)
    demanded = [folder for folder in inputs.go_tools if folder.get("on_demand")]
    needed = [folder for folder in inputs.go_tools if folder not in demanded]
    folders = [_go_artifact(cache, folder, version) for folder in needed]
    folder_of = _tool_owners(needed)
    tools = _artifact("tools", "toolset", cache / "tools", {folder.name: folder.key for folder in folders})
    sources = _artifact("sources", "sources", cache / "sources", {}, source_inputs(inputs.sources))
    root = _artifact("node_root", "node-root", cache / "node-root", {}, root_inputs(inputs.node_packages))
    keys = {folder.name: folder.key for folder in folders}
    images: dict[str, Artifact] = {}
    for image in inputs.images:
        name = image["context"]
        if name in images:
            msg = f"local_cluster_images names the context {name} twice; give each image a folder of its own"
            raise BuildError(msg)
        images[name] = _image_artifact(cache, image, images, _input_keys(image, folder_of, keys, sources, root))
    on_demand = [_go_artifact(cache, folder, version) for folder in demanded]
    return BuildPlan([*folders, tools, sources, root, *images.values()], on_demand)


def _artifact(
    kind: Kind, name: str, folder: Path, parts: dict[str, str], inputs: dict[str, t.Any] | None = None
) -> Artifact:
    key = key_of({"kind": kind, "inputs": inputs or {}, "parts": parts})
    return Artifact(kind, name, key, str(folder / key), parts)


def _go_artifact(cache: Path, folder: GoFolder, version: str) -> Artifact:
    key = key_of({"kind": "go_tools", "inputs": tool_inputs(folder, version), "parts": {}})
    return Artifact("go_tools", folder["name"], key, str(cache / "go" / "tools" / f"{folder['name']}-{key}"), {})


def _tool_owners(folders: list[GoFolder]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for folder in folders:
        for tool in tool_names(folder):
            if tool in owners:
                msg = f"both {owners[tool]} and {folder['name']} build a tool {tool}; set `rename` of one of them"
                raise BuildError(msg)
            owners[tool] = folder["name"]
    return owners


def _input_keys(
    image: Image, owners: dict[str, str], keys: dict[str, str], sources: Artifact, root: Artifact
) -> dict[str, str]:
    found = {"builder": root.key}
    for tool in image["tools"]:
        if tool not in owners:
            msg = f"image {image['context']} wants the tool {tool}; built are {', '.join(sorted(owners))}"
            raise BuildError(msg)
        found[f"tool {tool}"] = keys[owners[tool]]
    if image["sources"]:
        found["sources"] = sources.key
    return found


def _image_artifact(cache: Path, image: Image, earlier: dict[str, Artifact], keys: dict[str, str]) -> Artifact:
    name = image["context"]
    parent_keys: dict[str, str] = {}
    for parent in parents(image):
        if parent not in earlier:
            msg = f"image {name} starts from localhost/{parent}, which local_cluster_images does not name before it"
            raise BuildError(msg)
        parent_keys[parent] = earlier[parent].key
    key = key_of({"kind": "image", "inputs": image_inputs(image, parent_keys, keys)})
    return Artifact("image", name, key, str(record_path(cache / "images", name, key)), parent_keys)


def link_tools(artifact: Artifact, folders: list[Artifact], fresh: Path) -> None:
    """Gather the tools of all folders in one bin folder without a second copy."""
    binaries = fresh / "bin"
    binaries.mkdir()
    for folder in folders:
        if artifact.parts.get(folder.name) == folder.key:
            for path in sorted((Path(folder.path) / "bin").iterdir()):
                os.link(path, binaries / path.name)
