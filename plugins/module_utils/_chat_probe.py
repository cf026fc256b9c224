# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about models: reach servers, fetch keys, probe. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import time
import typing as t
from contextlib import ExitStack
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_checks import CLAIMS, PROBES, Effort, Model
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check, ProbeError, run_probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    PortForwardError,
    forward,
    kubernetes_dial,
    service_target,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

MODEL_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "name": {"type": "str", "required": True},
    "served_name": {"type": "str"},
    "url": {"type": "str"},
    "namespace": {"type": "str"},
    "service": {"type": "str"},
    "port": {"type": "int", "default": 8000},
    "slots": {"type": "int", "default": 8},
    "api_key_secret": {
        "type": "dict",
        # It names a Secret; no value passes here.
        "no_log": False,
        "options": {
            "namespace": {"type": "str"},
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "default": "api-key", "no_log": False},
        },
    },
}


def probe(params: t.Mapping[str, t.Any]) -> tuple[list[Check], dict[str, dict[str, t.Any]]]:
    """All checks asked for, and what each server says about itself. What cannot be reached is a failed check."""
    claims = [CLAIMS[kind] for kind in params["kinds"]]
    effort = Effort(requests=params["requests"], max_tokens=params["max_tokens"])
    began = time.monotonic()
    with ExitStack() as stack:
        try:
            models = _reach(stack, params)
        except ProbeError as exc:
            return [claim.not_run(str(exc), time.monotonic() - began) for claim in claims], {}
        checks = [
            run_probe(CLAIMS[kind], partial(PROBES[kind], _fit(kind, models, params.get("max_slots")), effort))
            for kind in params["kinds"]
        ]
    engines = {model.name: {"version": model.version, "simulated": model.simulated} for model in models}
    return checks, engines


def _fit(kind: str, models: list[Model], max_slots: int | None) -> list[Model]:
    """The models that are small enough for a probe; only to fill a queue takes effort by size."""
    return [model for model in models if max_slots is None or kind != "queues" or model.slots <= max_slots]


def _reach(stack: ExitStack, params: t.Mapping[str, t.Any]) -> list[Model]:
    models: list[Model] = []
    services = any(item["service"] for item in params["models"])
    secrets = any(item["api_key_secret"] for item in params["models"])
    try:
        # Importing the kubernetes package takes a second: only when a model is behind a Service, and once.
        dial = kubernetes_dial(params) if services else None
        client = KubeClient.from_options(params) if services or secrets else None
        for item in params["models"]:
            url = item["url"]
            if dial and client and item["service"]:
                target = service_target(client, item["namespace"], item["service"], item["port"])
                url = stack.enter_context(forward(dial, target)).url
            key = read_key(client, item) if client and item["api_key_secret"] else None
            server = ChatClient(url, item["served_name"] or item["name"], timeout=params["timeout"])
            version, simulated = server.version()
            models.append(Model(item["name"], server, key, version, simulated, item["slots"]))
    except (KubeError, PortForwardError, ChatError) as exc:
        raise ProbeError(str(exc)) from exc
    return models


def read_key(client: KubeClient, item: t.Mapping[str, t.Any]) -> str:
    reference = item["api_key_secret"]
    namespace = reference["namespace"] or item["namespace"]
    if not namespace:
        raise ProbeError(f"model {item['name']!r}: api_key_secret needs a namespace")
    place = f"Secret {namespace}/{reference['name']}"
    found = client.get_json(f"/api/v1/namespaces/{namespace}/secrets/{reference['name']}")
    encoded = (found.get("data") or {}).get(reference["key"])
    if not encoded:
        raise ProbeError(f"{place} has no key {reference['key']!r}")
    try:
        return base64.b64decode(encoded, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise ProbeError(f"{place}: the value of {reference['key']!r} is no text") from exc
