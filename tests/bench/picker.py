# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What picking gains over asking replicas in turn: time to the first token, with how sure that is.

Three simulated replicas of a small model on an L4, the same gateway before them, and on both sides the same requests at
the same moments, whatever becomes of those before. Fails when the interval of the ratio reaches 1. The cluster is that
of K8S_AUTH_KUBECONFIG or KUBECONFIG, and must not be used by anybody else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import typing as t
from contextlib import ExitStack
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

from ._arithmetic import Block, Interval, bootstrap, quantile
from ._arrivals import Arrival, blocks, capacity, plan
from ._ground import GroundError, Serving, let_in, load_place, own_model
from ._platform import inference_gateway, litellm_image

LOAD: t.Final = Path(__file__).with_name("_load_open.py")
PROFILE: t.Final = "l4"
REPLICAS: t.Final = 3
SIDES: t.Final = ("picker", "in turn")
WARM_SECONDS: t.Final = 2.0
BLOCK_SECONDS: t.Final = 5.0
# A load that is sent later than this is not the load that was planned.
LATE_MILLISECONDS: t.Final = 50.0
# Means and the highest quantiles that they publish, in milliseconds: theirs, then what they compare with.
PUBLISHED: t.Final = (
    ("llm-d, 16 H100, Qwen3-32B, 3 to 60 requests/s, p90", 206.0, 107430.0, "guides/optimized-baseline/README.md"),
    ("llm-d, the same at 3 requests/s, p90", 162.0, 522.0, "guides/optimized-baseline/README.md"),
    (
        "KubeAI, 8 L4, Llama 3.1 8B, 8000 at a time, mean",
        237.06,
        39163.80,
        "docs/benchmarks/prefix-aware-load-balancing.md",
    ),
    ("KubeAI, the same 800 at a time, p99", 1260.53, 7438.41, "docs/benchmarks/prefix-aware-load-balancing.md"),
)
"""From the repositories llm-d/llm-d and kubeai-project/kubeai; both compare with a Kubernetes Service."""


def rate_of(options: argparse.Namespace) -> float:
    """Requests a second that are the wanted share of what all replicas can do with such requests."""
    sample = plan(0, 1.0, 2000.0)
    return float(options.load) * REPLICAS * capacity(sample, options.slots, PROFILE)


def measure(kubeconfig: str, options: argparse.Namespace, plans: t.Sequence[t.Sequence[Arrival]]) -> list[t.Any]:
    """By pair and side, a row of milliseconds for each arrival."""
    kube = KubeClient.from_options({"kubeconfig": kubeconfig})
    with ExitStack() as stack:
        gateway, home = inference_gateway(kube)
        serving = Serving.found(kube, home, options.image)
        image = litellm_image(kube, options.namespace)
        place = stack.enter_context(load_place(kube, (options.kubectl, "--kubeconfig", kubeconfig), image))
        scene = serving.scene(place, (gateway.namespace, gateway.gateway), REPLICAS, options.slots)
        stack.enter_context(own_model(place, scene, [f"--simulator-profile={PROFILE}"]))
        stack.enter_context(let_in(place, gateway.namespace, gateway.pods))
        paths = {"picker": f"/m/{scene.name}", "in turn": f"/m/{scene.name}-plain"}
        runs = [
            {
                "name": f"{pair}-{side}",
                "url": f"{gateway.url}{paths[side]}",
                "key": serving.secret,
                "model": scene.name,
                "arrivals": arrivals,
            }
            for pair, arrivals in enumerate(plans)
            for side in SIDES[:: 1 if pair % 2 == 0 else -1]
        ]
        found = dict(zip([run["name"] for run in runs], place.run(LOAD, {"runs": runs, "patience": 30}), strict=True))
    return [{side: found[f"{pair}-{side}"] for side in SIDES} for pair in range(len(plans))]


