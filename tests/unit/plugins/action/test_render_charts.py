# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Charts from rendering to the lock and back, in real runs of ansible-playbook, with roles made for the test."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "llm-platform"
PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Render
      ansible.builtin.include_role:
        name: "{{ __test_role }}"
      loop: [one, two]
      loop_control:
        loop_var: __test_role
    - name: Resolve
      wmx.llm_platform.digest_pin:
        state: resolved
        charts: "{{ ansible_facts.llm_platform_charts }}"
        lock_file: "{{ llm_plan.images.lock_file }}"
      when: not llm_plan.images.pin
"""
TASKS = """\
- name: Render
  wmx.llm_platform.render:
    component: {name}
    templates: []
    charts:
      - name: {name}
        ref: {ref}
        version: 1.2.3
"""


@pytest.fixture
def helm() -> str:
    built = sorted(CACHE.glob("tools/*/bin/helm"), key=lambda path: path.stat().st_mtime)
    program = shutil.which("helm") or (str(built[-1]) if built else None)
    if program is None:
        pytest.skip("charts are not rendered here: there is no helm on PATH or among the built tools")
    return program


class Project:
    """Role `one` has a chart of its own, role `two` renders one of the upstream files."""

    def __init__(self, root: pathlib.Path, helm: str) -> None:
        self.root, self.helm = root, helm
        self.lock = root / "images.lock.yml"
        self.write("play.yml", PLAYBOOK)
        for name, ref, folder in (
            ("one", "charts/mine", "roles/one/files/charts/mine"),
            ("two", '"{{ llm_plan.sources }}/up/stream"', "sources/up/stream"),
        ):
            self.write(f"roles/{name}/tasks/main.yml", TASKS.format(name=name, ref=ref))
            self.write(f"{folder}/Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: 1.2.3\n")
            self.write(
                f"{folder}/templates/c.yaml",
                f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata: {{}}\n",
            )

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def run(self, *options: str, pin: bool) -> tuple[int, str]:
        images = {
            "pin": pin,
            "collect_charts": not pin,
            "built_lock": "",
            "locks": [],
            "lock_file": str(self.lock),
            "paths": [],
            "endpoints": {},
            "rules": {},
        }
        plan = {
            "tree": str(self.root / "build"),
            "helm": self.helm,
            "sources": str(self.root / "sources"),
            "images": images,
            "components": [{"name": name, "layer": "serving", "namespace": "demo"} for name in ("one", "two")],
        }
        command = [sys.executable, "-m", "ansible", "playbook", "play.yml", *options]
        command += ["-e", json.dumps({"llm_plan": plan, "llm_cache_dir": str(self.root / "cache")})]
        environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "false"}
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout + done.stderr


def test_charts_of_all_components_get_into_the_lock_and_are_held_to_it(tmp_path: pathlib.Path, helm: str) -> None:
    project = Project(tmp_path, helm)
    code, output = project.run(pin=True)
    assert code != 0
    assert "charts/mine: has no digest in the lock (known); run the playbook wmx.llm_platform.lock" in output

    code, output = project.run("--check", "--diff", pin=False)
    assert code == 0, output
    assert "+  sources/up/stream:" in output
    assert not project.lock.exists()

    code, output = project.run(pin=False)
    assert code == 0, output
    text: t.Final = project.lock.read_text(encoding="utf-8")
    assert [line.strip(" :") for line in text.splitlines() if line.startswith("  ") and line[2] != " "] == [
        "charts/mine",
        "sources/up/stream",
    ]
    code, output = project.run(pin=True)
    assert code == 0, output

    project.write("sources/up/stream/templates/more.yaml", "# more\n")
    code, output = project.run(pin=True)
    assert code != 0
    assert "chart two: sources/up/stream is sha256:" in output
    assert "and the lock says sha256:" in output
    assert str(tmp_path / "sources") not in text
