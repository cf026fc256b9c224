# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which routes are open to a tenant: asked one by one, from outside and from inside. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_attempts import (
    PROBES,
    Sweep,
    closed,
    control_faults,
    controls,
    is_refused,
    is_refused_at_entrance,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import Attempt, Verdict
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import Stage

CLAIM: t.Final = Claim(
    "admin-routes-refused",
    "live",
    "Of all routes the gateway serves, a tenant's key reaches only the allow-list, from inside and outside the"
    " cluster.",
    "every route and method of LiteLLM's own description, and disguised ones, refused by the guard on every replica,"
    " from outside and from a pod; good requests on the allow-list 200 from both places; the master key is let in",
)
ADMINISTRATION: t.Final = "/key/list"


def observe(stage: Stage) -> Observation:
    seen = stage.observation()
    if stage.inside is None:
        raise ProbeError("only the way through the cluster is worth trying from inside: leave gateway.url out")
    model = stage.models[0].name
    key = stage.guest([model]).value
    admin = stage.replica.gateway
    # Once those paths are refused to a tenant, it must be known that they are there.
    admin.checked("GET", ADMINISTRATION)
    attempts = closed(admin.checked("GET", "/openapi.json"), model)
    good = controls(model)
    within = [one for one in good if not (stage.entrance and one[1].startswith(PROBES))]

    sweeps: list[Sweep] = []
    for replica in stage.replicas:
        seen.faults += control_faults(f"outside, {replica.name}", good, replica.sweep(key, good))
        sweeps.append(Sweep(f"outside, {replica.name}", attempts, replica.sweep(key, attempts)))
    sweeps.append(Sweep("outside, without a key", attempts, stage.replica.sweep("", attempts)))
    first, rest = _split(stage.inside.ask(key, [*within, *attempts]), within)
    seen.faults += control_faults("inside", within, first)
    inside = Sweep("inside", attempts, rest)

    seen.faults += [fault for sweep in sweeps for fault in sweep.faults()]
    seen.faults += inside.faults(judge=is_refused_at_entrance if stage.entrance else is_refused)
    sweeps.append(inside)
    seen.facts.append(
        f"{len(attempts)} routes and methods that are not on the allow-list: "
        + "; ".join(sweep.fact() for sweep in sweeps)
        + f"; {len(good)} good requests tried from each place"
    )
    return seen


def _split(verdicts: list[Verdict], good: t.Sequence[Attempt]) -> tuple[list[Verdict], list[Verdict]]:
    return verdicts[: len(good)], verdicts[len(good) :]
