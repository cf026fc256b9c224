# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds exclude each other, appear whole, and end with whoever started them."""

from __future__ import annotations

import multiprocessing
import time
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import (
    BuildError,
    locked,
    new_folder,
    run,
    tree_digests,
)

if t.TYPE_CHECKING:
    from pathlib import Path


def build_for_ever(lock: Path, beat: Path, log: Path) -> None:
    with locked(lock):
        run(["sh", "-c", f"while :; do date +%N > {beat}; sleep 0.02; done"], log=log)


def test_a_killed_build_frees_its_lock_and_takes_its_commands_along(tmp_path: Path) -> None:
    lock, beat = tmp_path / "lock", tmp_path / "beat"
    holder = multiprocessing.get_context("fork").Process(target=build_for_ever, args=(lock, beat, tmp_path / "log"))
    holder.start()
    deadline = time.monotonic() + 10
    while not beat.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert beat.exists()
    holder.kill()
    holder.join()
    with locked(lock):
        time.sleep(0.1)
        last = beat.read_text()
        time.sleep(0.2)
        assert beat.read_text() == last


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "builds" / "key"
    with new_folder(final) as fresh:
        (fresh / "file").touch()
        assert not final.exists()
    assert (final / "file").exists()


def test_an_error_inside_leaves_no_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "key"):
            raise BuildError("broken")

    with pytest.raises(BuildError, match="broken"):
        fail()
    assert not list(tmp_path.iterdir())


def test_logs_and_errors_show_the_command_and_not_where_it_runs(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^sh ended with code 3; the whole output is in .*log") as caught:
        run(
            ["sh", "-c", 'shift; exec "$@"', "PLACE", "--", "sh", "-c", "echo last words; exit 3"], log=tmp_path / "log"
        )
    assert "last words" in str(caught.value)
    assert "PLACE" not in (tmp_path / "log").read_text()


def test_links_and_modes_are_part_of_a_tree_and_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "plain").write_text("x")
    digests = tree_digests(tmp_path)
    assert digests["link"] == "link target"
    assert digests["plain"].startswith("- ")
    with pytest.raises(BuildError, match="absent is not a folder"):
        tree_digests(tmp_path / "absent")
