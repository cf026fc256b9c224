# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Images are staged alike on every machine, see the host's settings only while building, and are pushed once."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _build_make, _build_pip
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_enter import enter
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import (
    Image,
    ImageFiles,
    ImageStore,
    parents,
    record_path,
    stage_context,
    write_record,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_lock import built_lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_options import read_inputs
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import Artifact, BuildPlan

NAME = "registry.invalid/team/tool:1"
DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def built(tmp_path: Path) -> Image:
    context = tmp_path / "context"
    (context / "deep").mkdir(parents=True)
    (context / "Containerfile").write_text("FROM localhost/base AS a\nFROM localhost/python\nFROM scratch\n")
    (context / "deep" / "run").write_text("#!/bin/sh\n")
    (context / "deep" / "run").chmod(0o750)
    (context / "deep" / "data").write_text("x")
    (context / "deep" / "data").chmod(0o600)
    (context / "deep" / "link").symlink_to("data")
    return Image(context="context", path=str(context), name=NAME, args={}, rootfs=[], tools=[], sources=[])


def test_parents_are_read_from_every_stage(built: Image) -> None:
    assert parents(built) == ["base", "python"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to root")
def test_a_staged_context_has_the_same_modes_times_and_owners_everywhere(built: Image, tmp_path: Path) -> None:
    tools, sources, target = tmp_path / "tools", tmp_path / "sources", tmp_path / "staged"
    (tools / "bin").mkdir(parents=True)
    (tools / "bin" / "coredns").write_text("binary")
    (sources / "m" / "stage").mkdir(parents=True)
    (sources / "m" / "stage" / "one.yaml").write_text("a: 1\n")
    (tmp_path / "context" / "__pycache__").mkdir()
    target.mkdir(mode=0o700)
    image = t.cast("Image", {**built, "tools": ["coredns"], "sources": ["m/stage"]})
    stage_context(image, target, ImageFiles(tools, sources), log=tmp_path / "log")
    found = {}
    for path in sorted(target.rglob("*")):
        status = path.lstat()
        assert (status.st_mtime, status.st_uid, status.st_gid) == (0, 0, 0)
        found[path.relative_to(target).as_posix()] = oct(status.st_mode & 0o777) if not path.is_symlink() else "link"
    assert found == {
        "Containerfile": "0o644",
        "bin": "0o755",
        "bin/coredns": "0o755",
        "deep": "0o755",
        "deep/data": "0o644",
        "deep/link": "link",
        "deep/run": "0o755",
        "sources": "0o755",
        "sources/stage": "0o755",
        "sources/stage/one.yaml": "0o644",
    }


def test_pip_settings_of_files_and_environment_are_merged_and_narrowed(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://a.invalid\ntarget = /x\n[install]\nretries = 3\n")
    settings = _build_pip.pip_settings(
        {"PIP_INDEX_URL": "https://b.invalid", "PIP_CERT": "/c", "PIP_DEFAULT_TIMEOUT": "180", "PIP_FIND_LINKS": "/w"},
        [tmp_path / "absent.conf", tmp_path / "pip.conf"],
    )
    assert settings == {"index-url": "https://b.invalid", "retries": "3", "timeout": "180"}


def test_a_disabled_pip_configuration_stays_disabled(tmp_path: Path) -> None:
    assert _build_pip.pip_files({"PIP_CONFIG_FILE": os.devnull}, tmp_path) == []


def test_pip_settings_of_a_build_are_readable_by_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.crt").write_text("certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:password@a.invalid")
    _build_pip.export(tmp_path)
    assert (tmp_path / "pip.conf").stat().st_mode & 0o077 == 0
    assert "index-url = https://user:password@a.invalid\n" in (tmp_path / "pip.conf").read_text()
    assert (tmp_path / "ca-certificates.crt").read_text() == "certificate"


def test_a_folder_that_overlayfs_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="overlayfs takes no path with a colon"):
        enter(Path("/var/a:b"), tmp_path, {}, ["true"])


@pytest.mark.parametrize("name", ["tool", "tool:1", "registry.invalid/tool", "registry.invalid/tool@sha256:00"])
def test_an_image_name_without_registry_or_tag_is_an_error(name: str, tmp_path: Path) -> None:
    image = {"context": "x", "name": name, "args": {}, "rootfs": [], "tools": [], "sources": []}
    params = {"cache": "/c", "files": "/f", "go": "go", "go_tools": [], "sources": [], "node_packages": []}
    with pytest.raises(BuildError, match="must be a full name with registry and tag"):
        read_inputs({**params, "images": [image]})


class FakeRegistry:
    """Stands in for the registry and for buildah, which builds for it and pushes into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = [
            Artifact("tools", "toolset", "t", str(folder), {}),
            Artifact("sources", "sources", "s", str(folder), {}),
            Artifact("node_root", "node-root", "r", str(folder), {}),
        ]
        self.held: dict[str, str] = {}
        self.builds: list[str] = []
        self.pushes = 0

    def build(
        self, image: Image, key: str, parent_keys: dict[str, str], files: _build_make.ImageFiles, *, log: Path
    ) -> str:
        self.builds.append(key)
        record = {"context": image["context"], "image": "sha256:i", "key": key, "name": image["name"]}
        write_record(record_path(self.folder / "images", image["context"], key), record)
        return "sha256:i"

    def digest(self, registry: str, name: str) -> str:
        return self.held.get(name, "")

    def push(self, context: str, key: str, reference: str, *, log: Path) -> str:
        self.pushes += 1
        assert reference == f"10.0.0.1:5000/{NAME}"
        self.held[NAME] = f"sha256:{key[-1] * 64}"
        return self.held[NAME]


@pytest.fixture
def registry(built: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    fake = FakeRegistry(tmp_path)
    path = record_path(tmp_path / "images", "context", "k1")
    artifact = Artifact("image", "context", "k1", str(path), {})
    monkeypatch.setattr(_build_make, "plan_builds", lambda *_: BuildPlan([*fake.parts, artifact]))
    monkeypatch.setattr(_build_make, "registry_digest", fake.digest)
    monkeypatch.setattr(_build_make, "store", lambda *_: fake)
    write_record(path, {"context": "context", "image": "sha256:i", "key": "k1", "name": NAME})
    return fake


def inputs_with(image: Image, cache: Path) -> _build_make.Inputs:
    return _build_make.Inputs(cache=cache, go="go", go_tools=[], sources=[], node_packages=[], images=[image])


def test_an_image_is_pushed_once_and_its_digest_recorded(registry: FakeRegistry, built: Image, tmp_path: Path) -> None:
    inputs = inputs_with(built, tmp_path)
    first = _build_make.push(inputs, "10.0.0.1:5000", check=False)
    assert first == [{"name": NAME, "digest": DIGEST, "built": False, "pushed": True}]
    assert built_lock(tmp_path).digest_of(NAME) == DIGEST
    second = _build_make.push(inputs, "10.0.0.1:5000", check=False)
    assert second == [{"name": NAME, "digest": DIGEST, "built": False, "pushed": False}]
    assert registry.pushes == 1


def test_an_image_that_the_registry_lost_or_that_was_overwritten_is_pushed_again(
    registry: FakeRegistry, built: Image, tmp_path: Path
) -> None:
    inputs = inputs_with(built, tmp_path)
    _build_make.push(inputs, "10.0.0.1:5000", check=False)
    registry.held[NAME] = "sha256:other"
    assert _build_make.push(inputs, "10.0.0.1:5000", check=False)[0]["pushed"]
    registry.held.clear()
    assert _build_make.push(inputs, "10.0.0.1:5000", check=False)[0]["pushed"]


def test_check_mode_tells_what_it_would_push(registry: FakeRegistry, built: Image, tmp_path: Path) -> None:
    found = _build_make.push(inputs_with(built, tmp_path), "10.0.0.1:5000", check=True)
    assert found == [{"name": NAME, "digest": "", "built": False, "pushed": True}]
    assert registry.pushes == 0
    assert built_lock(tmp_path).digest_of(NAME) is None


def test_an_image_that_went_missing_since_it_was_built_is_built_again_before_it_is_pushed(
    registry: FakeRegistry, built: Image, tmp_path: Path
) -> None:
    inputs = inputs_with(built, tmp_path)
    record_path(tmp_path / "images", "context", "k1").unlink()
    first = _build_make.push(inputs, "10.0.0.1:5000", check=False)
    assert first == [{"name": NAME, "digest": DIGEST, "built": True, "pushed": True}]
    assert registry.builds == ["k1"]
    assert _build_make.push(inputs, "10.0.0.1:5000", check=False)[0]["pushed"] is False
    assert registry.builds == ["k1"]


def test_inputs_that_changed_since_the_build_are_built_and_pushed_in_the_place_of_the_older_image(
    registry: FakeRegistry, built: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = inputs_with(built, tmp_path)
    _build_make.push(inputs, "10.0.0.1:5000", check=False)
    artifact = Artifact("image", "context", "k2", str(record_path(tmp_path / "images", "context", "k2")), {})
    monkeypatch.setattr(_build_make, "plan_builds", lambda *_: BuildPlan([*registry.parts, artifact]))
    found = _build_make.push(inputs, "10.0.0.1:5000", check=False)
    assert found == [{"name": NAME, "digest": "sha256:" + "2" * 64, "built": True, "pushed": True}]


def test_check_mode_tells_what_it_would_build_and_push(registry: FakeRegistry, built: Image, tmp_path: Path) -> None:
    record_path(tmp_path / "images", "context", "k1").unlink()
    found = _build_make.push(inputs_with(built, tmp_path), "10.0.0.1:5000", check=True)
    assert found == [{"name": NAME, "digest": "", "built": True, "pushed": True}]
    assert registry.builds == []
    assert registry.pushes == 0


def test_an_image_with_a_broken_record_is_built_again(registry: FakeRegistry, built: Image, tmp_path: Path) -> None:
    record_path(tmp_path / "images", "context", "k1").write_text("{")
    assert _build_make.push(inputs_with(built, tmp_path), "10.0.0.1:5000", check=False)[0]["built"]
    assert registry.builds == ["k1"]


def test_what_a_killed_run_left_in_the_image_folder_goes(tmp_path: Path) -> None:
    (tmp_path / "work-killed" / "context").mkdir(parents=True)
    with ImageStore(tmp_path, tmp_path / "root")._work() as work:
        assert [path.name for path in tmp_path.glob("work-*")] == [work.name]
    assert not list(tmp_path.glob("work-*"))
