# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Files of the evidence are whole or not there, and a broken fragment is named."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import CheckError, Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_files import (
    EvidenceFileError,
    read_fragments,
    write_fragment,
    write_text,
)

if TYPE_CHECKING:
    import pathlib

CHECK = Claim("it-works", "live", "It works.", "yes").check(ok=True, observed="yes", seconds=1)


def test_a_fragment_comes_back_as_it_was(tmp_path: pathlib.Path) -> None:
    write_fragment(tmp_path, CHECK)
    write_fragment(tmp_path, {**CHECK, "ok": False})
    assert read_fragments(tmp_path) == [{**CHECK, "ok": False}]


def test_there_are_no_fragments_where_nobody_left_any(tmp_path: pathlib.Path) -> None:
    assert read_fragments(tmp_path) == []


def test_a_malformed_check_leaves_no_fragment(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CheckError):
        write_fragment(tmp_path, {**CHECK, "id": "../outside"})
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"id": "x"})])
def test_a_broken_fragment_is_an_error_that_names_the_file(tmp_path: pathlib.Path, text: str) -> None:
    write_text(tmp_path / "fragments" / "broken.json", text)
    with pytest.raises(EvidenceFileError, match=r"broken\.json"):
        read_fragments(tmp_path)


def test_a_file_is_replaced_and_readable_for_all_and_nothing_else_stays(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "deep" / "latest.json"
    write_text(path, "old")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [item.name for item in path.parent.iterdir()] == ["latest.json"]


def test_what_cannot_be_written_is_one_clear_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceFileError, match="cannot write"):
        write_text(tmp_path / "file" / "latest.json", "x")
