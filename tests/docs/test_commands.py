# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Every command in the README and the pages under docs/ is one that works."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for page in PAGES:
        for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            found += [(page.name, line) for line in block.splitlines() if line]
    return found


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_a_documented_command_works(page: str, command: str, tmp_path: pathlib.Path) -> None:
    words = shlex.split(command)
    match words[0]:
        case "make":
            # A dry run finds unknown targets and broken recipes; the steps themselves are what the other suites run.
            result = run("make", "--dry-run", *words[1:]) if words[1] != "help" else run(*words)
        case "ansible-doc":
            result = run(*words)
            assert "ENTRY POINT" in result.stdout, f"{page}: {command}: {result.stdout}{result.stderr}"
        case "ansible-playbook" if "wmx.llm_platform.plan" in words:
            result = run(*words, "--extra-vars", f"llm_build_dir={tmp_path} llm_evidence_dir={tmp_path}")
        case "ansible-playbook":
            result = run(*words, "--syntax-check")
        case "ansible-galaxy":
            # `make build` installs the archive for real; here only that the page names this collection.
            assert words[1:] == ["collection", "install", "wmx.llm_platform"]
            return
        case other:
            pytest.fail(f"{page} documents {other}, which no test knows how to check")
    assert result.returncode == 0, f"{page}: {command}\n{result.stdout}\n{result.stderr}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_paths_named_in_pages_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"`((?:roles|plugins|playbooks|molecule|tests|docs|inventories|meta)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{page.name} names {path}"


def test_the_first_command_is_the_demo_and_the_second_the_tests() -> None:
    assert [command for page, command in commands() if page == "README.md"][:2] == ["make demo", "make test"]


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") < 150
