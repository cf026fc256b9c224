# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about the entrances: reach, probe, clean up. Private to the collection."""

from __future__ import annotations

import base64
import ssl
import typing as t
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils import (
    _edge_probe_body,
    _edge_probe_rate,
    _edge_probe_routes,
    _edge_probe_spoof,
    _edge_probe_tls,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_entrance import Entrance
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_stage import Limits, Stage
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe import model_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_inside import Inside
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import carry_out
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import open_litellm, read_master_key
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    Dial,
    PortForwardError,
    forward,
    kubernetes_dial,
    service_target,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from contextlib import ExitStack

PROBES: t.Final[dict[str, tuple[Claim, t.Callable[[Stage], Observation]]]] = {
    "tls": (_edge_probe_tls.CLAIM, _edge_probe_tls.observe),
    "allow_list": (_edge_probe_routes.CLAIM, _edge_probe_routes.observe),
    "body": (_edge_probe_body.CLAIM, _edge_probe_body.observe),
    "spoof": (_edge_probe_spoof.CLAIM, _edge_probe_spoof.observe),
    "rate": (_edge_probe_rate.CLAIM, _edge_probe_rate.observe),
}


def probe(params: t.Mapping[str, t.Any]) -> tuple[list[Check], list[str]]:
    return carry_out(PROBES, params["kinds"], partial(_reach, params))


def _reach(params: t.Mapping[str, t.Any], stack: ExitStack) -> Stage:
    if not params["models"]:
        raise ProbeError("there is no model to ask")
    edge = params["edge"]
    try:
        kube = KubeClient.from_options(params)
        dial = kubernetes_dial(params)
        ways = _Ways(stack, kube, dial, edge["namespace"], params["timeout"])
        internal = ways.to("the internal entrance", edge["internal"])
        public = plain = None
        if edge["public"]:
            given = edge["public"]
            context = _context(kube, edge["namespace"], given["secret"])
            public = ways.to("the public entrance", given, context)
            plain = ways.to("the public entrance", {**given, "port": given["http_port"]})
        admin = stack.enter_context(open_litellm(params, kube))
        models = [model_of(stack, params, item, kube, dial) for item in params["models"]]
    except (KubeError, PortForwardError, ChatError) as exc:
        raise ProbeError(str(exc)) from exc
    host = f"{edge['internal']['service']}.{edge['namespace']}"
    return Stage(
        internal=internal,
        public=public,
        plain=plain,
        admin=admin,
        master_key=partial(read_master_key, kube, params["gateway"]),
        models=models,
        guests=Guests(admin),
        inside=partial(Inside, kube, params["image"], host, edge["internal"]["port"], params["timeout"]),
        limits=Limits(**params["limits"]),
    )


@dataclass(frozen=True, slots=True)
class _Ways:
    """Opens the ways to the entrances, for as long as the probes last."""

    stack: ExitStack
    kube: KubeClient
    dial: Dial
    namespace: str
    timeout: float

    def to(self, name: str, place: t.Mapping[str, t.Any], context: ssl.SSLContext | None = None) -> Entrance:
        target = service_target(self.kube, self.namespace, place["service"], place["port"])
        url = self.stack.enter_context(forward(self.dial, target)).url
        found = urlsplit(url)
        host = place.get("host") or f"{place['service']}.{self.namespace}"
        return Entrance(name, host, (found.hostname or "", found.port or 80), context, self.timeout, url)


def _context(kube: KubeClient, namespace: str, secret: str) -> ssl.SSLContext:
    """Trusts the authority that the Secret names, else those that this machine trusts."""
    data = kube.get_json(f"/api/v1/namespaces/{namespace}/secrets/{secret}").get("data") or {}
    authority = base64.b64decode(data.get("ca.crt") or b"").decode("ascii", "replace")
    try:
        return ssl.create_default_context(cadata=authority or None)
    except ssl.SSLError as exc:
        raise ProbeError(f"Secret {namespace}/{secret} holds no authority in PEM as ca.crt: {exc}") from exc
