# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reach every pod of a gateway and of the models behind it, by port-forward. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_probe import read_key
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import model_targets
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import open_litellm
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    Dial,
    PortForwardError,
    forward,
    kubernetes_dial,
    service_targets,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    Effort,
    Guests,
    Model,
    Replica,
    Stage,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import Witness
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from contextlib import ExitStack


def reach(params: t.Mapping[str, t.Any], effort: Effort, stack: ExitStack) -> Stage:
    """The stage for the probes; ProbeError or LiteLLMError when something of it is not there."""
    if not params["models"]:
        raise ProbeError("there is no model to ask")
    try:
        kube = KubeClient.from_options(params)
        dial = kubernetes_dial(params)
        replicas = _replicas(stack, params, kube, dial)
        models = [_model(stack, params, item, kube, dial) for item in params["models"]]
    except (KubeError, PortForwardError, ChatError) as exc:
        raise ProbeError(str(exc)) from exc
    return Stage(replicas, models, Guests(*(replica.admin for replica in replicas)), effort)


def _replicas(stack: ExitStack, params: t.Mapping[str, t.Any], kube: KubeClient, dial: Dial) -> list[Replica]:
    gateway = params["gateway"]
    if gateway["url"]:
        places = [(gateway["url"], gateway["url"])]
    else:
        targets = service_targets(kube, gateway["namespace"], gateway["service"], gateway["port"])
        places = [(target.pod, stack.enter_context(forward(dial, target)).url) for target in targets]
    replicas = []
    for name, url in places:
        admin = stack.enter_context(open_litellm({**params, "gateway": {**gateway, "url": url, "pod": None}}, kube))
        replicas.append(Replica(name, ChatClient(url, "", timeout=params["timeout"]), admin))
    return replicas


def _model(
    stack: ExitStack, params: t.Mapping[str, t.Any], item: t.Mapping[str, t.Any], kube: KubeClient, dial: Dial
) -> Model:
    served = item["served_name"] or item["name"]
    price = item["price"] or {}
    return Model(
        served,
        price.get("input_per_token") or 0.0,
        price.get("output_per_token") or 0.0,
        item["max_output_tokens"],
        Witness(served) if not params["serving"] else _witness(stack, params, item, kube, dial),
    )


def _witness(
    stack: ExitStack, params: t.Mapping[str, t.Any], item: t.Mapping[str, t.Any], kube: KubeClient, dial: Dial
) -> Witness:
    serving, served = params["serving"], item["served_name"] or item["name"]
    targets = model_targets(kube, serving, item)
    urls = [stack.enter_context(forward(dial, target)).url for target in targets]
    pods = [ChatClient(url, served, timeout=params["timeout"]) for url in urls]
    # The pods of one Service run one image.
    _version, simulated = pods[0].version()
    key = read_key(kube, {**serving, "name": served}) if serving["api_key_secret"] else None
    return Witness(served, pods, key, simulated)
