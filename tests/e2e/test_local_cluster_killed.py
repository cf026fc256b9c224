# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs and clusters that are killed leave nothing that the next start or stop does not put right."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-platform"
NAME = "e2e-killed"
RUN = CACHE / "clusters" / NAME
CGROUP = f"local-cluster-{NAME}"


def command(name: str) -> list[str]:
    options = ["-e", f"local_cluster_name={NAME}", "-e", "local_cluster_remove_volumes=true"]
    return ["ansible-playbook", f"playbooks/{name}.yml", *options]


def playbook(name: str) -> None:
    run = subprocess.run(command(name), cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


def playbooks_at_once(*names: str) -> list[str]:
    """Run several at the same time; return what they print."""
    runs = [
        subprocess.Popen(command(name), cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name in names
    ]
    outputs = [run.communicate(timeout=600)[0] for run in runs]
    for run, output in zip(runs, outputs, strict=True):
        assert run.returncode == 0, output[-4000:]
    return outputs


def members() -> set[int]:
    return {
        int(pid) for cgroup in cgroups() for path in cgroup.glob("**/cgroup.procs") for pid in path.read_text().split()
    }


def lock_holders() -> list[str]:
    """Processes of the cluster that keep the lock of starts and stops open."""
    found = []
    for pid in members():
        for opened in Path(f"/proc/{pid}/fd").glob("*"):
            # It may have been closed since it was listed.
            with contextlib.suppress(OSError):
                if opened.readlink().name == f"cluster-{NAME}.lock":
                    found.append(f"{pid} {Path(f'/proc/{pid}/comm').read_text().strip()}")
    return found


def kubectl(*arguments: str) -> t.Any:
    out = subprocess.run(
        [str(RUN / "bin" / "kubectl"), "--kubeconfig", str(RUN / "kubeconfig"), *arguments, "-o", "json"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return json.loads(out.stdout)


def init_pid() -> int:
    out = subprocess.run([str(RUN / "node.sh"), "pid"], capture_output=True, text=True, check=True, timeout=60)
    return int(out.stdout)


def cgroups() -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").glob(f"**/{CGROUP}") if path.is_dir()]


def assert_cluster_works() -> None:
    nodes = {node["metadata"]["name"]: node for node in kubectl("get", "nodes")["items"]}
    assert set(nodes) == {"node-1", "sim-gpu-0", "sim-gpu-1"}
    pods = kubectl("get", "pods", "--namespace=kube-system")["items"]
    assert len(pods) == 2
    assert all(status["ready"] for pod in pods for status in pod["status"]["containerStatuses"])


@pytest.fixture(autouse=True, scope="module")
def nothing_before_and_after() -> t.Iterator[None]:
    playbook("local_down")
    yield
    playbook("local_down")
    assert cgroups() == []
    assert not RUN.exists()


def descendants(pid: int) -> list[int]:
    """A run's workers are no members of its process group."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found


def killed_run(happened: t.Callable[[], object]) -> None:
    """Start a cluster and kill the whole run, Ansible and its workers, as soon as something has happened."""
    run = subprocess.Popen(command("local_up"), cwd=CHECKOUT, stdout=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 120
    while not happened():
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end, "what to wait for never happened"
        time.sleep(0.01)
    for pid in descendants(run.pid):
        # It may have ended by itself since it was listed.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.wait()


@pytest.mark.parametrize(
    "happened",
    [
        pytest.param((RUN / "kubernetes.new/pki/ca.key").exists, id="among-the-certificates"),
        pytest.param(cgroups, id="among-the-cgroups"),
    ],
)
def test_a_start_that_was_killed_is_completed_by_the_next(happened: t.Callable[[], object]) -> None:
    playbook("local_down")
    killed_run(happened)
    playbook("local_up")
    assert_cluster_works()


def test_a_cluster_that_was_killed_comes_back_once_with_what_it_held_though_two_runs_start_it() -> None:
    playbook("local_up")
    before = kubectl("get", "namespace", "kube-system")["metadata"]["uid"]
    parent = int(Path(f"/proc/{init_pid()}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(parent, signal.SIGKILL)
    time.sleep(0.5)
    assert cgroups(), "the kill was to leave cgroups behind"
    playbooks_at_once("local_up", "local_up")
    assert_cluster_works()
    assert kubectl("get", "namespace", "kube-system")["metadata"]["uid"] == before
    servers = [pid for pid in members() if Path(f"/proc/{pid}/comm").read_text().strip() == "kube-apiserver"]
    assert len(servers) == 1
    assert lock_holders() == []


def test_a_cluster_that_was_killed_is_removed_without_a_rest() -> None:
    os.kill(init_pid(), signal.SIGKILL)
    playbook("local_down")
    assert cgroups() == []
    assert not RUN.exists()
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert "lc-e2e-k" not in routes
