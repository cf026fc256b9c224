# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the checks of the repository as a whole share."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def repository_files() -> list[pathlib.Path]:
    """Every file that is, or would be, tracked, relative to the root; a copy without .git holds nothing else."""
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
        files = {pathlib.Path(name) for name in names if name and (ROOT / name).is_file()}
    else:
        found = (pathlib.Path(folder, name) for folder, _folders, names in os.walk(ROOT) for name in names)
        files = {path.relative_to(ROOT) for path in found if path.suffix != ".pyc"}
        files = {path for path in files if path.parts[:2] != ("tests", "output")}
    assert len(files) > 50, "the list of files is implausibly short"
    return sorted(files)
