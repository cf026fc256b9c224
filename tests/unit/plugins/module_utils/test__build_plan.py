# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Any input that decides a build's bytes changes its key; nothing else does."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _build_plan, _build_root
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_apt import Distribution
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_go import GoFolder, GoSource
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import Image
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_make import make
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import Inputs, plan_builds

GO_MOD = """module test

go 1.26.0

require (
\texample.org/carrier/v2 v2.3.4 // indirect
)

tool (
\texample.org/carrier/v2/cmd/hauler
\texample.org/carrier/v2
)
"""


def image(folder: Path, context: str, **values: t.Any) -> Image:
    empty = Image(context=context, path=str(folder / context), name="", args={}, rootfs=[], tools=[], sources=[])
    return t.cast("Image", {**empty, **values})


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    monkeypatch.setattr(_build_root, "distribution", lambda: Distribution("debian", "bookworm"))
    monkeypatch.setattr(_build_plan, "go_version", lambda *_: "go version go1.26.6 linux/amd64")
    for name in ("tools", "charts"):
        (tmp_path / "go" / name).mkdir(parents=True)
        (tmp_path / "go" / name / "go.mod").write_text(GO_MOD)
        (tmp_path / "go" / name / "go.sum").write_text("sums\n")
    images = tmp_path / "images"
    for name, text in {
        "base": "FROM scratch\nADD rootfs.tar /\n",
        "middle": "FROM localhost/base\nRUN true\n",
        "top": "FROM localhost/middle AS build\nFROM scratch\nCOPY bin/hauler /\n",
        "other": "FROM scratch\nCOPY data /\n",
    }.items():
        (images / name).mkdir(parents=True)
        (images / name / "Containerfile").write_text(text)
    (images / "other" / "data").write_text("one\n")
    return Inputs(
        cache=tmp_path / "cache",
        go="go",
        go_tools=[
            GoFolder(
                name="tools",
                path=str(tmp_path / "go" / "tools"),
                ldflags="-X main.Version={version}",
                version_of="example.org/carrier/v2",
                rename={},
            )
        ],
        sources=[GoSource(path=str(tmp_path / "go" / "charts"), module="example.org/carrier/v2", paths=["charts"])],
        node_packages=["runc", "containerd"],
        images=[
            image(images, "base", rootfs=["tzdata"]),
            image(images, "middle"),
            image(images, "top", tools=["hauler"]),
            image(images, "other"),
        ],
    )


def keys(inputs: Inputs) -> dict[str, str]:
    return {f"{artifact.kind} {artifact.name}": artifact.key for artifact in plan_builds(inputs).artifacts}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "# more\n")


def test_the_same_inputs_give_the_same_keys_in_another_cache(inputs: Inputs, tmp_path: Path) -> None:
    assert keys(inputs) == keys(replace(inputs, cache=tmp_path / "elsewhere"))


def test_touching_files_and_python_leftovers_change_no_key(inputs: Inputs, tmp_path: Path) -> None:
    before = keys(inputs)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(path.stat().st_mode & ~0o022)
    (tmp_path / "images" / "other" / "__pycache__").mkdir()
    (tmp_path / "images" / "other" / "__pycache__" / "data.pyc").write_bytes(b"x")
    assert keys(inputs) == before


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_a_changed_module_file_changes_its_tools_and_what_is_made_of_them(
    inputs: Inputs, tmp_path: Path, name: str
) -> None:
    before = keys(inputs)
    edit(tmp_path / "go" / "tools" / name)
    assert changed(before, keys(inputs)) == {"go_tools tools", "tools toolset", "image top"}


