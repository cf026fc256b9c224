# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Tools get the names and versions that their go.mod says."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_go import (
    GoFolder,
    build_tools,
    linker_flags,
    tool_names,
    trim_module_archives,
)

FOLDERS = Path(__file__).resolve().parents[4] / "roles" / "local_cluster" / "files" / "go"
# Stands in for the compiler: writes what `tool` would make, or fails.
FAKE_GO = """#!/bin/sh
[ "$1" = build ] || exit 0
while [ "$1" != -o ]; do shift; done
[ -e fail ] && { echo "no such package" >&2; exit 1; }
touch "$2/server" "$2/hauler"
"""


def folder(path: Path, **values: t.Any) -> GoFolder:
    plain = GoFolder(name=path.name, path=str(path), ldflags="", version_of="", rename={})
    return t.cast("GoFolder", {**plain, **values})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    (path / "go.mod").write_text(
        "module x\nrequire example.org/m v1.36.3 // indirect\n"
        "tool example.org/m/server/v3\ntool (\n\texample.org/m/cmd/hauler\n)\n"
    )
    return path


@pytest.fixture
def fake_go(tmp_path: Path) -> str:
    path = tmp_path / "go"
    path.write_text(FAKE_GO)
    path.chmod(0o755)
    return str(path)


def test_linker_flags_carry_the_version_that_go_mod_requires(source: Path) -> None:
    flags = linker_flags(folder(source, ldflags="-X a={version} -X b={major}.{minor}", version_of="example.org/m"))
    assert flags == "-s -w -X a=v1.36.3 -X b=1.36"


def test_a_version_of_a_module_that_is_not_required_is_an_error(source: Path) -> None:
    with pytest.raises(BuildError, match=r"does not require example\.org/other"):
        linker_flags(folder(source, ldflags="{version}", version_of="example.org/other"))


def test_an_unknown_placeholder_is_an_error(source: Path) -> None:
    with pytest.raises(BuildError, match=r"unknown placeholder \{patch\}; known are version, major, minor"):
        linker_flags(folder(source, ldflags="{patch}", version_of="example.org/m"))


def test_a_major_version_is_no_name_and_names_can_be_changed(source: Path) -> None:
    assert tool_names(folder(source)) == ["hauler", "server"]
    assert tool_names(folder(source, rename={"server": "etcd"})) == ["etcd", "hauler"]


def test_a_go_mod_without_tools_is_an_error(source: Path) -> None:
    (source / "go.mod").write_text("module x\n")
    with pytest.raises(BuildError, match="has no tool directive"):
        tool_names(folder(source))


def test_a_finished_build_appears_whole_under_its_key(source: Path, fake_go: str, tmp_path: Path) -> None:
    final = tmp_path / "built" / "key"
    renamed = folder(source, rename={"server": "etcd"})
    build_tools(renamed, go=fake_go, cache=tmp_path, final=final, log=tmp_path / "log")
    assert sorted(path.name for path in (final / "bin").iterdir()) == ["etcd", "hauler"]
    assert [path.name for path in final.parent.iterdir()] == ["key"]


def test_a_failed_build_leaves_nothing_and_shows_the_end_of_its_log(source: Path, fake_go: str, tmp_path: Path) -> None:
    (source / "fail").touch()
    final = tmp_path / "built" / "key"
    with pytest.raises(BuildError, match=r"go ended with code 1; the whole output is in .*log(.|\n)*no such package"):
        build_tools(folder(source), go=fake_go, cache=tmp_path, final=final, log=tmp_path / "log")
    assert not list(final.parent.iterdir())


def test_what_a_killed_build_left_does_not_disturb_the_next(source: Path, fake_go: str, tmp_path: Path) -> None:
    final = tmp_path / "built" / "key"
    stale = final.parent / ".new-key" / "bin"
    stale.mkdir(parents=True)
    (stale / "half").touch()
    build_tools(folder(source), go=fake_go, cache=tmp_path, final=final, log=tmp_path / "log")
    assert sorted(path.name for path in (final / "bin").iterdir()) == ["hauler", "server"]


def test_a_build_that_lacks_a_tool_is_an_error(source: Path, fake_go: str, tmp_path: Path) -> None:
    with (source / "go.mod").open("a") as stream:
        stream.write("tool example.org/m/cmd/absent\n")
    final = tmp_path / "built" / "key"
    with pytest.raises(BuildError, match="lacks absent"):
        build_tools(folder(source), go=fake_go, cache=tmp_path, final=final, log=tmp_path / "log")
    assert not final.exists()


def test_trimming_removes_archives_and_keeps_the_hashes_that_builds_check(tmp_path: Path) -> None:
    versions = tmp_path / "go" / "mod" / "cache" / "download" / "example.org" / "m" / "@v"
    versions.mkdir(parents=True)
    (versions / "v1.0.0.zip").write_bytes(b"12345")
    (versions / "v1.0.0.ziphash").write_text("h1:x")
    assert trim_module_archives(tmp_path) == 5
    assert [path.name for path in versions.iterdir()] == ["v1.0.0.ziphash"]


@pytest.mark.parametrize("path", sorted(FOLDERS.glob("*/go.mod")), ids=lambda path: path.parent.name)
def test_our_go_mod_files_name_no_hosts_of_mirrors_and_no_folders_of_a_machine(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"module llm-platform.local/{path.parent.name}\n")
    assert "=> /" not in text
    assert "=> ." not in text
    assert "://" not in text
    assert (path.parent / "go.sum").stat().st_size > 0
