# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Removes builds that are no longer wanted, never one that a running cluster uses. Private to the collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError, locked, remove_tree
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import read_record
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_make import store
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import plan_builds

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import BuildPlan, Inputs

# Folders of builds by key, and what else only builds use.
KEYED = ("go/tools", "tools", "sources", "node-root")
CACHES = ("go/build", "go/mod", "images", "logs")


def mounted_paths(proc: Path = Path("/proc")) -> str:
    """Read the mounts of all processes, in whatever namespace they are."""
    seen: dict[str, str] = {}
    for process in proc.glob("[0-9]*"):
        try:
            namespace = str((process / "ns" / "mnt").readlink())
            if namespace not in seen:
                seen[namespace] = (process / "mountinfo").read_text(errors="replace")
        except OSError:
            continue
    return "\n".join(seen.values())


def unwanted(inputs: Inputs, plan: BuildPlan, *, everything: bool) -> list[Path]:
    """List the folders and image records to remove."""
    keep = set() if everything else {artifact.path for artifact in (*plan.artifacts, *plan.on_demand)}
    found = [path for name in KEYED for path in sorted((inputs.cache / name).glob("*"))]
    if everything:
        found += [path for name in CACHES if (path := inputs.cache / name).exists()]
    else:
        found += sorted((inputs.cache / "images" / "built").glob("*.json"))
    return [path for path in found if str(path) not in keep]


def clean(inputs: Inputs, *, everything: bool, check: bool) -> tuple[list[str], list[str]]:
    """Remove unwanted builds; return what was removed and what stays because it is in use."""
    plan = plan_builds(inputs)
    mounts = mounted_paths()
    paths = unwanted(inputs, plan, everything=everything)
    used = [path for path in paths if f"{path}/" in mounts or f"{path} " in mounts]
    if everything and used:
        msg = f"a running cluster uses {', '.join(map(str, used))}; stop it (playbooks/local_down.yml) before cleaning"
        raise BuildError(msg)
    removable = [path for path in paths if path not in used]
    if not check:
        with locked(inputs.cache / "locks" / "image.lock"):
            _remove(inputs, plan, removable)
    return [str(path) for path in removable], [str(path) for path in used]


def _remove(inputs: Inputs, plan: BuildPlan, paths: list[Path]) -> None:
    records = [path for path in paths if path.suffix == ".json"]
    # Without a builder the layers stay until one is built.
    if records and Path(plan.one("node_root").path).exists():
        tags = [f"localhost/{record['context']}:{record['key']}" for record in map(read_record, records) if record]
        store(inputs, plan).remove(tags, log=inputs.cache / "logs" / "clean.log")
        for path in records:
            path.unlink()
    for path in paths:
        if path not in records:
            remove_tree(path)
