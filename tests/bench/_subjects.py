# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is timed: our engine and our task, kubectl and the task of kubernetes.core, on trees of one make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
import xml.etree.ElementTree as ET  # the file is written by ansible-core a moment before
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply import ApplyOptions, deliver
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._prune import PruneOptions

HOME = "llm-platform-bench"


class BenchError(Exception):
    """A subject did not do what it is timed for."""


def engine(kubeconfig: str, tree: Path, component: str, expect: str) -> float:
    """Our engine in this process: read the tree, compare, apply; Lease and ApplySet included."""
    options = ApplyOptions(tree, (component,), home_namespace=HOME, wait=False, prune=PruneOptions())
    started = time.perf_counter()
    report = deliver(KubeClient.from_options({"kubeconfig": kubeconfig}), options)
    seconds = time.perf_counter() - started
    counts = {name: len(refs) for name, refs in report.objects().items() if refs}
    if set(counts) != {expect}:
        raise BenchError(f"the engine should leave all objects {expect}, but: {counts}")
    return seconds


def kubectl(program: str, kubeconfig: str, tree: Path) -> float:
    command = [
        *(program, "--kubeconfig", kubeconfig, "apply", "--server-side", "--force-conflicts"),
        *("--field-manager=bench", "--output=name", "--recursive", "--filename", str(tree)),
    ]
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise BenchError(f"kubectl failed: {done.stderr[-500:]}")
    return seconds


def our_task(kubeconfig: str, tree: Path, component: str, *, changed: bool) -> float:
    task = {
        "name": "Apply with the module",
        "wmx.llm_platform.apply": {
            "kubeconfig": kubeconfig,
            "tree": str(tree),
            "components": [component],
            "home_namespace": HOME,
            "wait": False,
        },
    }
    return _task(task, changed=changed)


def core_task(kubeconfig: str, manifest: Path, *, changed: bool) -> float:
    task = {
        "name": "Apply with kubernetes.core",
        "kubernetes.core.k8s": {
            "kubeconfig": kubeconfig,
            "src": str(manifest),
            "apply": True,
            "server_side_apply": {"field_manager": "bench", "force_conflicts": True},
        },
    }
    return _task(task, changed=changed)


def _task(task: dict[str, t.Any], *, changed: bool) -> float:
    """Seconds of the whole task, by ansible-core's own junit callback; the start of ansible-playbook is not in it."""
    with tempfile.TemporaryDirectory() as folder:
        play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
        playbook = Path(folder) / "play.yml"
        playbook.write_text(json.dumps(play))
        environment = os.environ | {
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
            "JUNIT_OUTPUT_DIR": folder,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [
            str(program),
            "-i",
            "localhost,",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            str(playbook),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise BenchError(f"{task['name']} failed: {done.stdout[-800:]}{done.stderr[-300:]}")
        if ("CHANGED" in done.stdout) != changed:
            raise BenchError(f"{task['name']} should report changed={changed}: {done.stdout[:300]}")
        report = ET.parse(next(Path(folder).glob("*.xml")))  # noqa: S314
        return sum(float(case.get("time", "0")) for case in report.iter("testcase"))


def site(inventory: Path) -> float:
    """The whole site.yml on an environment that is as its inventory says: seconds of a run that changed nothing."""
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "--inventory", str(inventory), "wmx.llm_platform.site"]
    for _turn in range(2):  # the first one may still change something
        started = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise BenchError(f"site.yml failed: {done.stdout[-1000:]}")
        if " changed=0 " in done.stdout:
            return seconds
    raise BenchError(f"site.yml changes something every time: {done.stdout[-1000:]}")
