# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Every plugin is documented, licensed and listed where it has to be listed."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PYTHON = sorted(path for path in (ROOT / "plugins").rglob("*.py") if path.stat().st_size)
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
IGNORED_RULE = "validate-modules:missing-gplv3-license"


def strings_of(path: pathlib.Path) -> dict[str, str]:
    """The documentation strings of a module, without importing it."""
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            found[node.targets[0].id] = str(node.value.value)
    return found


def documentation_of(path: pathlib.Path) -> dict[str, t.Any]:
    return yaml.safe_load(strings_of(path)["DOCUMENTATION"])


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT / "plugins")))
def test_a_plugin_file_names_its_licence_and_stays_small(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "# SPDX-License-Identifier: Apache-2.0" in text[:250]
    assert "from __future__ import annotations" in text
    assert text.count("\n") <= 400, f"{path.name} has more than one reason to change"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_documents_itself(path: pathlib.Path) -> None:
    strings = strings_of(path)
    assert {"DOCUMENTATION", "EXAMPLES", "RETURN"} <= strings.keys()
    documentation = documentation_of(path)
    assert documentation["module"] == path.stem
    assert documentation["author"]
    assert f"wmx.llm_platform.{path.stem}" in strings["EXAMPLES"], "the example does not use the full name"
    assert "check_mode" in documentation.get("attributes", {}), "nothing is said about check mode"


@pytest.mark.parametrize("version", ["2.20", "2.21"])
def test_every_module_has_its_licence_exception_and_nothing_else_is_excepted(version: str) -> None:
    lines = (ROOT / "tests" / "sanity" / f"ignore-{version}.txt").read_text(encoding="utf-8").splitlines()
    excepted = [line.split("#")[0].strip() for line in lines]
    # Programs of an image start with the interpreter that lies there.
    excepted = [line for line in excepted if not re.fullmatch(r"roles/local_cluster/files/images/\S+ shebang", line)]
    assert excepted == [f"plugins/modules/{path.name} {IGNORED_RULE}" for path in MODULES]


def test_the_action_group_lists_every_module_that_takes_connection_options() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    fragment = "wmx.llm_platform.connection"
    connecting = [
        path.stem for path in MODULES if fragment in documentation_of(path).get("extends_documentation_fragment", [])
    ]
    assert runtime["action_groups"]["kubernetes"] == connecting
    assert connecting, "no module connects to a cluster: the names in this test are out of date"
