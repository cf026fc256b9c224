# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import (
    COPIED,
    UNRESOLVED,
    VERIFIED,
    Entry,
    Lock,
    LockError,
    parse_lock,
    read_locks,
)

if t.TYPE_CHECKING:
    import pathlib

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
NAME = "ghcr.io/org/app:v1"


CHART = "oci://ghcr.io/org/charts/app:1.2.3"
MODEL = "hf://org/weights@main"
COMMIT = "0123456789" * 4


def section_text(section: str, name: str, fields: str) -> str:
    return f'version: 1\n{section}:\n  "{name}": {{status: verified, {fields}}}'


def lock_text(entry: str) -> str:
    return f'---\nversion: 1\nimages:\n  "{NAME}": {entry}\n'


known = st.builds(
    Entry,
    digest=st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format),
    kind=st.sampled_from(["index", "manifest", "unknown"]),
    status=st.sampled_from([VERIFIED, COPIED]),
    first_seen=st.one_of(st.none(), st.dates()),
    sources=st.lists(st.text(max_size=20), max_size=2).map(tuple),
)
names = st.from_regex(r"[a-z]{1,8}\.io/[a-z]{1,8}:v[0-9]{1,3}", fullmatch=True)


charts = st.from_regex(r"(oci|https)://[a-z]{1,8}\.io/[a-z]{1,8}:[0-9]\.[0-9]", fullmatch=True)
models = st.from_regex(r"hf://[a-z]{1,8}/[A-Za-z0-9][A-Za-z0-9.-]{0,7}@[a-z][a-z0-9/]{0,8}", fullmatch=True).filter(
    lambda name: not name.endswith("/")
)


def of_charts(entry: Entry) -> Entry:
    return replace(entry, kind="oci" if entry.digest else "unknown", archive=entry.digest)


def of_models(entry: Entry) -> Entry:
    digest = entry.digest.removeprefix("sha256:")[:40]
    return replace(entry, kind="commit" if digest else "unknown", digest=digest)


entries = st.one_of(known, st.just(Entry()))
locks = st.builds(
    Lock,
    st.dictionaries(names, entries, max_size=4),
    st.dictionaries(charts, entries.map(of_charts), max_size=3),
    st.dictionaries(models, entries.map(of_models), max_size=3),
)


@given(locks)
def test_a_lock_survives_being_written_and_read(lock: Lock) -> None:
    again = parse_lock(lock.text(), "lock")
    assert again == lock
    assert again.text() == lock.text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no mapping"),
        ("[]", "is no mapping"),
        ("version: 1\nimages: {", "lock it line"),
        ("version: 1\nimages: {}\n---\nversion: 1\n", "is no mapping"),
        ("version: 2\nimages: {}", "version is 2"),
        ("images: {}", "its end is missing"),
        ("version:", "version is None"),
        ("version: 1\nimage: {}", "unknown key 'image'"),
        ("version: 1\nimages: []\nmore: 1", "unknown key 'more'"),
        ("version: 1\nimages: [a]", "images is no mapping"),
        ("version: 1\ncharts: [a]", "charts is no mapping"),
        (section_text("charts", "oci://a.io/x", f"digest: '{DIGEST}'"), "is no chart with a version"),
        (section_text("charts", "a chart", f"digest: '{DIGEST}'"), "is no chart"),
        (section_text("charts", CHART, f"digest: {COMMIT}"), "is not sha256: and 64 hexadecimal digits"),
        (section_text("charts", CHART, f"digest: '{DIGEST}', kind: index"), "kind 'index' is none of"),
        (section_text("charts", CHART, f"digest: '{DIGEST}', archive: x"), "archive 'x' is not"),
        (section_text("models", "org/weights", f"digest: {COMMIT}"), "is no model"),
        (section_text("models", MODEL, f"digest: '{DIGEST}'"), "is not 40 hexadecimal digits"),
        (section_text("models", MODEL, f"digest: {COMMIT[:-1]}"), "is not 40 hexadecimal digits"),
        (
            section_text("models", f"hf://org/weights@{'0' * 40}", f"digest: {COMMIT}"),
            "is another commit than the name",
        ),
        (section_text("models", MODEL, f"digest: {COMMIT}, archive: '{DIGEST}'"), "of a chart's archive"),
        (f'version: 1\nimages:\n  "{NAME}": {{}}\n  "{NAME}": {{}}\n', "stands twice"),
        ('version: 1\nimages:\n  "busybox:1": {status: unresolved}', "write docker.io/library/busybox:1"),
        ('version: 1\nimages:\n  "No Image": {status: unresolved}', "is no image"),
        (f'version: 1\nimages:\n  "{NAME}@{DIGEST}": {{status: unresolved}}', "is no full name with a tag"),
        (lock_text("text"), "is no mapping"),
        (lock_text("{status: sure}"), "status 'sure' is none of"),
        (lock_text("{status: verified}"), "an unresolved entry has no digest"),
        (lock_text(f"{{status: unresolved, digest: '{DIGEST}'}}"), "an unresolved entry has no digest"),
        (lock_text(f"{{status: verified, digest: '{DIGEST[:-1]}'}}"), "is not sha256: and 64 hexadecimal digits"),
        (lock_text(f"{{status: verified, digest: '{DIGEST}', first_seen: yesterday}}"), "is no date"),
        (lock_text(f"{{status: verified, digest: '{DIGEST}', kind: odd}}"), "kind 'odd' is none of"),
        (lock_text(f"{{status: verified, digest: '{DIGEST}', sources: here}}"), "sources is no list"),
        (lock_text(f"{{status: verified, digest: '{DIGEST}', note: x}}"), "unknown key 'note'"),
    ],
)
def test_a_broken_lock_is_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(LockError) as caught:
        parse_lock(text, "it")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("lock it")


@given(locks, st.floats(0, 1))
def test_a_lock_that_was_cut_off_anywhere_is_refused(lock: Lock, where: float) -> None:
    text = lock.text().rstrip("\n")
    with pytest.raises(LockError, match="lock it"):
        parse_lock(text[: int(where * (len(text) - 1))], "it")


def test_all_problems_of_a_lock_are_named_at_once() -> None:
    with pytest.raises(LockError) as caught:
        parse_lock('version: 1\nimages:\n  "a.io/x:1": {status: sure}\n  "b.io/x:1": {status: sure}', "it")
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_there_is_an_empty_lock_and_a_folder_is_an_error(tmp_path: pathlib.Path) -> None:
    assert read_locks([tmp_path / "none.yml"]) == Lock()
    with pytest.raises(LockError, match="cannot be read"):
        read_locks([tmp_path])


def test_the_environments_entries_win_over_the_shipped_ones(tmp_path: pathlib.Path) -> None:
    shipped, own = tmp_path / "shipped.yml", tmp_path / "own.yml"
    entry = Entry(DIGEST, "index", COPIED)
    shipped.write_text(Lock({NAME: entry, "a.io/b:1": entry}).text(), encoding="utf-8")
    own.write_text(Lock({NAME: Entry(OTHER, "index", VERIFIED, dt.date(2026, 1, 2))}).text(), encoding="utf-8")
    lock = read_locks([shipped, own])
    assert lock.digest_of(NAME) == OTHER
    assert lock.digest_of("a.io/b:1") == DIGEST


def test_an_unresolved_entry_gives_no_digest() -> None:
    assert Lock({NAME: Entry(status=UNRESOLVED)}).digest_of(NAME) is None
    assert Lock().digest_of(NAME) is None