def paired_blocks(pairs: t.Sequence[t.Mapping[str, t.Any]], plans: t.Sequence[t.Sequence[Arrival]]) -> list[Block]:
    """Times to the first token of the same arrivals on both sides."""
    return [
        ([pair["picker"][place][0] for place in places], [pair["in turn"][place][0] for place in places])
        for pair, arrivals in zip(pairs, plans, strict=True)
        for places in blocks(arrivals, WARM_SECONDS, BLOCK_SECONDS)
    ]


def check_sent(pairs: t.Sequence[t.Mapping[str, t.Any]]) -> float:
    """How late 99 of 100 requests were sent at most."""
    late = quantile([row[2] for pair in pairs for rows in pair.values() for row in rows], 0.99)
    if late > LATE_MILLISECONDS:
        raise GroundError(
            f"requests were sent up to {late:.0f} ms late (99 of 100): the machine is too busy to say anything,"
            " try when it is quiet, or with --slots 2"
        )
    return late


def report(found: t.Mapping[str, Interval], sides: t.Mapping[str, t.Sequence[float]]) -> t.Iterator[str]:
    yield f"{'time to the first token':26}{'picker':>11}{'in turn':>12}{'ratio':>9}   95 % interval"
    for label, interval in found.items():
        ours, other = (quantile(sides[side], int(label[1:]) / 100) for side in SIDES)
        times = f"{label:26}{ours:8.1f} ms{other:9.1f} ms"
        yield f"{times}{interval.estimate:9.3f}   {interval.low:.3f} to {interval.high:.3f}"
    yield "what others publish, of other models and loads, so not to be compared in size:"
    for name, ours, other, source in PUBLISHED:
        yield f"  {name:52} ratio {ours / other:.4f}   {source}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.picker", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--namespace", default="llm-gateway")
    parser.add_argument("--image", default="", help="of the simulator; that of a deployed model when left out")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=22.0, help="of arrivals on each side of a pair")
    parser.add_argument("--load", type=float, default=0.8, help="share of what the replicas can do")
    parser.add_argument("--slots", type=int, default=4, help="requests that a replica answers at a time")
    parser.add_argument("--kubectl", default=os.environ.get("KUBECTL") or shutil.which("kubectl"))
    options = parser.parse_args()
    kubeconfig = os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")
    if not kubeconfig or not options.kubectl:
        print("set K8S_AUTH_KUBECONFIG to a cluster's kubeconfig, and KUBECTL to kubectl's path", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made goes even then
    rate = rate_of(options)
    plans = [plan(pair + 1, rate, options.seconds) for pair in range(options.pairs)]
    pairs = measure(kubeconfig, options, plans)
    late = check_sent(pairs)
    stretches = paired_blocks(pairs, plans)
    found = {label: bootstrap(stretches, int(label[1:]) / 100) for label in ("p50", "p95")}
    sides = {side: [value for block in stretches for value in block[place]] for place, side in enumerate(SIDES)}
    print(
        f"{REPLICAS} simulated replicas ({PROFILE}, {options.slots} at a time), {rate:.1f} requests/s,"
        f" {options.load:.0%} of what they can do; {len(sides['picker'])} requests in {len(stretches)} blocks a side,"
        f" sent at most {late:.1f} ms late"
    )
    for line in report(found, sides):
        print(line)
    known = json.loads(options.output.read_text()) if options.output.exists() else {}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    results = {
        f"picker-first-token-{label}": {
            "ours": round(quantile(sides["picker"], int(label[1:]) / 100), 2),
            "other": round(quantile(sides["in turn"], int(label[1:]) / 100), 2),
            **{name: round(value, 4) for name, value in zip(("ratio", "low", "high"), interval, strict=True)},
        }
        for label, interval in found.items()
    }
    options.output.write_text(json.dumps(known | results, indent=2, sort_keys=True) + "\n")
    if found["p95"].high >= 1:
        print("picking does not make the first token come sooner: the interval reaches 1", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
