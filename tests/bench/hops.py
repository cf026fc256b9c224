# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What each hop costs, from the model alone to the public entrance: latency, requests a second, processor time.

The load runs in a pod of its own beside the platform, its sides in turn. The model is the bench's own, answers at once,
and counts what arrives from every side. The cluster is that of K8S_AUTH_KUBECONFIG or KUBECONFIG, and must not be used
by anybody else meanwhile. Ratios count, for machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import sys
import time
import typing as t
from contextlib import ExitStack
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import open_litellm
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import service_target
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import PORT, Scene, route
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests

from ._arithmetic import paired_difference, paired_ratio, quantile
from ._ground import GroundError, Object, Place, Serving, let_in, load_place, own_model, result_of
from ._platform import NAME, entrances, inference_gateway, litellm_addresses, litellm_image
from ._usage import Watch

MASTER: t.Final = {"namespace": None, "name": "litellm-secrets", "key": "PROXY_MASTER_KEY"}
LOAD: t.Final = Path(__file__).with_name("_load_closed.py")
FAIRNESS: t.Final = "x-gateway-inference-fairness-id"
BASE: t.Final = re.compile(r"^http://[^/]+(?P<path>/m/[^/]+)/v1/?$")
REST: t.Final = "rest"
"""Nobody asks: what the processes need by themselves."""
LABELS: t.Final = {
    "model": "the model itself",
    "gateway": "inference gateway, picker",
    "litellm": "LiteLLM, gateway, picker",
    "internal": "internal entrance, all else",
    "public": "public entrance (TLS), all",
}
# Those between whom and the model one hop more lies; both entrances stand before LiteLLM.
BELOW: t.Final = {"gateway": "model", "litellm": "gateway", "internal": "litellm", "public": "litellm"}
Side = dict[str, t.Any]
Results = dict[str, dict[str, float]]


def team_route(scene: Scene, path: str, team: str) -> Object:
    """LiteLLM asks for a model of its list; of this one team, whom it names in a header, such requests are ours."""
    obj = route(scene, f"{scene.name}-team", scene.namespace)
    rule = obj["spec"]["rules"][0]
    header = {"type": "Exact", "name": FAIRNESS, "value": team}
    rule["matches"] = [{"path": {"type": "PathPrefix", "value": f"{path}/v1"}, "headers": [header]}]
    obj["spec"]["rules"] = [rule]
    return obj


def measure(kubeconfig: str, options: argparse.Namespace) -> Results:
    kube = KubeClient.from_options({"kubeconfig": kubeconfig})
    pod = service_target(kube, options.namespace, "litellm", 4000).pod
    gateway = {"url": None, "namespace": options.namespace, "service": "litellm", "port": 4000, "pod": pod}
    params = {"kubeconfig": kubeconfig, "gateway": {**gateway, "timeout": 60.0, "master_key_secret": MASTER}}
    with ExitStack() as stack:
        admin = stack.enter_context(open_litellm(params, kube))
        guests = Guests(admin)
        stack.callback(guests.remove)
        name, path = _model(admin.models(), options.model)
        # Limits and a budget that are never reached: they cost what they cost every tenant.
        team = guests.team([name], max_budget=1000.0, rpm_limit=10_000_000, tpm_limit=1_000_000_000)
        key = guests.key(team, max_budget=100.0, max_parallel_requests=1000)
        inner, home = inference_gateway(kube)
        ways = entrances(kube, options.namespace)
        serving = Serving.found(kube, home, options.image)
        image = litellm_image(kube, options.namespace)
        place = stack.enter_context(load_place(kube, (options.kubectl, "--kubeconfig", kubeconfig), image))
        scene = serving.scene(place, (inner.namespace, inner.gateway), 1, 256)
        arguments = [f"--served-model-name={name}", "--simulator-profile=fast"]
        stack.enter_context(own_model(place, scene, arguments, team_route(scene, path, team.id)))
        stack.enter_context(let_in(place, options.namespace, {NAME: "litellm"}))
        for way in (inner, *ways.values()):
            stack.enter_context(let_in(place, way.namespace, way.pods))
        model: Side = {"urls": [f"http://{scene.name}.{home}:{PORT}"], "path": "", "key": serving.secret}
        inside: Side = {"urls": [inner.url], "path": f"/m/{scene.name}", "key": serving.secret}
        litellm: Side = {"urls": litellm_addresses(kube, options.namespace), "path": "", "key": key.value}
        sides = {"model": model, "gateway": inside, "litellm": litellm}
        sides |= {side: {**litellm, "urls": [way.url], "host": way.host} for side, way in ways.items()}
        wanted = {
            "sides": {side: {**value, "model": name} for side, value in sides.items()},
            "counted": model["urls"][0],
            "patience": 30,
            "rounds": options.rounds,
            "requests": options.requests,
            "parallel": options.parallel,
            "seconds": options.seconds,
            "steady": options.steady,
        }
        results = results_of(place.run(LOAD, wanted), list(sides))
        if options.steady:
            # PostgreSQL and Redis are where LiteLLM is.
            spaces = {home, options.namespace, *(way.namespace for way in (inner, *ways.values()))}
            loads = {side: processors(place, Watch(kube, spaces, scene.name), wanted, side) for side in (REST, *sides)}
            results |= costs(loads)
    return results


