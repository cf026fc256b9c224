# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Upstream manifests are read as they are published, or refused with file and line."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._manifest import ManifestError, read_manifest

if t.TYPE_CHECKING:
    from pathlib import Path

ONE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n"
TWO = "apiVersion: v1\nkind: Namespace\nmetadata: {name: two}\n"


def names(path: Path) -> list[str]:
    return [obj["metadata"]["name"] for obj in read_manifest(path)]


def test_a_file_gives_its_objects_in_their_order_and_empty_documents_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(f"---\n# only a licence\n---\n{TWO}---\n{ONE}---\n")
    assert names(path) == ["two", "one"]


def test_a_folder_gives_the_objects_of_its_manifests_by_file_name_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(ONE)
    (tmp_path / "a.yaml").write_text(TWO)
    (tmp_path / "README.md").write_text("# no manifest")
    (tmp_path / "kustomization.txt").write_text(": [")
    assert names(tmp_path) == ["two", "one"]


def test_a_list_is_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: Namespace, metadata: {name: one}}\n"
        "- {apiVersion: v1, kind: Namespace, metadata: {name: two}}\n"
    )
    assert names(path) == ["one", "two"]


def test_a_status_is_no_part_of_what_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "crd.yaml"
    path.write_text(ONE + "spec: {finalizers: []}\nstatus: {phase: Active}\n")
    (found,) = read_manifest(path)
    assert found == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "one"}, "spec": {"finalizers": []}}


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.yaml does not exist; name a file or folder"):
        read_manifest(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "kind: List\napiVersion: v1\nitems: []\n"])
def test_a_manifest_without_an_object_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.yaml").write_text(text)
    with pytest.raises(ManifestError, match="holds no Kubernetes object"):
        read_manifest(tmp_path)


def test_a_folder_without_a_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds no Kubernetes object"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "document", ["just a text", "[a, list]", "kind: Namespace", "{apiVersion: v1, kind: Namespace, metadata: {}}"]
)
def test_what_is_no_object_is_named_by_file_and_line(tmp_path: Path, document: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"{ONE}---\n{document}\n")
    with pytest.raises(ManifestError, match=r"wrong\.yaml, line 5: "):
        read_manifest(path)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"a: 1\na: 2\n"])
def test_what_is_no_yaml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=r"reading .*broken\.yaml failed: "):
        read_manifest(path)
