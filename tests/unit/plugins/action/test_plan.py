# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The action plugin plan in real runs of ansible-playbook: what templates, tags and the environment bring to a plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

import pytest
import yaml

if t.TYPE_CHECKING:
    import pathlib

PLAY: t.Final = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tags": ["always"],
        "tasks": [
            {"ansible.builtin.include_role": {"name": "wmx.llm_platform.plan", "rolespec_validate": False}},
            {
                "ansible.builtin.copy": {
                    "dest": "{{ playbook_dir }}/plan",
                    "content": "{{ llm_plan | to_json }}",
                    "mode": "0600",
                }
            },
        ],
    }
]
MODEL: t.Final = {
    "name": "{{ demo_name }}",
    "engine": "vllm",
    "source": "hf://Qwen/Qwen2.5-0.5B-Instruct",
    "max_output_tokens": "{{ 2 ** 9 }}",
    "gpu": {"count": 1},
}
OPTIONS: t.Final[dict[str, t.Any]] = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "demo_name": "chat",
    "llm_profile": "{{ 'serv' ~ 'ing' }}",
    "llm_substrate": "existing",
    "llm_sources": {"gateway_api_crds": "existing"},
    "llm_models": [MODEL],
}


def run(folder: pathlib.Path, *arguments: str, **options: t.Any) -> tuple[dict[str, t.Any], str]:
    """The plan (empty without one) and the output."""
    variables = folder / "inventory" / "group_vars" / "all.yml"
    variables.parent.mkdir(parents=True)
    variables.write_text(yaml.safe_dump(OPTIONS | options))
    (folder / "inventory" / "hosts.yml").write_text("all: {hosts: {localhost: {}}}\n")
    (folder / "play.yml").write_text(json.dumps(PLAY))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "inventory", "play.yml", *arguments],
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"K8S_AUTH_KUBECONFIG": "/etc/of-the-environment"},
    )
    report = folder / "plan"
    assert report.exists() == (done.returncode == 0), done.stdout + done.stderr
    return json.loads(report.read_text()) if report.exists() else {}, done.stdout + done.stderr


def test_a_plan_has_resolved_templates_the_environments_kubeconfig_and_only_what_tags_select(
    tmp_path: pathlib.Path,
) -> None:
    plan, output = run(tmp_path, "--tags", "serving")
    assert (plan["environment"], plan["profile"], plan["kubeconfig"]) == (
        "inventory",
        "serving",
        "/etc/of-the-environment",
    )
    assert [(model["name"], model["max_output_tokens"]) for model in plan["models"]] == [("chat", 512)]
    assert plan["selected"] == ["serving"]
    assert "foundation" in [entry["name"] for entry in plan["components"]]
    # The table for people.
    assert "left out by tags" in output
    assert "checked only" in output


def test_all_that_is_wrong_is_told_at_once_and_no_secret_is_shown(tmp_path: pathlib.Path) -> None:
    plan, output = run(
        tmp_path,
        llm_models=[MODEL | {"name": "{{ nowhere }}", "gpu": {"count": "{{ 1 / 0 }}"}}],
        llm_tire="dev",
        llm_registry_credentials="{{ 's3cret' ~ nowhere }}",
    )
    assert plan == {}
    assert "nothing was touched" in output
    for said in (
        "llm_models[0].name",
        "llm_models[0].gpu.count",
        "cannot be templated ('nowhere' is undefined)",
        "llm_tire",
        "llm_tier",
        "llm_registry_credentials",
    ):
        assert said in output, said
    assert "s3cret" not in output


@pytest.mark.parametrize("tags", ["nonsense"])
def test_a_tag_that_is_neither_component_nor_layer_is_refused(tmp_path: pathlib.Path, tags: str) -> None:
    plan, output = run(tmp_path, "--tags", tags)
    assert plan == {}
    assert "nonsense" in output
