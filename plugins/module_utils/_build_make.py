# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds one artifact of the build plan and pushes images. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError, locked, new_folder
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_go import (
    build_tools,
    copy_sources,
    trim_module_archives,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import (
    Image,
    ImageFiles,
    ImageStore,
    read_record,
    write_record,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_lock import note_built
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import (
    Artifact,
    BuildPlan,
    Inputs,
    Kind,
    link_tools,
    plan_builds,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_registry import registry_digest
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_root import build_root


def make(inputs: Inputs, kind: Kind, name: str, key: str) -> float | None:
    """Build one artifact; return the seconds it took, or nothing when another run has built it meanwhile."""
    plan = plan_builds(inputs)
    artifact = plan.one(kind, name)
    if artifact.key != key:
        msg = f"the inputs of {kind} {name} changed while it was waiting to be built; run the play again"
        raise BuildError(msg)
    started = time.monotonic()
    with locked(inputs.cache / "locks" / f"{kind}.lock"):
        if artifact.present:
            return None
        log = log_path(inputs.cache, artifact)
        log.unlink(missing_ok=True)
        _make(inputs, plan, artifact, log)
    if not plan.missing:
        trim_module_archives(inputs.cache)
    return round(time.monotonic() - started, 1)


def log_path(cache: Path, artifact: Artifact) -> Path:
    """Say where the output of a build goes."""
    return cache / "logs" / f"{artifact.kind}-{artifact.name}.log"


def _make(inputs: Inputs, plan: BuildPlan, artifact: Artifact, log: Path) -> None:
    final = Path(artifact.path)
    match artifact.kind:
        case "go_tools":
            folder = next(folder for folder in inputs.go_tools if folder["name"] == artifact.name)
            build_tools(folder, go=inputs.go, cache=inputs.cache, final=final, log=log)
        case "tools":
            with new_folder(final) as fresh:
                link_tools(artifact, [other for other in plan.artifacts if other.kind == "go_tools"], fresh)
        case "sources":
            copy_sources(inputs.sources, go=inputs.go, cache=inputs.cache, final=final, log=log)
        case "node_root":
            build_root(inputs.node_packages, final=final, log=log)
        case "image":
            image = next(image for image in inputs.images if image["context"] == artifact.name)
            files = ImageFiles(Path(plan.one("tools").path), Path(plan.one("sources").path))
            store(inputs, plan).build(image, artifact.key, artifact.parts, files, log=log)


def store(inputs: Inputs, plan: BuildPlan) -> ImageStore:
    """Give the store of images with the builder that lies in the node's root."""
    return ImageStore(inputs.cache / "images", Path(plan.one("node_root").path) / "root")


class Push(t.TypedDict):
    """What became of one image at the registry."""

    name: str
    digest: str
    built: bool
    pushed: bool


def push(inputs: Inputs, registry: str, *, check: bool) -> list[Push]:
    """Push every named image that the registry does not have with the digest of its build.

    Between a run's builds and its push the inputs may change and another run may clean: what is missing is built.
    """
    plan = plan_builds(inputs)
    done: list[Push] = []
    if not check:
        for part in plan.missing:
            if part.kind != "image":
                make(inputs, part.kind, part.name, part.key)
    with locked(inputs.cache / "locks" / "image.lock"):
        built = set() if check else _make_images(inputs, plan)
        for image in inputs.images:
            if image["name"]:
                done.append(_push(inputs, plan, image, registry, check=check))
                done[-1]["built"] |= image["context"] in built
        if not check:
            note_built(inputs.cache, {item["name"]: item["digest"] for item in done})
    return done


def _make_images(inputs: Inputs, plan: BuildPlan) -> set[str]:
    """Build the images that are missing, parents first; the caller holds the lock of the images."""
    missing = [part for part in plan.artifacts if part.kind == "image" and not read_record(Path(part.path))]
    for artifact in missing:
        _make(inputs, plan, artifact, log_path(inputs.cache, artifact))
    return {artifact.name for artifact in missing}


def _push(inputs: Inputs, plan: BuildPlan, image: Image, registry: str, *, check: bool) -> Push:
    artifact = plan.one("image", image["context"])
    record = read_record(Path(artifact.path))
    if not record:
        return Push(name=image["name"], digest="", built=True, pushed=True)
    known = str(record.get("digest", ""))
    needed = not known or registry_digest(registry, image["name"]) != known
    if needed and not check:
        log = inputs.cache / "logs" / f"push-{image['context']}.log"
        log.unlink(missing_ok=True)
        known = store(inputs, plan).push(image["context"], artifact.key, f"{registry}/{image['name']}", log=log)
        write_record(Path(artifact.path), {**record, "digest": known})
    return Push(name=image["name"], digest=known, built=False, pushed=needed)