def test_another_toolchain_changes_all_tools(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(inputs)
    monkeypatch.setattr(_build_plan, "go_version", lambda *_: "go version go1.26.7 linux/amd64")
    assert changed(before, keys(inputs)) == {"go_tools tools", "tools toolset", "image top"}


@pytest.mark.parametrize("field", [{"ldflags": "-X main.Version=x"}, {"rename": {"hauler": "hauler", "carrier": "c"}}])
def test_other_linker_flags_or_names_change_the_tools(inputs: Inputs, field: dict[str, t.Any]) -> None:
    before = keys(inputs)
    folder = t.cast("GoFolder", {**inputs.go_tools[0], **field})
    assert changed(before, keys(replace(inputs, go_tools=[folder]))) == {
        "go_tools tools",
        "tools toolset",
        "image top",
    }


def test_other_chart_folders_change_the_sources(inputs: Inputs) -> None:
    before = keys(inputs)
    source = t.cast("GoSource", {**inputs.sources[0], "paths": ["charts", "crds"]})
    assert changed(before, keys(replace(inputs, sources=[source]))) == {"sources sources"}


def test_another_node_package_changes_the_root_and_all_that_is_built_in_it(inputs: Inputs) -> None:
    before = keys(inputs)
    after = keys(replace(inputs, node_packages=["runc", "containerd", "jq"]))
    assert changed(before, after) == {"node_root node-root", "image base", "image middle", "image top", "image other"}
    assert keys(replace(inputs, node_packages=["containerd", "runc"])) == before


def test_another_release_of_the_distribution_changes_every_root(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(inputs)
    monkeypatch.setattr(_build_root, "distribution", lambda: Distribution("debian", "trixie"))
    assert {"node_root node-root", "image base"} <= changed(before, keys(inputs))


def test_a_changed_containerfile_changes_its_image_and_those_that_start_from_it(inputs: Inputs, tmp_path: Path) -> None:
    before = keys(inputs)
    edit(tmp_path / "images" / "middle" / "Containerfile")
    assert changed(before, keys(inputs)) == {"image middle", "image top"}


def test_a_changed_or_newly_executable_context_file_changes_the_image(inputs: Inputs, tmp_path: Path) -> None:
    before = keys(inputs)
    data = tmp_path / "images" / "other" / "data"
    data.chmod(0o755)
    executable = keys(inputs)
    assert changed(before, executable) == {"image other"}
    edit(data)
    assert changed(executable, keys(inputs)) == {"image other"}


@pytest.mark.parametrize("field", [{"args": {"A": "1"}}, {"tools": ["hauler"]}, {"sources": ["x"]}])
def test_other_arguments_or_inputs_change_the_image(inputs: Inputs, field: dict[str, t.Any]) -> None:
    before = keys(inputs)
    images = [*inputs.images[:-1], t.cast("Image", {**inputs.images[-1], **field})]
    assert changed(before, keys(replace(inputs, images=images))) == {"image other"}


def test_what_is_built_is_not_missing(inputs: Inputs) -> None:
    plan = plan_builds(inputs)
    assert plan.missing == plan.artifacts
    Path(plan.one("node_root").path).mkdir(parents=True)
    assert [artifact.kind for artifact in plan.artifacts if artifact.present] == ["node_root"]
    assert plan.one("node_root") not in plan.missing


def test_tools_come_before_the_images_that_hold_them(inputs: Inputs) -> None:
    kinds = [artifact.kind for artifact in plan_builds(inputs).artifacts]
    assert kinds == ["go_tools", "tools", "sources", "node_root", "image", "image", "image", "image"]


def test_an_image_whose_parent_is_not_named_before_it_is_an_error(inputs: Inputs) -> None:
    with pytest.raises(BuildError, match="image middle starts from localhost/base, which local_cluster_images"):
        plan_builds(replace(inputs, images=inputs.images[1:]))


def test_two_images_in_one_folder_are_an_error(inputs: Inputs) -> None:
    with pytest.raises(BuildError, match="names the context other twice"):
        plan_builds(replace(inputs, images=[*inputs.images, inputs.images[-1]]))


def test_an_image_with_a_tool_that_nobody_builds_is_an_error(inputs: Inputs, tmp_path: Path) -> None:
    broken = image(tmp_path / "images", "other", tools=["truck"])
    with pytest.raises(BuildError, match="image other wants the tool truck; built are carrier, hauler"):
        plan_builds(replace(inputs, images=[broken]))


def test_one_tool_from_two_folders_is_an_error(inputs: Inputs) -> None:
    twin = t.cast("GoFolder", {**inputs.go_tools[0], "name": "twin"})
    with pytest.raises(BuildError, match="both tools and twin build a tool carrier"):
        plan_builds(replace(inputs, go_tools=[*inputs.go_tools, twin]))


def test_a_build_is_made_once_and_refused_when_its_inputs_change_meanwhile(inputs: Inputs, tmp_path: Path) -> None:
    plan = plan_builds(inputs)
    folder, tools = plan.one("go_tools"), plan.one("tools")
    (Path(folder.path) / "bin").mkdir(parents=True)
    (Path(folder.path) / "bin" / "hauler").write_text("binary")
    assert make(inputs, "tools", "toolset", tools.key) is not None
    assert make(inputs, "tools", "toolset", tools.key) is None
    assert (Path(tools.path) / "bin" / "hauler").read_text() == "binary"
    edit(tmp_path / "go" / "tools" / "go.sum")
    with pytest.raises(BuildError, match="the inputs of tools toolset changed while it was waiting"):
        make(inputs, "tools", "toolset", tools.key)


def test_tools_on_demand_are_planned_beside_the_cluster_and_never_missing_from_it(inputs: Inputs) -> None:
    before = keys(inputs)
    text = GO_MOD.replace("example.org/carrier/v2\n)", "example.org/carrier/v2/cmd/extra\n)").replace("hauler", "other")
    folder = Path(inputs.go_tools[0]["path"]).parent / "extra"
    folder.mkdir()
    (folder / "go.mod").write_text(text)
    (folder / "go.sum").write_text("sums\n")
    extra = t.cast("GoFolder", {**inputs.go_tools[0], "name": "extra", "path": str(folder), "on_demand": True})
    more = replace(inputs, go_tools=[*inputs.go_tools, extra])
    plan = plan_builds(more)
    assert keys(more) == before
    assert [artifact.name for artifact in plan.on_demand] == ["extra"]
    assert "extra" not in [artifact.name for artifact in plan.missing]
    assert plan.one("go_tools", "extra").path.endswith(plan.on_demand[0].key)
    with pytest.raises(BuildError, match="wants the tool other"):
        plan_builds(replace(more, images=[*inputs.images[:2], {**inputs.images[2], "tools": ["other"]}]))
