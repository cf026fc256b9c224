# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A module gives the same answer in the controller's process as in one of its own, and stays away where it must."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]


Task = dict[str, t.Any]


def play(folder: pathlib.Path, tasks: list[Task], *options: str) -> tuple[list[dict[str, t.Any]], str]:
    """The tasks' results, and the output."""
    named = [task | {"register": f"found_{number}", "ignore_errors": True} for number, task in enumerate(tasks)]
    found = ", ".join(f"found_{number}" for number in range(len(tasks)))
    report: Task = {
        "ansible.builtin.copy": {
            "dest": f"{folder}/report",
            "content": f"{{{{ [{found}] | to_json }}}}",
            "mode": "0600",
        },
        "check_mode": False,
        "diff": False,
    }
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [*named, report]}]
    (folder / "play.yml").write_text(json.dumps(play))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "play.yml", *options],
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"ANSIBLE_LOCALHOST_WARNING": "false"},
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return json.loads((folder / "report").read_text()), output


def write(path: str) -> Task:
    return {"wmx.llm_platform.file_set": {"path": path, "files": [{"name": "a", "content": "b"}]}}


def test_a_task_stays_in_the_controllers_process_unless_it_wants_more(tmp_path: pathlib.Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    tasks = [
        write("here"),
        write("environment") | {"environment": {"A": "b"}},
        write("background") | {"async": 600, "poll": 1},
        write("other-python") | {"vars": {"ansible_python_interpreter": str(python)}},
    ]
    results, output = play(tmp_path, tasks, "-vvv")
    assert [result.get("written") for result in results] == [["a"]] * 4, output
    started = [part.count("AnsiballZ_file_set.py") for part in output.split("\nTASK [")[1:5]]
    assert started[0] == 0
    assert all(started[1:])
    assert f"{python} " in output


ASKED: t.Final[list[Task]] = [
    write("out"),
    {"wmx.llm_platform.file_set": {"path": "out", "files": [], "colour": "red"}},
    {"wmx.llm_platform.file_set": {"files": [{"name": 1}]}},
    {"wmx.llm_platform.file_set": {"path": "/proc/none", "files": [{"name": "a", "content": "b"}]}},
    {"wmx.llm_platform.teardown": {"kubeconfig": "none", "api_key": "kubeconfig"}},
    {"wmx.llm_platform.cluster_probe": {"kubeconfig": "none", "image": "python:3", "kinds": ["ready"]}},
]


@pytest.mark.parametrize("options", [(), ("--check", "--diff")], ids=["run", "check"])
def test_the_answers_are_the_same_in_both_processes(tmp_path: pathlib.Path, options: tuple[str, ...]) -> None:
    answers = []
    for name, keywords in (("here", {}), ("there", {"environment": {"A": "b"}})):
        folder = tmp_path / name
        folder.mkdir()
        found, _output = play(folder, [task | keywords for task in ASKED], *options)
        for answer in found:
            answer.pop("invocation", None)  # of modules only
            for check in answer.get("checks", ()):
                check.pop("seconds")
        answers.append(found)
    assert answers[0] == answers[1]
    assert [bool(answer.get("failed")) for answer in answers[0]] == [False, True, True, not options, True, False]
    assert "kubeconfig" not in answers[0][4]["msg"], "what is no_log must not show"


def test_every_module_that_can_run_here_has_the_action_plugin_for_it() -> None:
    """A file each: with a redirect in meta/runtime.yml, all of them would take the first one's module_defaults."""
    able = {path.name for path in (ROOT / "plugins" / "modules").glob("*.py") if imports(path, "_cluster_module")}
    led = {path.name for path in (ROOT / "plugins" / "action").glob("*.py") if imports(path, "_in_process")}
    assert able == led
    assert able, "no module runs here: the names in this test are out of date"


def imports(path: pathlib.Path, name: str) -> bool:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.ImportFrom) and (node.module or "").endswith(f".{name}") for node in nodes)
