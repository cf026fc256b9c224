# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import datetime as dt
import errno
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin import Request, pinned, resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import COPIED, VERIFIED, Entry, Lock, read_lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import Policy, Waiver
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import PinError
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import (
    MANIFEST,
    Registry,
    digest_of,
    manifest,
    serve,
)

if t.TYPE_CHECKING:
    import pathlib

TODAY = dt.date(2026, 11, 23)
OLD = dt.date(2026, 1, 1)
BEFORE = manifest(before=1)
DIGEST = digest_of(BEFORE)
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: p
spec:
  containers:
    - image: ghcr.io/org/app:v1
"""


@pytest.fixture
def request_(tmp_path: pathlib.Path) -> Request:
    folder = tmp_path / "tree" / "serving"
    folder.mkdir(parents=True)
    (folder / "pod.yml").write_text(POD, encoding="utf-8")
    (folder / "notes.txt").write_text("ghcr.io/not/read:1", encoding="utf-8")
    lock = tmp_path / "images.lock.yml"
    lock.write_text(Lock({"ghcr.io/org/app:v1": Entry(DIGEST, "index", VERIFIED, OLD)}).text(), encoding="utf-8")
    return Request(lock, folder=tmp_path / "tree")


def snapshot(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def with_policy(request: Request, **options: t.Any) -> Request:
    return Request(request.lock_file, folder=request.folder, policy=Policy(**options))


def test_manifests_are_pinned_once_and_then_stay_as_they_are(request_: Request, tmp_path: pathlib.Path) -> None:
    first = pinned(request_, TODAY, check=False)
    assert first.changed
    assert first.images == {"ghcr.io/org/app:v1": ["Pod p spec.containers[0].image"]}
    assert f"image: ghcr.io/org/app:v1@{DIGEST}" in (tmp_path / "tree/serving/pod.yml").read_text(encoding="utf-8")
    before = snapshot(tmp_path)
    assert not pinned(request_, TODAY, check=False).changed
    assert snapshot(tmp_path) == before


def test_check_mode_shows_the_same_difference_and_writes_nothing(request_: Request, tmp_path: pathlib.Path) -> None:
    before = snapshot(tmp_path)
    checked = pinned(request_, TODAY, check=True)
    assert snapshot(tmp_path) == before
    assert checked.diff == pinned(request_, TODAY, check=False).diff


def test_an_image_that_breaks_a_rule_stops_everything(request_: Request, tmp_path: pathlib.Path) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(PinError, match=r"ghcr\.io/org/app:v1: comes from ghcr\.io, which is not allowed"):
        pinned(with_policy(request_, registries=("quay.io",)), TODAY, check=False)
    assert snapshot(tmp_path) == before


def test_an_exception_lets_it_pass_and_is_told(request_: Request) -> None:
    waiver = Waiver("registry", "ghcr.io/org/*", "ada", "moving")
    outcome = pinned(with_policy(request_, registries=("quay.io",), waivers=(waiver,)), TODAY, check=False)
    assert [verdict.waiver for verdict in outcome.waived] == [waiver]


def test_a_copied_digest_stops_an_environment_that_is_not_disposable(request_: Request) -> None:
    entry = Entry(DIGEST, "index", COPIED, OLD)
    request_.lock_file.write_text(Lock({"ghcr.io/org/app:v1": entry}).text(), encoding="utf-8")
    with pytest.raises(PinError, match=r"run the playbook wmx\.llm_platform\.lock"):
        pinned(request_, TODAY, check=False)
    assert pinned(with_policy(request_, demand_verified=False), TODAY, check=False).changed


def test_a_folder_that_is_not_there_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PinError, match="is no folder"):
        pinned(Request(tmp_path / "lock.yml", folder=tmp_path / "none"), TODAY, check=False)


def registry_with(after: bytes) -> Registry:
    """The tag has moved; what it was is still there."""
    registry = Registry()
    registry.put("org/app:v1", BEFORE)
    registry.put("org/app:v1", after)
    return registry


def access(host: str) -> Access:
    return Access({"ghcr.io": Endpoint(host, insecure=True)}, timeout=3.0, retries=0)


def test_the_lock_learns_from_the_registry_and_a_second_time_changes_nothing(request_: Request) -> None:
    registry = registry_with(manifest())
    digest = digest_of(manifest())
    with serve(registry) as host:
        first = resolved(request_, access(host), TODAY, check=False)
        text = request_.lock_file.read_text(encoding="utf-8")
        second = resolved(request_, access(host), dt.date(2027, 1, 1), check=False)
    assert [(move.image, move.before.digest, move.after.digest) for move in first.moves] == [
        ("ghcr.io/org/app:v1", DIGEST, digest)
    ]
    assert not second.changed
    assert request_.lock_file.read_text(encoding="utf-8") == text


def test_a_moved_tag_shows_in_check_mode_and_nothing_is_written(request_: Request, tmp_path: pathlib.Path) -> None:
    registry = registry_with(manifest(more=1))
    before = snapshot(tmp_path)
    with serve(registry) as host:
        checked = resolved(request_, access(host), TODAY, check=True)
    assert snapshot(tmp_path) == before
    assert checked.changed
    assert checked.moves[0].as_data(TODAY)["age_days"] == (TODAY - OLD).days
    told = checked.moves[0].told(TODAY)
    assert all(word in told for word in ("ghcr.io/org/app:v1", DIGEST, digest_of(manifest(more=1)), "326 day(s) ago"))


def test_what_answers_is_written_and_the_rest_keeps_its_entry(request_: Request) -> None:
    registry = Registry()
    other = registry.put("org/other:v1", manifest(MANIFEST), MANIFEST)
    wanted = Request(request_.lock_file, folder=request_.folder, images=("ghcr.io/org/other:v1",))
    with serve(registry) as host:
        outcome = resolved(wanted, access(host), TODAY, check=False)
    assert [failure.partition(": ")[0] for failure in outcome.failures] == ["ghcr.io/org/app:v1"]
    lock = read_lock(request_.lock_file)
    assert lock.digest_of("ghcr.io/org/app:v1") == DIGEST
    assert lock.digest_of("ghcr.io/org/other:v1") == other == digest_of(manifest(MANIFEST))


def test_a_disk_without_room_leaves_the_lock_as_it_was(
    request_: Request, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    from ansible_collections.wmx.llm_platform.plugins.module_utils import _file_set

    registry = registry_with(manifest())
    before = snapshot(tmp_path)

    def full(*_args: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_file_set.tempfile, "mkstemp", full)
    with serve(registry) as host, pytest.raises(_file_set.FileSetError, match="No space left on device"):
        resolved(request_, access(host), TODAY, check=False)
    assert snapshot(tmp_path) == before
