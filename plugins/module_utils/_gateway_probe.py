# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about the gateway's guard: reach, probe, clean up. Private to the collection."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils import (
    _gateway_probe_cache,
    _gateway_probe_fallback,
    _gateway_probe_routes,
    _gateway_probe_spoof,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_probe import read_key
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_inside import Inside
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import (
    Model,
    ModelPod,
    model_targets,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import Replica, Stage
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import carry_out
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import open_litellm
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    Dial,
    PortForwardError,
    forward,
    kubernetes_dial,
    service_targets,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from contextlib import ExitStack

PROBES: t.Final[dict[str, tuple[Claim, t.Callable[[Stage], Observation]]]] = {
    "admin_routes": (_gateway_probe_routes.CLAIM, _gateway_probe_routes.observe),
    "spoof": (_gateway_probe_spoof.CLAIM, _gateway_probe_spoof.observe),
    "fallback": (_gateway_probe_fallback.CLAIM, _gateway_probe_fallback.observe),
    "cache": (_gateway_probe_cache.CLAIM, _gateway_probe_cache.observe),
}
ENTRANCE_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 80},
}
FALLBACK_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "model": {"type": "str", "required": True},
    "to": {"type": "list", "elements": "str", "required": True},
}


def probe(params: t.Mapping[str, t.Any]) -> tuple[list[Check], list[str]]:
    return carry_out(PROBES, params["kinds"], partial(_reach, params))


def _reach(params: t.Mapping[str, t.Any], stack: ExitStack) -> Stage:
    if not params["models"]:
        raise ProbeError("there is no model to ask")
    gateway = params["gateway"]
    try:
        kube = KubeClient.from_options(params)
        dial = kubernetes_dial(params)
        replicas = _replicas(stack, params, kube, dial)
        models = [model_of(stack, params, item, kube, dial) for item in params["models"]]
    except (KubeError, PortForwardError, ChatError) as exc:
        raise ProbeError(str(exc)) from exc
    entrance = params["entrance"] or {"host": f"{gateway['service']}.{gateway['namespace']}", "port": gateway["port"]}
    place = (entrance["host"], entrance["port"])
    inside = Inside(kube, params["image"], *place, params["timeout"]) if not gateway["url"] else None
    fallbacks = tuple((item["model"], tuple(item["to"])) for item in params["fallbacks"])
    return Stage(replicas, models, Guests(replicas[0].gateway), inside, fallbacks, bool(params["entrance"]))


def _replicas(stack: ExitStack, params: t.Mapping[str, t.Any], kube: KubeClient, dial: Dial) -> list[Replica]:
    gateway = params["gateway"]
    if gateway["url"]:
        places = [(gateway["url"], gateway["url"])]
    else:
        targets = service_targets(kube, gateway["namespace"], gateway["service"], gateway["port"])
        places = [(target.pod, stack.enter_context(forward(dial, target)).url) for target in targets]
    return [
        Replica(
            name,
            stack.enter_context(open_litellm({**params, "gateway": {**gateway, "url": url, "pod": None}}, kube)),
        )
        for name, url in places
    ]


def model_of(
    stack: ExitStack, params: t.Mapping[str, t.Any], item: t.Mapping[str, t.Any], kube: KubeClient, dial: Dial
) -> Model:
    serving, served = params["serving"], item["served_name"] or item["name"]
    key = read_key(kube, {**serving, "name": served}) if serving["api_key_secret"] else None
    targets = model_targets(kube, serving, item)
    urls = [(target.pod, stack.enter_context(forward(dial, target)).url) for target in targets]
    # The pods of one Service run one image.
    _version, simulated = ChatClient(urls[0][1], served, timeout=params["timeout"]).version()
    return Model(served, tuple(ModelPod(pod, url, key) for pod, url in urls), simulated, item["name"])