def _model(found: t.Sequence[t.Mapping[str, t.Any]], wanted: str) -> tuple[str, str]:
    """Its name for clients, and the path under which LiteLLM asks for it."""
    for item in found:
        base = BASE.match(str(item["litellm_params"].get("api_base") or ""))
        if base and wanted in ("", item["model_name"]):
            return item["model_name"], base["path"]
    names = ", ".join(item["model_name"] for item in found) or "none"
    raise GroundError(f"LiteLLM has no model {wanted!r} behind an inference gateway; it has {names}")


class Load(t.NamedTuple):
    """A steady load: how many requests a second it had, and how many processors each process kept busy."""

    rate: float
    busy: t.Mapping[str, float]


def processors(place: Place, watch: Watch, wanted: t.Mapping[str, t.Any], side: str) -> Load:
    """One side under load for `steady` seconds, and meanwhile what the kubelets see."""
    seconds = wanted["steady"]
    if side == REST:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            watch.look()
            time.sleep(1)
        return Load(0.0, watch.shares())
    alone = {**wanted, "sides": {side: wanted["sides"][side]}, "rounds": 1, "requests": 1, "seconds": seconds}
    process = place.start(LOAD)
    try:
        # It reads all of its input before it begins.
        assert process.stdin is not None
        process.stdin.write(json.dumps(alone))
        process.stdin.close()
        process.stdin = None
        while process.poll() is None:
            watch.look()
            time.sleep(1)
        found = result_of(process, process.communicate())
    finally:
        process.kill()
    return Load(found["rate"][side][0], watch.shares())


def costs(loads: t.Mapping[str, Load]) -> Results:
    """Milliseconds of processor time of one request, by side and process, without what is used at rest."""
    rest = loads[REST].busy
    return {
        f"hop-{side}-cpu": {
            name: round((share - rest.get(name, 0.0)) * 1000 / load.rate, 3) for name, share in load.busy.items()
        }
        for side, load in loads.items()
        if load.rate
    }


def results_of(measured: t.Mapping[str, t.Any], sides: t.Sequence[str]) -> Results:
    """For each side `ours`, its ratio to the model itself and to the hop below, and in milliseconds what each adds."""
    results: Results = {}
    for form in ("plain", "streamed"):
        for label, share in (("p50", 0.5), ("p95", 0.95)):
            found = {side: [quantile(values, share) for values in measured[form][side]] for side in sides}
            results |= {f"hop-{side}-{form}-{label}": _compared(found, side, added=True) for side in sides}
    return results | {f"hop-{side}-rate": _compared(measured["rate"], side, added=False) for side in sides}


def _compared(found: t.Mapping[str, t.Sequence[float]], side: str, *, added: bool) -> dict[str, float]:
    result = {"ours": round(statistics.median(found[side]), 2)}
    for name, other in (("model", "model"), ("below", BELOW.get(side, ""))):
        if other and side != "model":
            result[f"ratio-{name}"] = round(paired_ratio(found[side], found[other]), 4)
            if added:
                result[f"added-{name}"] = round(paired_difference(found[side], found[other]), 2)
    return result


def report(results: Results) -> t.Iterator[str]:
    sides = [side for side in LABELS if f"hop-{side}-rate" in results]
    yield f"{'':30}{'plain p50 / p95, streamed p50 / p95 (ms)':>44}{'added to the hop below (ms)':>34}"
    for side in sides:
        rows = [results[f"hop-{side}-{form}-{label}"] for form in ("plain", "streamed") for label in ("p50", "p95")]
        took = "".join(f"{row['ours']:11.2f}" for row in rows)
        added = "".join(f"{row['added-below']:+9.2f}" for row in rows if "added-below" in row)
        yield f"{LABELS[side]:30}{took}{added:>38}"
    yield f"{'':30}{'requests/s':>11}{'of the model':>14}{'of the hop below':>18}"
    for side in sides:
        row = results[f"hop-{side}-rate"]
        yield f"{LABELS[side]:30}{row['ours']:11.1f}{row.get('ratio-model', 1):14.3f}{row.get('ratio-below', 1):18.3f}"
    processes = {name for side in sides for name in results.get(f"hop-{side}-cpu") or ()}
    for side in sides:
        used = results.get(f"hop-{side}-cpu") or {}
        parts = [
            f"{name} {value:.2f}" for name, value in sorted(used.items(), key=lambda item: -item[1]) if value > 0.02
        ]
        parts += [f"{name} not seen" for name in sorted(processes - set(used))]
        if used:
            yield f"{LABELS[side]:30} processor time of a request, ms: {', '.join(parts)}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hops", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--namespace", default="llm-gateway")
    parser.add_argument("--model", default="", help="a name that clients use; the first one of ours when left out")
    parser.add_argument("--image", default="", help="of the simulator; that of a deployed model when left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40, help="one after the other, in each round, side and form")
    parser.add_argument("--parallel", type=int, default=16, help="as many as keep a replica of LiteLLM busy")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load in each round and side")
    parser.add_argument("--steady", type=float, default=40.0, help="seconds of load for processor times; 0 for none")
    parser.add_argument("--kubectl", default=os.environ.get("KUBECTL") or shutil.which("kubectl"))
    options = parser.parse_args()
    kubeconfig = os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")
    if not kubeconfig or not options.kubectl:
        print("set K8S_AUTH_KUBECONFIG to a cluster's kubeconfig, and KUBECTL to kubectl's path", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made goes even then
    results = measure(kubeconfig, options)
    for line in report(results):
        print(line)
    known = json.loads(options.output.read_text()) if options.output.exists() else {}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(known | results, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
