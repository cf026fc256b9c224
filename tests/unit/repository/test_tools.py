# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The scripts behind the Makefile report failures as failures."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def fake_make(tmp_path: pathlib.Path) -> dict[str, str]:
    """An environment whose make fails for the target `broken` and passes for every other."""
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\nfor last in "$@"; do :; done\n[ "$last" != broken ]\n', encoding="utf-8")
    make.chmod(0o755)
    return {**os.environ, "MAKE": str(make)}


def steps(environment: dict[str, str], *targets: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "steps.py"), *targets]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_a_failed_step_fails_the_run_and_does_not_hide_the_steps_after_it(fake_make: dict[str, str]) -> None:
    result = steps(fake_make, "lint", "broken", "unit")
    assert result.returncode == 1
    assert re.search(r"^broken +\d+  FAILED$", result.stdout, re.MULTILINE)
    assert re.search(r"^unit +\d+  passed$", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1] == "2 passed, 1 failed"


def test_a_run_ends_with_a_table_of_times_and_a_plain_line(fake_make: dict[str, str]) -> None:
    result = steps(fake_make, "lint", "unit")
    assert result.returncode == 0
    assert re.search(r"^step +seconds +result$", result.stdout, re.MULTILINE)
    assert re.search(r"^all +\d+$", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1] == "2 passed, 0 failed"


def test_ansible_test_that_finds_nothing_to_test_has_failed(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "ansible-test"
    program.write_text("#!/bin/sh\necho 'WARNING: All targets skipped.' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    search = f"{tmp_path}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": search}
    script = str(ROOT / "tools" / "ansible-test.sh")
    command = [script, str(tmp_path), str(tmp_path / "home"), "sanity"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "found nothing to test" in result.stderr


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a copy without .git has nothing to stage from")
def test_a_staged_copy_holds_the_collection_and_nothing_ignored(tmp_path: pathlib.Path) -> None:
    destination = tmp_path / "ansible_collections" / "wmx" / "llm_platform"
    command = [sys.executable, str(ROOT / "tools" / "stage.py"), str(destination)]
    subprocess.run(command, check=True, timeout=60)
    assert (destination / "galaxy.yml").is_file()
    assert (destination / ".ansible-lint").is_file()
    assert not [name for name in (".git", ".venv", ".cache", "build", "evidence") if (destination / name).exists()]
