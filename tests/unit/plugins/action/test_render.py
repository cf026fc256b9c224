# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The action plugin in real runs of ansible-playbook, on a role made for the test."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  vars:
    llm_plan:
      tree: "{{ lookup('ansible.builtin.env', 'TREE') }}"
      components:
        - {name: demo, layer: serving, namespace: llm-serving}
        - {name: unrendered, layer: routing}
  roles: [demo]
"""
TASKS = """\
- name: Render
  wmx.llm_platform.render:
    component: demo
    templates:
      - one.yml.j2
      - {src: each.yml.j2, loop: "{{ demo_models }}", loop_var: __demo_model}
    objects: "{{ demo_objects | default([]) }}"
  register: __demo_rendered
- name: Report
  ansible.builtin.copy:
    dest: "{{ lookup('ansible.builtin.env', 'REPORT') }}"
    mode: "0600"
    content: "{{ __demo_rendered | combine({'used': __demo_used, 'used_hash': __demo_hash}) | to_json }}"
  vars:
    __demo_hash: "{{ __demo_used | wmx.llm_platform.tree_hash }}"
    __demo_used: "{{ llm_plan.tree | wmx.llm_platform.rendered_tree(ansible_check_mode) }}"
  check_mode: false
  diff: false
"""


class Run(t.NamedTuple):
    report: dict[str, t.Any]
    output: str
    failed: bool


class Project:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.tree = root / "build" / "environment"
        self.write("play.yml", PLAYBOOK)
        self.write("roles/demo/tasks/main.yml", TASKS)
        self.write("roles/demo/vars/main.yml", '__demo_label: "{{ __demo_model.name }}-label"\n')
        self.write(
            "roles/demo/templates/one.yml.j2", "apiVersion: v1\nkind: Namespace\nmetadata: {name: llm-serving}\n"
        )
        self.write(
            "roles/demo/templates/each.yml.j2",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ __demo_model.name | to_json }}\n"
            "  labels: {label: {{ __demo_label | to_json }}}\ndata: {value: {{ __demo_model.value | to_json }}}\n",
        )

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def run(self, *options: str, models: list[dict[str, str]], **variables: t.Any) -> Run:
        report = self.root / "report.json"
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ansible",
                "playbook",
                "play.yml",
                *options,
                "-e",
                json.dumps({"demo_models": models, **variables}),
            ],
            cwd=self.root,
            capture_output=True,
            check=False,
            text=True,
            env={**os.environ, "TREE": str(self.tree), "REPORT": str(report), "ANSIBLE_LOCALHOST_WARNING": "false"},
        )
        found = json.loads(report.read_text()) if report.exists() else {}
        return Run(found, done.stdout + done.stderr, done.returncode != 0)


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    return Project(tmp_path)


MODELS: t.Final = [{"name": "a", "value": "yes"}, {"name": "b", "value": "x: y"}]


def test_a_second_run_changes_nothing_and_a_changed_value_one_file(project: Project) -> None:
    first, second = project.run(models=MODELS), project.run(models=MODELS)
    assert (first.report["changed"], second.report["changed"]) == (True, False), first.output
    assert first.report["objects"] == ["Namespace llm-serving", "ConfigMap llm-serving/a", "ConfigMap llm-serving/b"]
    assert first.report["hash"] == second.report["hash"] == second.report["used_hash"]
    third = project.run("--diff", models=[MODELS[0], {"name": "b", "value": "new"}])
    assert third.report["updated"] == ["serving/demo/core.ConfigMap.llm-serving.b.yml"]
    assert "+  value: new" in third.output
    assert '-  value: "x: y"' in third.output
    content = (project.tree / "serving/demo/core.ConfigMap.llm-serving.a.yml").read_text()
    assert "label: a-label\n" in content
    assert 'value: "yes"\n' in content


def test_check_mode_renders_elsewhere_what_a_run_would_render(project: Project) -> None:
    check = project.run("--check", "--diff", models=MODELS)
    assert check.report["changed"]
    assert not project.tree.exists()
    assert check.report["tree"] == check.report["used"] != str(project.tree)
    assert not pathlib.Path(check.report["tree"]).exists(), "the copy must end with the run"
    assert "+  value: " in check.output
    real = project.run(models=MODELS)
    assert real.report["used"] == str(project.tree)
    assert real.report["hash"] == check.report["used_hash"]
    again = project.run("--check", models=MODELS)
    assert not again.report["changed"]
    fewer = project.run("--check", models=MODELS[:1])
    assert fewer.report["removed"] == ["serving/demo/core.ConfigMap.llm-serving.b.yml"]
    assert project.run(models=MODELS).report["changed"] is False


def test_folders_of_components_that_the_plan_lost_are_removed(project: Project) -> None:
    project.write("build/environment/platform/gone/core.ConfigMap.x.y.yml", "")
    project.write("build/environment/routing/unrendered/core.ConfigMap.x.y.yml", "")
    assert project.run("--check", models=MODELS).report["dropped_components"] == ["platform/gone"]
    assert (project.tree / "platform/gone").exists()
    assert project.run(models=MODELS).report["dropped_components"] == ["platform/gone"]
    assert not (project.tree / "platform/gone").exists()
    assert (project.tree / "routing/unrendered").exists()


def test_what_cannot_be_delivered_fails_and_leaves_the_tree(project: Project) -> None:
    project.run(models=MODELS)
    before = sorted(project.tree.rglob("*"))
    run = project.run(models=[{"name": "A b", "value": "x"}], demo_objects=[{"kind": "Pod"}])
    assert run.failed
    assert "component demo: " in run.output
    assert "template each.yml.j2 (__demo_model A b), line 1: ConfigMap A b: metadata.name" in run.output
    assert "objects[0]: Pod None: apiVersion is missing" in run.output
    assert sorted(project.tree.rglob("*")) == before
