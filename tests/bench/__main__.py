# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Side by side with kubectl and kubernetes.core on one cluster, in pairs that alternate; fails when a bound is missed.

The cluster is the one of K8S_AUTH_KUBECONFIG or KUBECONFIG. Ratios count, for machines differ; only the unchanged
site.yml (--site) is bound in seconds, on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
import typing as t
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref, ref_of
from tests.bench import _load, _subjects

COUNT = 540
PAIRS = 5
GROWTH = (540, 2_000, 10_000)
GROWTH_SECONDS = 900.0
SITE_SECONDS = 15.0
BOUNDS = {"apply-first": 0.7, "apply-unchanged": 0.15, "task-first": 0.4, "task-unchanged": 0.4}
Run = t.Callable[[], float]


@dataclass
class Series:
    """Seconds of both sides, pair by pair."""

    ours: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    def measure(self, pair: int, ours: Run, other: Run) -> None:
        """The side that goes first changes with every pair."""
        for mine in (True, False) if pair % 2 == 0 else (False, True):
            (self.ours if mine else self.other).append(ours() if mine else other())

    def result(self) -> dict[str, float]:
        """The ratio is the median of the pairs' ratios: what disturbs one pair disturbs both its sides."""
        ratio = statistics.median(mine / its for mine, its in zip(self.ours, self.other, strict=True))
        return {
            "ours": round(statistics.median(self.ours), 4),
            "other": round(statistics.median(self.other), 4),
            "ratio": round(ratio, 4),
        }


class Bench:
    """Makes trees and namespaces of its own, and removes the namespaces at the end."""

    def __init__(self, kubeconfig: str, kubectl: str, folder: Path) -> None:
        self._kubeconfig, self._kubectl, self._folder = kubeconfig, kubectl, folder
        self._client = KubeClient.from_options({"kubeconfig": kubeconfig})
        self._run = f"bench-{uuid.uuid4().hex[:5]}"
        self._made: list[str] = []
        self._namespace(_subjects.HOME)

    def _namespace(self, name: str) -> None:
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        response = self._client.apply(obj, ref_of(obj))
        if response.status >= 400:
            raise _subjects.BenchError(response.body.decode())
        self._made.append(name)

    def _tree(self, label: str, count: int) -> tuple[Path, str]:
        component = f"{self._run}-{label}"
        made = _load.objects(count, component)
        for name in _load.namespaces(made):
            self._namespace(name)
        return _load.write(self._folder / component, component, made), component

    def engine(self, series: dict[str, Series], pair: int, count: int, label: str) -> None:
        ours, component = self._tree(f"{label}{pair}o", count)
        other, _unused = self._tree(f"{label}{pair}k", count)
        for name, expect in (("apply-first", "created"), ("apply-unchanged", "unchanged")):
            series.setdefault(name, Series()).measure(
                pair,
                lambda expect=expect: _subjects.engine(self._kubeconfig, ours, component, expect),  # type: ignore[misc]
                lambda: _subjects.kubectl(self._kubectl, self._kubeconfig, other),
            )

    def task(self, series: dict[str, Series], pair: int, count: int) -> None:
        ours, component = self._tree(f"t{pair}o", count)
        other, _unused = self._tree(f"t{pair}c", count)
        manifest = other.with_suffix(".yml")
        manifest.write_text("---\n".join(path.read_text() for path in sorted(other.rglob("*.yml"))))
        for name, changed in (("task-first", True), ("task-unchanged", False)):
            series.setdefault(name, Series()).measure(
                pair,
                lambda changed=changed: _subjects.our_task(  # type: ignore[misc]
                    self._kubeconfig, ours, component, changed=changed
                ),
                lambda changed=changed: _subjects.core_task(  # type: ignore[misc]
                    self._kubeconfig, manifest, changed=changed
                ),
            )

    def clean(self) -> None:
        for name in self._made:
            self._client.delete(Ref("", "v1", "Namespace", "", name))


def _print(name: str, result: dict[str, float], bound: float | None = None) -> None:
    verdict = "" if bound is None else f"  (at most {bound}) {'ok' if result['ratio'] <= bound else 'MISSED'}"
    ours, other, ratio = result["ours"], result["other"], result["ratio"]
    print(f"{name:24} ours {ours:8.3f} s   other {other:8.3f} s   ratio {ratio:.3f}{verdict}", flush=True)


def _grow(bench: Bench, counts: t.Sequence[int]) -> dict[str, dict[str, float]]:
    """One pair of each size while time is left; the next one is expected to take as long for an object as the last."""
    results: dict[str, dict[str, float]] = {}
    began, expected = time.monotonic(), 0.0
    for count, larger in zip(counts, [*counts[1:], 0], strict=True):
        left = GROWTH_SECONDS - (time.monotonic() - began)
        if expected > left:
            print(
                f"growth to {count} objects is left out: about {expected:.0f} s, and {left:.0f} s are left", flush=True
            )
            break
        series: dict[str, Series] = {}
        before = time.monotonic()
        bench.engine(series, 0, count, f"g{count}")
        expected = (time.monotonic() - before) * larger / count
        for name, item in series.items():
            results[f"{name}-{count}"] = item.result()
            _print(f"{name}-{count}", results[f"{name}-{count}"])
    return results


def _save(path: Path, results: dict[str, dict[str, float]]) -> None:
    """Other benchmarks write to the same file."""
    known = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known | results, indent=2, sort_keys=True) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument(
        "--growth", action="store_true", help="show how both grow to 10,000 objects (some minutes more)"
    )
    parser.add_argument("--site", type=Path, help="an inventory: time its unchanged site.yml too, in seconds")
    parser.add_argument("--kubectl", default=os.environ.get("KUBECTL") or shutil.which("kubectl"))
    options = parser.parse_args()
    kubeconfig = os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")
    if not kubeconfig or not options.kubectl:
        print("set K8S_AUTH_KUBECONFIG to a cluster's kubeconfig, and KUBECTL to kubectl's path", file=sys.stderr)
        return 2
    missed: list[str] = []
    # First, because the server is busy for a while with deleting what the other benchmarks made.
    if options.site:
        seconds = _subjects.site(options.site)
        _save(options.output, {"site-unchanged": {"seconds": round(seconds, 2)}})
        print(
            f"{'site-unchanged':24} {seconds:.1f} s  (at most {SITE_SECONDS:.0f}) load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        missed += ["site-unchanged"] if seconds > SITE_SECONDS else []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the namespaces go even then
    started, series, growth = time.monotonic(), dict[str, Series](), {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(kubeconfig, options.kubectl, Path(folder))
        try:
            for pair in range(options.pairs):
                bench.engine(series, pair, COUNT, "e")
                bench.task(series, pair, COUNT)
                ratios = ", ".join(f"{name} {item.ours[-1] / item.other[-1]:.3f}" for name, item in series.items())
                print(f"pair {pair + 1} of {options.pairs}, {time.monotonic() - started:.0f} s: {ratios}", flush=True)
            growth = _grow(bench, GROWTH) if options.growth else {}
        finally:
            bench.clean()
    results = {name: item.result() for name, item in series.items()}
    for name, result in results.items():
        _print(name, result, BOUNDS[name])
    _save(options.output, results | growth)
    missed += [name for name, result in results.items() if result["ratio"] > BOUNDS[name]]
    if missed:
        print(f"bounds missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
