# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The server starts with its own arguments and without the step that shows the database's password."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

GUARD = pathlib.Path(__file__).resolve().parents[3] / "roles" / "llm_gateway" / "files" / "guard"
# As LiteLLM's own command does: the step is imported by its name when the server starts.
SERVER = """
import sys
def run_server():
    from litellm.proxy.db.check_migration import {name}
    {name}(db_url=None)
    print("started with", sys.argv[1:])
"""


@pytest.fixture
def start(tmp_path: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return run(tmp_path, "check_prisma_schema_diff")


# What is to be done at the end is done, what only hangs about is not waited for.
ENDS = """
import atexit, sys, threading, time
def run_server():
    atexit.register(print, "billed", flush=False)
    threading.Thread(target=time.sleep, args=(300,)).start()
    sys.exit(3)
"""


def run(folder: pathlib.Path, name: str, server: str = SERVER) -> subprocess.CompletedProcess[str]:
    """Start the guard's command beside a package that looks like LiteLLM."""
    database = folder / "litellm" / "proxy" / "db"
    database.mkdir(parents=True)
    for package in (database, database.parent):
        (package / "__init__.py").touch()
    (folder / "litellm" / "__init__.py").write_text(server.format(name=name), encoding="utf-8")
    step = f"def {name}(db_url=None):\n    print('compared')\n"
    (database / "check_migration.py").write_text(step, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "llm_platform_guard.serve", "--port=4000"],
        env={**os.environ, "PYTHONPATH": f"{GUARD}:{folder}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_server_gets_its_arguments_and_the_step_does_not_run(start: subprocess.CompletedProcess[str]) -> None:
    assert start.returncode == 0, start.stderr
    assert start.stdout.splitlines() == ["started with ['--port=4000']"]


def test_a_server_whose_step_has_another_name_does_not_start(tmp_path: pathlib.Path) -> None:
    other = run(tmp_path, "compare_schema")
    assert other.returncode == 1
    assert "no check_prisma_schema_diff to skip" in other.stderr
    assert "started" not in other.stdout


def test_a_server_that_ended_is_gone_at_once_with_its_last_work_done(tmp_path: pathlib.Path) -> None:
    ended = run(tmp_path, "check_prisma_schema_diff", ENDS)
    assert (ended.returncode, ended.stdout) == (3, "billed\n")
