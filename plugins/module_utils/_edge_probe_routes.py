# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Do the entrances lead to the allow-list and to nothing else? Private to the collection."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import PATIENCE
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_attempts import (
    ALLOWED,
    PROBES,
    Sweep,
    attempt,
    closed,
    control_faults,
    controls,
    is_refused_at_entrance,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_stage import Stage
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import Attempt

POD: t.Final = "a tenant's pod"
CLAIM: t.Final = Claim(
    "edge-allow-list",
    "live",
    "Both entrances lead to an exact list of methods and paths and refuse everything else themselves, the master key"
    " too.",
    "every route and method of LiteLLM's own description, disguised ones and its probes refused with 404 or 400 at each"
    " entrance and from a pod like a tenant's; LiteLLM answers the master key on routes where the entrances do not;"
    " good requests on the list get 200",
)
# What the master key may ask of LiteLLM itself, and what changes nothing should an entrance let it through.
MASTER: t.Final = ("/key/list", "/openapi.json", "/model/info", "/health/readiness", "/team/list")


def observe(stage: Stage) -> Observation:
    seen = stage.observation()
    model = stage.models[0].name
    key = stage.guests.guest([model]).value
    attempts = [*closed(stage.admin.checked("GET", "/openapi.json"), model), *_probes()]
    good = [one for one in controls(model) if not one[1].startswith(PROBES)]
    master = [attempt("GET", path) for path in MASTER]
    for path in MASTER:
        # Or a refusal of it would say nothing.
        stage.admin.checked("GET", path)

    sweeps: list[Sweep] = []
    # Each has a limit of its own, which all of them reach.
    with ThreadPoolExecutor() as pool:
        pod = pool.submit(lambda: stage.inside(PATIENCE).ask(key, [*good, *attempts]))
        asked = pool.map(lambda entrance: entrance.sweep(key, [*good, *attempts]), stage.entrances)
        places = [*zip((entrance.name for entrance in stage.entrances), asked, strict=True), (POD, pod.result())]
    for place, verdicts in places:
        seen.faults += control_faults(place, good, verdicts[: len(good)])
        sweeps.append(Sweep(place, attempts, verdicts[len(good) :]))
    sweeps += [
        Sweep(f"{entrance.name}, master key", master, entrance.sweep(stage.master_key(), master))
        for entrance in stage.entrances
    ]

    seen.faults += [fault for sweep in sweeps for fault in sweep.faults(judge=is_refused_at_entrance)]
    seen.facts.append(
        f"{len(attempts)} routes and methods that are not on the list: "
        + "; ".join(sweep.fact() for sweep in sweeps)
        + f"; {len(good)} good requests tried from each place"
    )
    return seen


def _probes() -> list[Attempt]:
    """What LiteLLM answers without a key, to kubelets alone."""
    return [attempt(method, path) for method, path in sorted(ALLOWED) if path.startswith(PROBES)]
