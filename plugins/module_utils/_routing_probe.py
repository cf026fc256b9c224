# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about the inference gateway: reach, probe, clean up. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from contextlib import ExitStack
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils import (
    _routing_probe_canary,
    _routing_probe_outages,
    _routing_probe_paths,
    _routing_probe_picks,
    _routing_probe_priority,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_probe import read_key
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
    run_probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import (
    Model,
    ModelPod,
    model_targets,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    Dial,
    PortForwardError,
    Target,
    forward,
    kubernetes_dial,
    service_targets,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import Asker
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import (
    REPLICAS,
    Stage,
    begin,
    end,
    own_model,
    scene_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Probe = tuple[Claim, t.Callable[[Stage], Observation]]

# Those that need nothing but what is there come first: meanwhile the pods of the probe's own model start.
PROBES: t.Final[dict[str, Probe]] = {
    "exposed": (_routing_probe_paths.EXPOSED, _routing_probe_paths.observe_exposed),
    "routed": (_routing_probe_paths.ROUTED, _routing_probe_paths.observe_routed),
    "unknown": (_routing_probe_paths.UNKNOWN, _routing_probe_paths.observe_unknown),
}
OWN_PROBES: t.Final[dict[str, Probe]] = {
    "foreign": (_routing_probe_paths.FOREIGN, _routing_probe_paths.observe_foreign),
    "least": (_routing_probe_picks.LEAST, _routing_probe_picks.observe_least),
    "affinity": (_routing_probe_picks.AFFINITY, _routing_probe_picks.observe_affinity),
    "canary": (_routing_probe_canary.CANARY, _routing_probe_canary.observe_canary),
    "picker": (_routing_probe_outages.PICKER, _routing_probe_outages.observe_picker),
    "priority": (_routing_probe_priority.PRIORITY, _routing_probe_priority.observe_priority),
    # The last one: it takes the pods away.
    "empty": (_routing_probe_paths.EMPTY, _routing_probe_paths.observe_empty),
}
CANARY: t.Final = "canary"
KINDS: t.Final = (*PROBES, *OWN_PROBES)
LIVE: t.Final = tuple(
    kind for kind, (claim, _observe) in {**PROBES, **OWN_PROBES}.items() if claim.probe_class != "destructive"
)
GATEWAY_SPEC: t.Final[dict[str, t.Any]] = {
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "service": {"type": "str", "required": True},
    "port": {"type": "int", "default": 80},
}


def probe(params: Mapping[str, t.Any]) -> tuple[list[Check], list[str]]:
    """All checks asked for, and warnings. What cannot be reached is a failed check."""
    kinds = [kind for kind in KINDS if kind in params["kinds"]]
    began = time.monotonic()
    with ExitStack() as stack:
        try:
            stage = _reach(stack, params)
        except ProbeError as exc:
            claims = [{**PROBES, **OWN_PROBES}[kind][0] for kind in kinds]
            return [claim.not_run(str(exc), time.monotonic() - began) for claim in claims], []
        return carry_out(stage, kinds)


def carry_out(stage: Stage, kinds: Sequence[str]) -> tuple[list[Check], list[str]]:
    """Those about what is there, and around those about the probe's own model its begin and its end."""
    others = [kind for kind in kinds if kind in PROBES]
    owned = [kind for kind in kinds if kind in OWN_PROBES]
    warnings: list[str] = []
    made, reason = False, ""
    if CANARY in owned:
        stage.scene = stage.scene._replace(canary=REPLICAS)
    if owned:
        try:
            begin(stage)
            made = True
        except (KubeError, ProbeError) as exc:
            reason = str(exc)
    try:
        checks = [_run(PROBES[kind], stage) for kind in others]
        return [*checks, *(_own_checks(stage, owned) if made else _not_run(owned, reason))], warnings
    finally:
        if made:
            try:
                end(stage)
            except KubeError as exc:
                warnings.append(f"the probe's model {stage.scene.name} could not be removed, a later probe will: {exc}")


def _own_checks(stage: Stage, kinds: Sequence[str]) -> list[Check]:
    began = time.monotonic()
    checks: list[Check] = []
    try:
        with own_model(stage):
            checks += [_run(OWN_PROBES[kind], stage) for kind in kinds]
    except (KubeError, PortForwardError, ProbeError) as exc:
        checks += _not_run(kinds[len(checks) :], str(exc), time.monotonic() - began)
    return checks


def _not_run(kinds: Sequence[str], reason: str, seconds: float = 0.0) -> list[Check]:
    return [OWN_PROBES[kind][0].not_run(reason, seconds) for kind in kinds]


def _run(item: Probe, stage: Stage) -> Check:
    claim, observe = item
    return run_probe(claim, partial(observe, stage), (KubeError, PortForwardError))


def _reach(stack: ExitStack, params: Mapping[str, t.Any]) -> Stage:
    gateway, serving = params["gateway"], params["serving"]
    if not params["models"]:
        raise ProbeError("there is no model to ask")
    if not serving["api_key_secret"]:
        raise ProbeError(
            "serving.api_key_secret is needed: the simulator shows what it received to holders of its key only"
        )
    try:
        kube = KubeClient.from_options(params)
        dial = kubernetes_dial(params)
        key = read_key(kube, {**serving, "name": "any"})

        def by_pod(inner: ExitStack, namespace: str, service: str, port: int) -> dict[str, str]:
            return _urls(inner, dial, service_targets(kube, namespace, service, port))

        urls = by_pod(stack, gateway["namespace"], gateway["service"], gateway["port"])
        models = [
            _model(_urls(stack, dial, model_targets(kube, serving, item)), item, key, params)
            for item in params["models"]
        ]
    except (KubeError, PortForwardError, ChatError) as exc:
        raise ProbeError(str(exc)) from exc
    asker = Asker(next(iter(urls.values())), key, params["timeout"])
    return Stage(kube, by_pod, scene_of(params), asker, gateway["service"], lambda: key, models, params["timeout"])


def _urls(stack: ExitStack, dial: Dial, targets: Sequence[Target]) -> dict[str, str]:
    return {target.pod: stack.enter_context(forward(dial, target)).url for target in targets}


def _model(urls: Mapping[str, str], item: Mapping[str, t.Any], key: str | None, params: Mapping[str, t.Any]) -> Model:
    served = item["served_name"] or item["name"]
    # The pods of one Service run one image.
    _version, simulated = ChatClient(next(iter(urls.values())), served, timeout=params["timeout"]).version()
    pods = tuple(ModelPod(pod, url, key) for pod, url in urls.items())
    return Model(served, pods, simulated, item["name"])
