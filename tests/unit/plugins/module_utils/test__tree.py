# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils import _tree
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import (
    TreeError,
    drop_unknown_components,
    file_name,
    key_of_file,
    read_components,
    read_tree,
    tree_hash,
    write_component,
)

if t.TYPE_CHECKING:
    import pathlib


def config(name: str, value: str = "1") -> dict[str, t.Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "ns"},
        "data": {"v": value},
    }


def states(root: pathlib.Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file: equal states mean that nothing was touched."""
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_one_object_is_one_file_with_a_telling_name(tmp_path: pathlib.Path) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:a_b"}}
    result = write_component(tmp_path, "platform", "demo", [config("a.b"), role])
    assert result.changed
    assert result.added == [
        "platform/demo/core.ConfigMap.ns.a.b.yml",
        "platform/demo/rbac.authorization.k8s.io.ClusterRole._.system%3Aa%5Fb.yml",
    ]
    assert [entry.object for entry in read_tree(tmp_path)] == [config("a.b"), role]


_DNS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@given(
    st.builds(
        Ref,
        st.sampled_from(["", "apps", "core", "gateway.networking.k8s.io"]).filter(lambda group: group != "core"),
        st.just("v1"),
        st.from_regex(r"[A-Z][A-Za-z0-9]{0,8}", fullmatch=True),
        _DNS | st.just(""),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    )
)
def test_a_file_name_names_exactly_one_object(ref: Ref) -> None:
    name = file_name(ref)
    assert "/" not in name
    assert key_of_file(name) == ref.key


def test_the_same_objects_leave_the_folder_alone(tmp_path: pathlib.Path) -> None:
    write_component(tmp_path, "serving", "demo", [config("a"), config("b")])
    before = states(tmp_path)
    result = write_component(tmp_path, "serving", "demo", [config("b"), config("a")])
    assert not result.changed
    assert states(tmp_path) == before


def test_the_folder_is_replaced_and_the_differences_are_named(tmp_path: pathlib.Path) -> None:
    write_component(tmp_path, "serving", "demo", [config("a"), config("b"), config("c")])
    (tmp_path / "serving/demo/stray.txt").write_text("not ours")
    result = write_component(tmp_path, "serving", "demo", [config("b"), config("c", "2"), config("d")])
    prefix = "serving/demo/core.ConfigMap.ns."
    assert (result.added, result.updated) == ([f"{prefix}d.yml"], [f"{prefix}c.yml"])
    assert result.removed == [f"{prefix}a.yml", "serving/demo/stray.txt"]
    changes = {change.path: (change.before is None, change.after is None) for change in result.diff}
    assert changes[f"{prefix}d.yml"] == (True, False)
    assert changes[f"{prefix}a.yml"] == (False, True)
    assert {entry.ref.name for entry in read_tree(tmp_path)} == {"b", "c", "d"}


def test_a_write_that_fails_leaves_the_old_folder_whole(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_component(tmp_path, "serving", "demo", [config("a")])
    before = states(tmp_path)

    def no_space(_self: pathlib.Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_tree.Path, "write_bytes", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_component(tmp_path, "serving", "demo", [config("a", "2"), config("b")])
    assert states(tmp_path) == before
    assert os.listdir(tmp_path / "serving") == ["demo"]


def test_what_a_killed_write_left_is_neither_read_nor_kept(tmp_path: pathlib.Path) -> None:
    leftover = tmp_path / "serving/.demo.abc/new"
    leftover.mkdir(parents=True)
    write_component(tmp_path, "serving", "other", [config("a")])
    assert [entry.component for entry in read_tree(tmp_path)] == ["other"]
    write_component(tmp_path, "serving", "demo", [config("b")])
    assert not leftover.parent.exists()


def test_a_component_that_moves_to_another_layer_leaves_the_old_one(tmp_path: pathlib.Path) -> None:
    write_component(tmp_path, "platform", "demo", [config("a")])
    result = write_component(tmp_path, "serving", "demo", [config("a")])
    assert result.removed == ["platform/demo/core.ConfigMap.ns.a.yml"]
    assert [entry.layer for entry in read_tree(tmp_path)] == ["serving"]


def test_two_objects_of_one_name_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(TreeError, match="component demo renders ConfigMap ns/a twice"):
        write_component(tmp_path, "serving", "demo", [config("a"), config("a", "2")])


@pytest.mark.parametrize(
    ("layer", "component"), [("nowhere", "demo"), ("serving", "../demo"), ("serving", ".demo"), ("serving", "")]
)
def test_a_folder_outside_of_the_tree_is_refused(tmp_path: pathlib.Path, layer: str, component: str) -> None:
    with pytest.raises(TreeError, match=r"unknown|no component name"):
        write_component(tmp_path, layer, component, [])
    assert not list(tmp_path.iterdir())


def test_the_hash_names_content_and_place_and_nothing_else(tmp_path: pathlib.Path) -> None:
    one, two, three, four = (tmp_path / name for name in "1234")
    write_component(one, "serving", "demo", [config("a"), config("b")])
    write_component(two, "serving", "demo", [config("b"), config("a")])
    (two / "serving/.demo.tmp").mkdir()
    write_component(three, "routing", "demo", [config("a"), config("b")])
    write_component(four, "serving", "demo", [config("a"), config("b", "2")])
    assert tree_hash(one) == tree_hash(str(two))
    assert len({tree_hash(one), tree_hash(three), tree_hash(four)}) == 3
    assert tree_hash(one).startswith("sha256:")
    assert tree_hash(tmp_path / "missing") == tree_hash(one, [])


def test_a_component_that_was_never_rendered_is_not_an_empty_one(tmp_path: pathlib.Path) -> None:
    write_component(tmp_path, "serving", "empty", [])
    assert read_components(tmp_path, ["empty"]) == {"empty": []}
    with pytest.raises(TreeError, match=r"does not hold missing .it holds empty.; render first"):
        read_components(tmp_path, ["empty", "missing"])


@pytest.mark.parametrize(
    "content", ["a: [", "", "---\n---\n", "[]", "kind: Pod\n", "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n"]
)
def test_a_file_edited_by_hand_into_something_else_is_refused(tmp_path: pathlib.Path, content: str) -> None:
    write_component(tmp_path, "serving", "demo", [config("a")])
    (tmp_path / "serving/demo/core.ConfigMap.ns.a.yml").write_text(content)
    with pytest.raises(TreeError, match="render component demo again"):
        read_tree(tmp_path)


def test_components_that_the_plan_lost_leave_the_tree(tmp_path: pathlib.Path) -> None:
    for name in ("kept", "gone"):
        write_component(tmp_path, "serving", name, [config(name)])
    assert drop_unknown_components(tmp_path, ["kept"]) == ["serving/gone"]
    assert [ref_of(entry.object).name for entry in read_tree(tmp_path)] == ["kept"]
