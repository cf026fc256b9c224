# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to a check about the way out: reach, play the providers. Private to the collection."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_observe import (
    BUDGETED,
    CONNECT,
    Provider,
    Stage,
    observe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_scene import Place, Scene, StandIn
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import carry_out
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import exec_runner
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import PortForwardError, kubernetes_dial
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Pods
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_reach import reach
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Effort

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager, ExitStack


def probe(params: t.Mapping[str, t.Any]) -> tuple[list[Check], list[str]]:
    """The check, and warnings."""
    return carry_out({"budgeted": (BUDGETED, observe)}, ["budgeted"], partial(_reach, params))


def _reach(params: t.Mapping[str, t.Any], stack: ExitStack) -> Stage:
    found = reach({**params, "serving": None}, Effort(), stack)
    kube = KubeClient.from_options(params)
    egress, gateway = params["egress"], params["gateway"]
    pods = Pods(gateway["namespace"], egress["client_selector"], egress["client_container"])

    def direct(places: t.Sequence[tuple[str, int]]) -> list[str]:
        done = exec_runner(kube, params)(pods, 'exec python3 -c "$1"', [CONNECT], json.dumps(places) + "\n")
        if done.code:
            raise ProbeError(f"LiteLLM's pod could not try to connect: {done.errors.strip()[-200:]}")
        return t.cast("list[str]", json.loads(done.output))

    def service_address() -> str:
        path = f"/api/v1/namespaces/{egress['namespace']}/services/{egress['service']}"
        return str(kube.get_json(path)["spec"]["clusterIP"])

    def stand_in() -> AbstractContextManager[StandIn]:
        try:
            dial = kubernetes_dial(params)
        except PortForwardError as exc:
            raise ProbeError(str(exc)) from exc
        secrets = {item["host"]: item["certificate"] for item in params["models"]}
        place = Place(egress["namespace"], egress["service"], egress["pods"], secrets)
        return Scene(kube, dial, params["image"], params["timeout"]).stand_in(place)

    providers = [
        Provider(model, item["host"], _credential(kube, gateway["namespace"], item["credential"]))
        for model, item in zip(found.models, params["models"], strict=True)
    ]
    return Stage(found.replicas, providers, found.guests, stand_in, direct, service_address)


def _credential(kube: KubeClient, namespace: str, place: t.Mapping[str, str]) -> str:
    """A hash: the value itself is nobody's business here."""
    path = f"/api/v1/namespaces/{namespace}/secrets/{place['name']}"
    value = (kube.get_json(path).get("data") or {}).get(place["key"])
    if not value:
        raise ProbeError(f"Secret {namespace}/{place['name']} has no key {place['key']}; run site.yml")
    return hashlib.sha256(base64.b64decode(value)).hexdigest()
