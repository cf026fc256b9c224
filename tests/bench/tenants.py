# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole tenants.yml for many tenants: seconds and HTTP calls, first and unchanged; fails when a bound is missed.

Needs a cluster with the LLM gateway in it (K8S_AUTH_KUBECONFIG or KUBECONFIG). Works as an environment of its own, with
its own namespaces and teams, and deletes them at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
import uuid
from dataclasses import dataclass
from pathlib import Path

import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref

ROOT = Path(__file__).resolve().parents[2]
CALLBACKS = ROOT / "tests" / "e2e" / "callback_plugins"
COUNT, KEYS = 100, 3
GROWTH = (100, 300, 1000)
FIRST_SECONDS, UNCHANGED_SECONDS = 90.0, 10.0
TASKS = {
    "objects": "wmx.llm_platform.apply",
    "teams": "wmx.llm_platform.litellm_team",
    "keys": "wmx.llm_platform.litellm_key",
}


class BenchError(Exception):
    """The playbook failed, or did not do what it is timed for."""


@dataclass(frozen=True)
class Timing:
    """One run of the playbook."""

    seconds: float
    # HTTP calls to the gateway, by the module that made them.
    calls: dict[str, int]
    changed: bool

    def result(self) -> dict[str, float]:
        return {"seconds": round(self.seconds, 2), **{f"calls-{name}": count for name, count in self.calls.items()}}


class Bench:
    """An inventory in a scratch folder, for the cluster of a kubeconfig."""

    def __init__(self, kubeconfig: str, folder: Path, namespace: str) -> None:
        self._folder = folder
        self._run = f"bench-{uuid.uuid4().hex[:5]}"
        self._made = 0
        (folder / "group_vars" / "all").mkdir(parents=True)
        example = ROOT / "inventories" / "local"
        for path in (Path("hosts.yml"), Path("group_vars", "all", "models.yml")):
            (folder / path).write_text((example / path).read_text(encoding="utf-8"), encoding="utf-8")
        self._variables: dict[str, t.Any] = {
            "llm_environment": self._run,
            "llm_home_namespace": self._run,
            "llm_profile": "llm_gateway",
            "llm_substrate": "existing",
            "llm_kubeconfig": kubeconfig,
            "llm_sources": {"gateway_api_crds": "existing"},
            "llm_gateway_namespace": namespace,
            "llm_build_dir": str(folder / "build"),
            "llm_evidence_dir": str(folder / "evidence"),
            # Our own role is cluster-scoped, and the environment that lives on this cluster has it.
            "tenants_admin_role": "edit",
            "llm_prune_max": 100_000,
        }

    def _tenant(self, number: int) -> dict[str, t.Any]:
        return {
            "name": f"{self._run}-{number:04d}",
            "budget": {"usd": 100, "period": "30d"},
            "models": ["chat"],
            "limits": {"rpm": 600, "tpm": 100_000},
            "admins": [{"kind": "Group", "name": f"{self._run}-{number:04d}"}],
            "keys": [{"name": f"key-{key}", "budget": {"usd": 20, "period": "30d"}} for key in range(KEYS)],
        }

    def bring(self, count: int) -> Timing:
        self._made = max(self._made, count)
        return self._play(llm_tenants=[self._tenant(number) for number in range(count)])

    def clean(self) -> None:
        """Also after a failure in the middle: what was not made is not missed."""
        if self._made:
            former = [{"name": self._tenant(number)["name"]} for number in range(self._made)]
            try:
                self._play(llm_tenants=[], llm_tenants_delete=former)
            except BenchError:  # what a pod that ends takes with it is no reason to leave things behind
                self._play(llm_tenants=[], llm_tenants_delete=former)
        client = KubeClient.from_options({"kubeconfig": self._variables["llm_kubeconfig"]})
        client.delete(Ref("", "v1", "Namespace", "", self._run))

    def _play(self, **variables: t.Any) -> Timing:
        text = yaml.safe_dump({**self._variables, **variables}, explicit_start=True)
        (self._folder / "group_vars" / "all" / "zz_bench.yml").write_text(text, encoding="utf-8")
        record = self._folder / "results.jsonl"
        record.unlink(missing_ok=True)
        environ = os.environ | {
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "RECORD_RESULTS": str(record),
        }
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [str(program), "--inventory", str(self._folder), "wmx.llm_platform.tenants"]
        began = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)
        seconds = time.perf_counter() - began
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        results = [json.loads(line) for line in lines]
        if done.returncode:
            failed = [
                f"{entry['task']}: {entry['result'].get('msg')}" for entry in results if entry["outcome"] == "failed"
            ]
            raise BenchError("tenants.yml failed: " + ("; ".join(failed)[:2000] or done.stdout[-2000:]))
        calls: dict[str, int] = {}
        for entry in results:
            for name, action in TASKS.items():
                if entry["action"] == action and "calls" in entry["result"]:
                    calls[name] = entry["result"]["calls"]
        return Timing(seconds, calls, " changed=0 " not in done.stdout)


def _measure(bench: Bench, count: int, results: dict[str, dict[str, float]]) -> tuple[Timing, Timing]:
    first = bench.bring(count)
    second = bench.bring(count)
    if not first.changed or second.changed:
        raise BenchError(f"the first run of {count} tenants must change something, and the second nothing")
    for name, timing in ((f"tenants-first-{count}", first), (f"tenants-unchanged-{count}", second)):
        results[name] = timing.result()
        calls = ", ".join(f"{number} HTTP calls for {what}" for what, number in timing.calls.items())
        print(f"{name:24} {timing.seconds:7.1f} s   {calls}   load {os.getloadavg()[0]:.1f}", flush=True)
    return first, second


def _save(path: Path, results: dict[str, dict[str, float]]) -> None:
    """Other benchmarks write to the same file."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known | results, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tenants", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--growth", action="store_true", help=f"go on to {GROWTH[-1]:,} tenants (some minutes more)")
    parser.add_argument("--gateway-namespace", default="llm-gateway")
    options = parser.parse_args()
    kubeconfig = os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")
    if not kubeconfig:
        print("set K8S_AUTH_KUBECONFIG to the kubeconfig of a cluster with the LLM gateway", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made goes even then
    results: dict[str, dict[str, float]] = {}
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-tenants-") as folder:
        bench = Bench(kubeconfig, Path(folder), options.gateway_namespace)
        try:
            for count in GROWTH if options.growth else (COUNT,):
                first, second = _measure(bench, count, results)
                if count == COUNT:
                    missed += [f"first in {FIRST_SECONDS:.0f} s"] if first.seconds > FIRST_SECONDS else []
                    missed += [f"unchanged in {UNCHANGED_SECONDS:.0f} s"] if second.seconds > UNCHANGED_SECONDS else []
            _save(options.output, results)
        finally:
            bench.clean()
    if missed:
        print(f"bounds missed for {COUNT} tenants: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
