# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import (
    ArtifactError,
    ChartName,
    chart_name,
    parse_chart_name,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._chart_source import (
    digest_of_path,
    fetch_oci,
    resolve_chart,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint, RegistryError
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.chart_registry import ChartRegistry, archive
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import (
    digest_of,
    manifest,
    serve,
)

if t.TYPE_CHECKING:
    import pathlib

OCI = ChartName("oci://ghcr.io/org/charts/app", "1.2.3+build")


@pytest.fixture
def registry() -> ChartRegistry:
    return ChartRegistry()


@pytest.fixture
def host(registry: ChartRegistry) -> t.Iterator[str]:
    with serve(registry) as address:
        yield address


def access(host: str) -> Access:
    return Access({"ghcr.io": Endpoint(host, insecure=True)}, timeout=3.0, retries=0)


def test_a_chart_in_a_registry_is_known_by_its_manifest_and_the_archive_that_names(
    registry: ChartRegistry, host: str
) -> None:
    body = archive()
    digest = registry.put_chart("org/charts/app:1.2.3_build", body)
    assert resolve_chart(OCI, "", access(host)) == Resolved(digest, "oci", digest_of(body))
    assert fetch_oci(OCI, digest, access(host)) == fetch_oci(OCI, "", access(host)) == body


def test_a_tag_that_moved_changes_nothing_for_who_has_the_digest(registry: ChartRegistry, host: str) -> None:
    digest = registry.put_chart("org/charts/app:1.2.3_build", archive())
    registry.put_chart("org/charts/app:1.2.3_build", archive(value="moved"))
    assert fetch_oci(OCI, digest, access(host)) == archive()


def test_an_archive_that_does_not_hash_to_its_digest_is_refused(registry: ChartRegistry, host: str) -> None:
    digest = registry.put_chart("org/charts/app:1.2.3_build", archive())
    registry.blobs[digest_of(archive())] = archive(value="other")
    with pytest.raises(RegistryError, match="something tampers with it"):
        fetch_oci(OCI, digest, access(host))


def test_an_archive_that_is_gone_is_named(registry: ChartRegistry, host: str) -> None:
    digest = registry.put_chart("org/charts/app:1.2.3_build", archive())
    registry.blobs.clear()
    with pytest.raises(RegistryError, match="answered 404 when asked for sha256:"):
        fetch_oci(OCI, digest, access(host))


def test_an_image_is_no_chart(registry: ChartRegistry, host: str) -> None:
    registry.put("org/charts/app:1.2.3_build", manifest())
    with pytest.raises(RegistryError, match="that is no Helm chart"):
        resolve_chart(OCI, "", access(host))


def test_a_chart_of_a_repository_is_known_by_its_archive(registry: ChartRegistry, host: str) -> None:
    body = archive()
    registry.put_release("charts", body)
    known = Resolved(digest_of(body), "archive")
    assert resolve_chart(ChartName(f"http://{host}/charts/app", "1.2.3"), "", Access(retries=0)) == known
    assert resolve_chart(ChartName(f"http://{host}/charts/files/app-1.2.3.tgz"), "", Access(retries=0)) == known
    registry.put_release("charts", body, digest=None)
    assert resolve_chart(ChartName(f"http://{host}/charts/app", "1.2.3"), "", Access(retries=0)) == known


def test_an_archive_that_is_not_the_one_of_the_index_is_refused(registry: ChartRegistry, host: str) -> None:
    registry.put_release("charts", archive(), digest="0" * 64)
    with pytest.raises(RegistryError, match="something tampers with it"):
        resolve_chart(ChartName(f"http://{host}/charts/app", "1.2.3"), "", Access(retries=0))


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        (None, r"index\.yaml answered 404"),
        (b"<html>", "is no index of charts"),
        (b"\xff", "is no index of charts"),
        (b"", "is no index of charts"),
        (b"entries: {}", "has no version 1.2.3 of app"),
        (b"entries: {app: [{version: 1.2.4, urls: [a.tgz]}]}", "has no version 1.2.3 of app"),
        (b"entries: {app: [{version: 1.2.3}]}", "is no index of charts"),
        (b"entries: {app: [{version: 1.2.3, urls: [gone.tgz]}]}", r"gone\.tgz answered 404"),
    ],
)
def test_a_repository_that_has_it_not_is_one_clear_error(
    registry: ChartRegistry, host: str, index: bytes | None, problem: str
) -> None:
    if index is not None:
        registry.files["/charts/index.yaml"] = index
    with pytest.raises(RegistryError, match=problem):
        resolve_chart(ChartName(f"http://{host}/charts/app", "1.2.3"), "", Access(retries=0))


def test_a_folder_is_known_by_all_its_files(tmp_path: pathlib.Path) -> None:
    chart = ChartName("sources/charts/app")
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("name: app", encoding="utf-8")
    (tmp_path / "templates" / "a.yaml").write_text("a", encoding="utf-8")
    first = resolve_chart(chart, str(tmp_path), Access())
    assert first.kind == "folder"
    assert resolve_chart(chart, str(tmp_path), Access()) == first
    (tmp_path / "templates" / "a.yaml").rename(tmp_path / "templates" / "b.yaml")
    renamed = resolve_chart(chart, str(tmp_path), Access())
    (tmp_path / "templates" / "b.yaml").write_text("b", encoding="utf-8")
    assert len({first, renamed, resolve_chart(chart, str(tmp_path), Access())}) == 3


def test_an_archive_on_disk_is_known_by_its_bytes_and_a_folder_that_is_not_there_is_an_error(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "app.tgz"
    path.write_bytes(archive())
    assert digest_of_path(ChartName("app.tgz"), str(path)) == (digest_of(archive()), "archive")
    with pytest.raises(ArtifactError, match="there is no folder or archive"):
        digest_of_path(ChartName("none"), str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("ref", "version", "name"),
    [
        ("oci://ghcr.io/org/app", "1.2.3", "oci://ghcr.io/org/app:1.2.3"),
        ("oci://registry.example.com:5000/org/app", "v1", "oci://registry.example.com:5000/org/app:v1"),
        ("https://charts.example.com/app/", "1.2.3", "https://charts.example.com/app:1.2.3"),
        ("https://charts.example.com/app-1.2.3.tgz", "1.2.3", "https://charts.example.com/app-1.2.3.tgz"),
        ("/cache/sources/1234/istio.io/istio/charts/base", "1.0.0", "sources/istio.io/istio/charts/base"),
        ("charts/mine", "", "charts/mine"),
    ],
)
def test_a_chart_has_the_same_name_on_every_machine(ref: str, version: str, name: str) -> None:
    found = chart_name(ref, version, "/cache/sources/1234")
    assert str(found) == name
    assert str(parse_chart_name(name)) == name
