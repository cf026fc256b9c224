# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Cleaning removes what nobody needs any more and never what a running cluster uses."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _build_clean
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_clean import clean, mounted_paths
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import record_path, write_record
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import Artifact, BuildPlan, Inputs

if t.TYPE_CHECKING:
    from pathlib import Path


class FakeStore:
    """Stands in for buildah's store."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    def remove(self, tags: list[str], *, log: Path) -> None:
        self.removed += tags


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    for name in (
        "node-root/now",
        "node-root/old",
        "tools/old",
        "go/tools/extra-now",
        "go/build/x",
        "images/store",
        "registry/data",
    ):
        (tmp_path / name).mkdir(parents=True)
    for key in ("now", "old"):
        write_record(record_path(tmp_path / "images", "base", key), {"context": "base", "key": key})
    return tmp_path


@pytest.fixture
def store(cache: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    fake = FakeStore()
    plan = BuildPlan(
        [
            Artifact("node_root", "node-root", "now", str(cache / "node-root" / "now"), {}),
            Artifact("image", "base", "now", str(record_path(cache / "images", "base", "now")), {}),
        ],
        on_demand=[Artifact("go_tools", "extra", "now", str(cache / "go" / "tools" / "extra-now"), {})],
    )
    monkeypatch.setattr(_build_clean, "plan_builds", lambda *_: plan)
    monkeypatch.setattr(_build_clean, "store", lambda *_: fake)
    monkeypatch.setattr(_build_clean, "mounted_paths", lambda: "")
    return fake


@pytest.fixture
def inputs(cache: Path, store: FakeStore) -> Inputs:
    return Inputs(cache=cache, go="go", go_tools=[], sources=[], node_packages=[], images=[])


def test_only_builds_of_older_inputs_go(inputs: Inputs, cache: Path, store: FakeStore) -> None:
    removed, used = clean(inputs, everything=False, check=False)
    assert [path.removeprefix(f"{cache}/") for path in removed] == [
        "tools/old",
        "node-root/old",
        "images/built/base-old.json",
    ]
    assert used == []
    assert store.removed == ["localhost/base:old"]
    assert (cache / "node-root" / "now").exists()
    assert (cache / "go" / "tools" / "extra-now").exists()
    assert (cache / "go" / "build" / "x").exists()
    assert not (cache / "node-root" / "old").exists()
    assert not record_path(cache / "images", "base", "old").exists()


def test_check_mode_lists_the_same_and_removes_nothing(inputs: Inputs, cache: Path, store: FakeStore) -> None:
    planned, _in_use = clean(inputs, everything=False, check=True)
    assert (cache / "node-root" / "old").exists()
    assert planned == clean(inputs, everything=False, check=False)[0]
    assert clean(inputs, everything=False, check=True) == ([], [])


def test_an_older_root_that_a_cluster_runs_on_stays(
    inputs: Inputs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_build_clean, "mounted_paths", lambda: f"lowerdir={cache}/node-root/old/root,upperdir=/x")
    removed, used = clean(inputs, everything=False, check=False)
    assert used == [str(cache / "node-root" / "old")]
    assert str(cache / "node-root" / "old") not in removed
    assert (cache / "node-root" / "old").exists()


def test_everything_goes_but_the_registry(inputs: Inputs, cache: Path) -> None:
    clean(inputs, everything=True, check=False)
    assert sorted(path.relative_to(cache).as_posix() for path in cache.iterdir()) == [
        "go",
        "locks",
        "node-root",
        "registry",
        "tools",
    ]
    assert [path.name for path in (cache / "go").iterdir()] == ["tools"]
    assert not list((cache / "go" / "tools").iterdir())
    assert not list((cache / "node-root").iterdir())


def test_everything_is_refused_while_a_cluster_runs(
    inputs: Inputs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_build_clean, "mounted_paths", lambda: f"lowerdir={cache}/node-root/now/root,upperdir=/x")
    with pytest.raises(BuildError, match=r"a running cluster uses .*node-root/now; stop it"):
        clean(inputs, everything=True, check=False)
    assert (cache / "node-root" / "now").exists()
    assert (cache / "go" / "build" / "x").exists()


def test_mounts_are_read_once_for_each_mount_namespace(tmp_path: Path) -> None:
    for process, namespace in (("1", "a"), ("2", "b"), ("3", "a")):
        (tmp_path / process / "ns").mkdir(parents=True)
        (tmp_path / process / "ns" / "mnt").symlink_to(f"mnt:[{namespace}]")
        (tmp_path / process / "mountinfo").write_text(f"mounts of {namespace}")
    (tmp_path / "4").mkdir()
    assert sorted(mounted_paths(tmp_path).splitlines()) == ["mounts of a", "mounts of b"]
