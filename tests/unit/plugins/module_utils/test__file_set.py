# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._file_set import FileSetError, write_files

if t.TYPE_CHECKING:
    from pathlib import Path


def entry(name: str, content: str = "text\n", mode: str = "0600") -> dict[str, str]:
    return {"name": name, "content": content, "mode": mode}


def test_files_are_written_with_their_mode_and_folders_are_made(tmp_path: Path) -> None:
    result = write_files(tmp_path / "new", [entry("a/b", "x", "0700")])
    assert result.changed
    assert (tmp_path / "new/a/b").read_text() == "x"
    assert (tmp_path / "new/a/b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new/a").stat().st_mode & 0o777 == 0o700


def test_a_second_time_changes_nothing_and_touches_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, [entry("a")])
    before = (tmp_path / "a").stat().st_mtime_ns
    result = write_files(tmp_path, [entry("a")])
    assert not result.changed
    assert result.diff == []
    assert (tmp_path / "a").stat().st_mtime_ns == before


def test_a_wrong_mode_alone_is_put_right(tmp_path: Path) -> None:
    write_files(tmp_path, [entry("a")])
    (tmp_path / "a").chmod(0o644)
    assert write_files(tmp_path, [entry("a")]).written == ["a"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_check_mode_tells_the_same_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c/old").write_text("old")
    checked = write_files(tmp_path, [entry("c/a")], exclusive=["c"], check=True)
    assert not (tmp_path / "c/a").exists()
    assert (tmp_path / "c/old").exists()
    done = write_files(tmp_path, [entry("c/a")], exclusive=["c"])
    assert (checked.written, checked.removed, checked.diff) == (done.written, done.removed, done.diff)


def test_what_does_not_belong_into_an_exclusive_folder_is_removed(tmp_path: Path) -> None:
    write_files(tmp_path, [entry("c/a"), entry("c/d/b"), entry("free/x")])
    result = write_files(tmp_path, [entry("c/a")], exclusive=["c"])
    assert result.removed == ["c/d/b"]
    assert (tmp_path / "free/x").exists()


def test_no_half_written_file_stays(tmp_path: Path) -> None:
    write_files(tmp_path, [entry("a")])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ""])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileSetError, match="does not stay inside"):
        write_files(tmp_path, [entry(name)])


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileSetError, match="given twice"):
        write_files(tmp_path, [entry("a"), entry("a")])


def test_a_mode_that_is_not_octal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileSetError, match="'rw'"):
        write_files(tmp_path, [entry("a", mode="rw")])


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileSetError, match=str(tmp_path / "a")):
        write_files(tmp_path, [entry("a/b")])
