# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a check run keeps its tree: a copy that ends with the run. Private to the collection."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from ansible import constants


def overlay_path(tree: Path | str) -> Path:
    """The check run's copy of a tree. Ansible removes its temporary folder, and this in it, when the run ends."""
    key = hashlib.sha256(str(Path(tree).absolute()).encode()).hexdigest()[:16]
    local: str = constants.DEFAULT_LOCAL_TMP  # type: ignore[attr-defined]  # made at run time
    return Path(local) / "llm-platform-tree" / key / Path(tree).name


def make_overlay(tree: Path | str) -> Path:
    """The copy, made at the first call of a run: what this run does not render is in it as it is in the tree."""
    overlay = overlay_path(tree)
    if not overlay.is_dir():
        overlay.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".copy-", dir=overlay.parent))
        if Path(tree).is_dir():
            shutil.copytree(tree, scratch / "tree")
        else:
            (scratch / "tree").mkdir()
        (scratch / "tree").rename(overlay)
        scratch.rmdir()
    return overlay


def rendered_tree(tree: Path | str, check_mode: bool) -> Path:
    """The tree to deliver in this run: in check mode the copy, if something was rendered in this run."""
    overlay = overlay_path(tree)
    return overlay if check_mode and overlay.is_dir() else Path(tree)
