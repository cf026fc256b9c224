# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import ArtifactError
from ansible_collections.wmx.llm_platform.plugins.module_utils._artifacts import Artifacts, read_artifacts
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin import Request, resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import (
    CHARTS,
    MODELS,
    VERIFIED,
    Entry,
    Lock,
    read_lock,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.chart_registry import ChartRegistry, archive
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import digest_of, serve

TODAY = dt.date(2026, 11, 23)
OLD = dt.date(2026, 1, 1)
COMMIT = "0123456789" * 4
HUB = "/api/models/org/weights/revision/main"
MODEL = "hf://org/weights@main"


@pytest.fixture
def origin() -> ChartRegistry:
    """Registry, chart repository and hub at once."""
    found = ChartRegistry()
    found.put_chart("charts/app:1.2.3", archive())
    found.put_release("charts", archive())
    found.files[HUB] = json.dumps({"id": "org/weights", "sha": COMMIT}).encode()
    return found


@pytest.fixture
def host(origin: ChartRegistry) -> t.Iterator[str]:
    with serve(origin) as address:
        yield address


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "sources" / "made"
    made.mkdir(parents=True)
    (made / "Chart.yaml").write_text("name: made\n", encoding="utf-8")
    return made


def artifacts(host: str, folder: pathlib.Path) -> Artifacts:
    charts = [
        {"name": f"oci://{host}/charts/app", "version": "1.2.3", "path": None, "plain_http": True},
        {"name": f"http://{host}/charts/app", "version": "1.2.3", "path": None, "plain_http": False},
        {"name": "sources/made", "version": None, "path": str(folder), "plain_http": False},
    ]
    return read_artifacts(charts, [MODEL], "")


def access(host: str) -> Access:
    return Access({"huggingface.co": Endpoint(host, insecure=True)}, timeout=3.0, retries=0)


def test_the_lock_learns_charts_and_models_and_a_second_time_changes_nothing(
    tmp_path: pathlib.Path, origin: ChartRegistry, host: str, folder: pathlib.Path
) -> None:
    request = Request(tmp_path / "images.lock.yml", artifacts=artifacts(host, folder))
    first = resolved(request, access(host), TODAY, check=False)
    lock = read_lock(request.lock_file)
    assert {name: (entry.kind, entry.status, entry.first_seen) for name, entry in lock.charts.items()} == {
        f"oci://{host}/charts/app:1.2.3": ("oci", VERIFIED, TODAY),
        f"http://{host}/charts/app:1.2.3": ("archive", VERIFIED, TODAY),
        "sources/made": ("folder", VERIFIED, TODAY),
    }
    assert lock.charts[f"oci://{host}/charts/app:1.2.3"].archive == digest_of(archive())
    assert lock.models == {MODEL: Entry(COMMIT, "commit", VERIFIED, TODAY, ("the hub",))}
    assert sorted(move.section for move in first.moves) == [CHARTS] * 3 + [MODELS]
    text = request.lock_file.read_bytes()
    assert not resolved(request, access(host), dt.date(2027, 1, 1), check=False).changed
    assert request.lock_file.read_bytes() == text


def test_what_moved_shows_in_check_mode_with_its_age(
    tmp_path: pathlib.Path, origin: ChartRegistry, host: str, folder: pathlib.Path
) -> None:
    request = Request(tmp_path / "images.lock.yml", artifacts=artifacts(host, folder))
    known = Lock(models={MODEL: Entry("f" * 40, "commit", VERIFIED, OLD)})
    request.lock_file.write_text(known.text(), encoding="utf-8")
    checked = resolved(request, access(host), TODAY, check=True)
    (move,) = [move for move in checked.moves if move.section == MODELS]
    assert move.as_data(TODAY) == {
        "image": MODEL,
        "section": MODELS,
        "before": "f" * 40,
        "after": COMMIT,
        "status": VERIFIED,
        "age_days": (TODAY - OLD).days,
    }
    assert read_lock(request.lock_file) == known


def test_what_could_not_be_asked_is_named_and_the_rest_is_learnt(
    tmp_path: pathlib.Path, origin: ChartRegistry, host: str, folder: pathlib.Path
) -> None:
    del origin.files[HUB]
    (folder / "Chart.yaml").unlink()
    origin.manifests.clear()
    request = Request(tmp_path / "images.lock.yml", artifacts=artifacts(host, folder))
    outcome = resolved(request, access(host), TODAY, check=False)
    assert [failure.partition(": ")[0] for failure in outcome.failures] == [
        f"{host}/charts/app:1.2.3",
        "chart sources/made",
        MODEL,
    ]
    assert list(read_lock(request.lock_file).charts) == [f"http://{host}/charts/app:1.2.3"]


def test_a_remote_chart_without_a_version_is_an_error() -> None:
    chart = {"name": "oci://a.io/app", "version": None, "path": None, "plain_http": False}
    with pytest.raises(ArtifactError, match="names no version"):
        read_artifacts([chart], [], "")


_FULL_DISK = """
import datetime as dt, pathlib, sys
from ansible_collections.wmx.llm_platform.plugins.module_utils._artifacts import read_artifacts
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin import Request, resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._file_set import FileSetError
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access
disk, folder = map(pathlib.Path, sys.argv[1:])
lock = disk / "images.lock.yml"
lock.write_text("---\\nversion: 1\\nimages: {}\\n")
with (disk / "rest").open("wb", 0) as rest:
    try:
        while rest.write(b"x" * 1024):
            pass
    except OSError:
        pass
chart = {"name": "sources/made", "version": None, "path": str(folder), "plain_http": False}
try:
    resolved(Request(lock, artifacts=read_artifacts([chart], [], "")), Access(), dt.date(2026, 11, 23), check=False)
except FileSetError as exc:
    print(exc)
print(sorted(path.name for path in disk.iterdir()), lock.read_text() == "---\\nversion: 1\\nimages: {}\\n")
"""


def test_a_disk_that_is_really_full_leaves_the_lock_whole_and_nothing_beside_it(
    tmp_path: pathlib.Path, folder: pathlib.Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = 'mount -t tmpfs -o size=16k none "$1" && exec "$2" -c "$3" "$1" "$4"'
    command = ["unshare", "--mount", "sh", "-c", mounted, "sh", str(disk), sys.executable, _FULL_DISK, str(folder)]
    # It imports what this process does, whoever has set that up.
    roots = [str(path) for path in pathlib.Path(__file__).parents if (path / "ansible_collections").is_dir()]
    places = [*roots, *sys.path, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    message, state = done.stdout.splitlines()
    assert message == f"{disk}/images.lock.yml: No space left on device; check the folder's owner and free space"
    assert state == "['images.lock.yml', 'rest'] True", done.stderr
