# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Pinning and gating a tree, and asking a registry for many digests beside a loop of `skopeo inspect`.

Needs no cluster: the registry is the one of the node's root, on the loopback; skopeo is unpacked from its Debian
package. Fails when a bound is missed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_root import host_apt
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin import Request, pinned
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import Policy
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import gate
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import resolve, resolve_all
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import write_component

# The real registry is the end-to-end tests' too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from real_registry import NAME, Pinner, RealRegistry, node_root, program, serve

OBJECTS, IMAGES, ROUNDS = 500, 80, 3
TREE_SECONDS, RATIO = 1.5, 10.0
TODAY = dt.datetime.now(dt.UTC).date()
DIGEST = "sha256:" + "ab" * 32


class BenchError(Exception):
    """Something did not do what it is timed for."""


def deployment(number: int) -> dict[str, t.Any]:
    """A workload as ours are: two containers, and nothing that a rule would find."""
    name, labels = f"app-{number}", {"app": f"app-{number}"}
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    probe = {"httpGet": {"path": "/health", "port": 8000}}
    server = {
        "name": "server",
        "image": f"ghcr.io/org/app-{number % IMAGES}:v1",
        "args": [f"--sidecar-image=docker.io/org/sidecar-{number % IMAGES}:v2", "--port=8000"],
        "env": [{"name": f"VARIABLE_{index}", "value": f"value {index}"} for index in range(10)],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": resources,
    }
    first = {"name": "first", "image": f"quay.io/org/first-{number % IMAGES}:v3", "resources": resources}
    pod = {"automountServiceAccountToken": False, "initContainers": [first], "containers": [server]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "bench", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def others(number: int) -> t.Iterator[dict[str, t.Any]]:
    metadata = {"name": f"app-{number}", "namespace": "bench"}
    ports = [{"name": "http", "port": 8000, "protocol": "TCP"}]
    yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"type": "ClusterIP", "ports": ports}}
    data = {"settings.yml": "".join(f"key_{index}: value of {number}\n" for index in range(20))}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    rule = {"from": [{"podSelector": {}}], "ports": [{"port": 8000, "protocol": "TCP"}]}
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}
    yield {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def tree_seconds(folder: Path) -> tuple[float, float]:
    """(seconds to pin, seconds to gate) a tree that was just rendered without digests."""
    objects = [obj for number in range(OBJECTS // 4) for obj in (deployment(number), *others(number))]
    write_component(folder / "tree", "serving", "bench", objects)
    names = [f"{prefix}-{number}:v{version}" for number in range(IMAGES) for prefix, version in _PREFIXES]
    lock = folder / "images.lock.yml"
    entry = Entry(DIGEST, "index", VERIFIED, dt.date(2026, 1, 1), ("registry",))
    lock.write_text(Lock(dict.fromkeys(names, entry)).text(), encoding="utf-8")
    request = Request(lock, folder=folder / "tree", policy=Policy(registries=("ghcr.io", "quay.io", "docker.io")))
    began = time.perf_counter()
    outcome = pinned(request, TODAY, check=False)
    between = time.perf_counter()
    report = gate(folder / "tree", None, "dev", [])
    ended = time.perf_counter()
    if len(objects) != OBJECTS or len(outcome.images) != 3 * IMAGES or len(outcome.diff) != OBJECTS // 4:
        raise BenchError(f"{len(outcome.images)} images in {len(outcome.diff)} files were pinned")
    if report["objects"] != OBJECTS or report["refused"]:
        raise BenchError(report["report"] or f"the gate saw {report['objects']} objects")
    return between - began, ended - between


_PREFIXES = (("ghcr.io/org/app", 1), ("docker.io/org/sidecar", 2), ("quay.io/org/first", 3))


def skopeo(root: Path, folder: Path) -> str:
    """The shell command of a skopeo that was never installed."""
    host_apt(folder / "apt").unpack("skopeo", folder / "skopeo")
    loader, option, libraries, _registry = program(root)
    return shlex.join(
        [loader, option, libraries, str(folder / "skopeo" / "usr" / "bin" / "skopeo"), "--insecure-policy"]
    )


def skopeo_seconds(command: str, registry: RealRegistry) -> tuple[float, set[str]]:
    inspect = (
        f"{command} inspect --tls-verify=false --format '{{{{.Digest}}}}' docker://{registry.host}/org/app-$number:v1"
    )
    script = f"for number in $(seq 0 {IMAGES - 1}); do {inspect} || exit 1; done"
    began = time.perf_counter()
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=300)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise BenchError(f"skopeo: {done.stderr[-500:]}")
    return seconds, set(done.stdout.split())


def engine_seconds(registry: RealRegistry, names: list[str]) -> tuple[float, set[str]]:
    """What asks the registry, in this process."""
    access = Access({NAME: Endpoint(registry.host, insecure=True)})
    began = time.perf_counter()
    found, failed = resolve_all(map(parse_image, names), access, resolve)
    seconds = time.perf_counter() - began
    if failed:
        raise BenchError(str(next(iter(failed.values()))))
    return seconds, {answer.digest for answer in found.values()}


def module_seconds(pinner: Pinner, names: list[str]) -> tuple[float, set[str]]:
    """The module as Ansible runs it: start of its process and writing of the lock included."""
    began = time.perf_counter()
    result = pinner.resolve(*names)
    seconds = time.perf_counter() - began
    if result.get("failed") or not result["changed"]:
        raise BenchError(f"digest_pin: {result.get('msg')}")
    return seconds, {entry["digest"] for entry in pinner.lock.values()}


def registry_seconds(folder: Path) -> dict[str, float]:
    """Seconds of our engine, our module and skopeo: the best of some rounds in which they take turns."""
    root = node_root()
    if root is None:
        raise BenchError("there is no node root in the cache; `make up` builds it")
    command = skopeo(root, folder)
    best: dict[str, float] = {}
    with serve(root, folder / "registry") as registry:
        pushed = {registry.push(f"org/app-{number}", "v1", str(number)) for number in range(IMAGES)}
        names = [f"{NAME}/org/app-{number}:v1" for number in range(IMAGES)]
        for number in range(ROUNDS):
            pinner = Pinner(folder / f"lock-{number}", {"endpoints": registry.endpoints(insecure=True)})
            for name, (seconds, found) in {
                "engine": engine_seconds(registry, names),
                "module": module_seconds(pinner, names),
                "skopeo": skopeo_seconds(command, registry),
            }.items():
                if found != pushed:
                    raise BenchError(f"{len(pushed)} digests were pushed, {name} found {len(found)}")
                best[name] = min(seconds, best.get(name, seconds))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pin", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        pinning, gating = tree_seconds(Path(name))
        kept = pinning + gating <= TREE_SECONDS
        print(
            f"{'pin-and-gate-500':24} pin {pinning:.2f} s, gate {gating:.2f} s  (at most {TREE_SECONDS} together)"
            f" {'ok' if kept else 'MISSED'}, load {load:.1f}",
            flush=True,
        )
        best = registry_seconds(Path(name))
    results = {"pin-and-gate-500": {"pin": round(pinning, 3), "gate": round(gating, 3)}}
    for what, bound in (("engine", RATIO), ("module", None)):
        ratio = best["skopeo"] / best[what]
        verdict = "" if bound is None else f"  (at least {bound:.0f}) {'ok' if ratio >= bound else 'MISSED'}"
        line = f"ours {best[what]:.2f} s   skopeo {best['skopeo']:.2f} s   ratio {ratio:.1f}{verdict}"
        print(f"{f'resolve-80-{what}':24} {line}")
        kept = kept and (bound is None or ratio >= bound)
        results[f"resolve-80-{what}"] = {
            "ours": round(best[what], 3),
            "other": round(best["skopeo"], 3),
            "ratio": round(ratio, 1),
        }
    known = json.loads(options.output.read_text()) if options.output.exists() else {}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(known | results, indent=2, sort_keys=True) + "\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
