# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the LLM gateway adds: latency and requests a second of one replica against the model itself, in one run.

The load runs inside a pod of the gateway, in pairs that alternate. The cluster is the one of K8S_AUTH_KUBECONFIG or
KUBECONFIG, and must not be used by anybody else meanwhile. Ratios count, for machines differ.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import typing as t
from contextlib import ExitStack
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import open_litellm
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import service_target
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests

MASTER: t.Final = {"namespace": None, "name": "litellm-secrets", "key": "PROXY_MASTER_KEY"}
LOAD: t.Final = Path(__file__).with_name("_gateway_load.py")
# One request at a time, and as many as keep a replica busy.
PARALLEL: t.Final = 16


class GatewayBenchError(Exception):
    """The gateway could not be measured."""


def measure(kubeconfig: str, kubectl: str, options: argparse.Namespace) -> dict[str, t.Any]:
    kube = KubeClient.from_options({"kubeconfig": kubeconfig})
    target = service_target(kube, options.namespace, "litellm", 4000)
    gateway = {"url": None, "namespace": options.namespace, "service": "litellm", "port": 4000, "pod": target.pod}
    params = {"kubeconfig": kubeconfig, "gateway": {**gateway, "timeout": 60.0, "master_key_secret": MASTER}}
    with ExitStack() as stack:
        admin = stack.enter_context(open_litellm(params, kube))
        guests = Guests(admin)
        stack.callback(guests.remove)
        found = admin.models()
        model = next((item for item in found if options.model in ("", item["model_name"])), None)
        if model is None:
            names = ", ".join(item["model_name"] for item in found) or "no models"
            raise GatewayBenchError(f"the gateway has {names}, not {options.model!r}")
        name = model["model_name"]
        # Limits and a budget that are never reached: they cost what they cost every tenant.
        team = guests.team([name], max_budget=1000.0, rpm_limit=10_000_000, tpm_limit=1_000_000_000)
        key = guests.key(team, max_budget=100.0, max_parallel_requests=1000)
        wanted = {
            "sides": {
                "model": {"url": _direct(model), "key": _upstream_key(kube, options.namespace), "model": name},
                "gateway": {"url": "http://127.0.0.1:4000", "key": key.value, "model": name},
            },
            "pairs": options.pairs,
            "requests": options.requests,
            "parallel": options.parallel,
            "seconds": options.seconds,
        }
        # The script is in the command, the keys are not.
        command = [kubectl, "--kubeconfig", kubeconfig, "-n", options.namespace, "exec", "-i", target.pod]
        command += ["-c", "litellm", "--", "python", "-c", LOAD.read_text(encoding="utf-8")]
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=json.dumps(wanted))
    if done.returncode:
        raise GatewayBenchError(f"the load inside pod {target.pod} failed: {done.stderr[-800:]}")
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def _direct(model: t.Mapping[str, t.Any]) -> str:
    return str(model["litellm_params"]["api_base"]).removesuffix("/v1")


def _upstream_key(kube: KubeClient, namespace: str) -> str:
    secret = kube.get_json(f"/api/v1/namespaces/{namespace}/secrets/litellm-secrets")
    return base64.b64decode(secret["data"]["UPSTREAM_API_KEY"]).decode()


def results_of(measured: t.Mapping[str, t.Any]) -> dict[str, dict[str, float]]:
    """`ours` is through the gateway, `other` the model; `added` what the gateway costs, in milliseconds."""
    results: dict[str, dict[str, float]] = {}
    for form in ("plain", "streamed"):
        for label, quantile in (("p50", 0.5), ("p95", 0.95)):
            ours = [_quantile(values, quantile) for values in measured[form]["gateway"]]
            other = [_quantile(values, quantile) for values in measured[form]["model"]]
            results[f"gateway-{form}-{label}"] = _result(ours, other) | {
                "added": round(statistics.median(one - two for one, two in zip(ours, other, strict=True)), 2)
            }
    # Of one request, without what the gateway does at rest; it does not depend on who else uses the machine's cores.
    idle = statistics.median(measured["cpu"]["model"])
    results["gateway-cpu"] = {"milliseconds": round(statistics.median(measured["cpu"]["gateway"]) - idle, 2)}
    results["gateway-rate"] = _result(measured["rate"]["gateway"], measured["rate"]["model"])
    return results


def _result(ours: t.Sequence[float], other: t.Sequence[float]) -> dict[str, float]:
    """The ratio is the median of the pairs' ratios: what disturbs one pair disturbs both its sides."""
    ratio = statistics.median(one / two for one, two in zip(ours, other, strict=True))
    return {
        "ours": round(statistics.median(ours), 2),
        "other": round(statistics.median(other), 2),
        "ratio": round(ratio, 4),
    }


def _quantile(values: t.Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--namespace", default="llm-gateway")
    parser.add_argument("--model", default="", help="a name that clients use; the first one when left out")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40, help="one after the other, in each pair and form")
    parser.add_argument("--parallel", type=int, default=PARALLEL)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load in each pair")
    parser.add_argument("--kubectl", default=os.environ.get("KUBECTL") or shutil.which("kubectl"))
    options = parser.parse_args()
    kubeconfig = os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")
    if not kubeconfig or not options.kubectl:
        print("set K8S_AUTH_KUBECONFIG to a cluster's kubeconfig, and KUBECTL to kubectl's path", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made goes even then
    results = results_of(measure(kubeconfig, options.kubectl, options))
    for name, result in results.items():
        if "ratio" not in result:
            print(f"{name:24} {result['milliseconds']:8.1f} ms a request")
            continue
        unit, added = ("/s", "") if name == "gateway-rate" else ("ms", f"   added {result.get('added', 0):7.1f} ms")
        ours, other, ratio = result["ours"], result["other"], result["ratio"]
        print(f"{name:24} gateway {ours:8.1f} {unit}   model {other:8.1f} {unit}   ratio {ratio:.3f}{added}")
    known = json.loads(options.output.read_text()) if options.output.exists() else {}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(known | results, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
