# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to a LiteLLM client: port-forward or URL, and the master key. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import typing as t
from contextlib import ExitStack, contextmanager

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import (
    LiteLLM,
    LiteLLMError,
    RefusedError,
    Reply,
    UnreachableError,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    PortForwardError,
    Target,
    forward,
    kubernetes_dial,
    service_target,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

__all__ = [
    "GATEWAY_SPEC",
    "AbsentError",
    "LiteLLM",
    "LiteLLMError",
    "RefusedError",
    "Reply",
    "UnreachableError",
    "open_litellm",
    "open_planned",
]

GATEWAY_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "gateway": {
        "type": "dict",
        "apply_defaults": True,
        "mutually_exclusive": [("url", "pod")],
        "options": {
            "url": {"type": "str"},
            "namespace": {"type": "str", "default": "llm-gateway"},
            "service": {"type": "str", "default": "litellm"},
            "port": {"type": "int", "default": 4000},
            "pod": {"type": "str"},
            "timeout": {"type": "float", "default": 60.0},
            "master_key_secret": {
                "type": "dict",
                "apply_defaults": True,
                # It names a Secret; no value passes here.
                "no_log": False,
                "options": {
                    "namespace": {"type": "str"},
                    "name": {"type": "str", "default": "litellm-secrets"},
                    "key": {"type": "str", "default": "PROXY_MASTER_KEY", "no_log": False},
                },
            },
        },
    }
}


class AbsentError(LiteLLMError):
    """The gateway's Service or the Secret with its master key does not exist: it was never installed."""


@contextmanager
def open_litellm(params: t.Mapping[str, t.Any], kube: KubeClient | None = None) -> t.Iterator[LiteLLM]:
    """A client for a module's options: CONNECTION_SPEC and GATEWAY_SPEC."""
    with ExitStack() as stack:
        try:
            client = _reach(stack, params, kube or KubeClient.from_options(params))
        except (KubeError, PortForwardError) as exc:
            kind = AbsentError if isinstance(exc, ApiError) and exc.status == 404 else LiteLLMError
            raise kind(f"LiteLLM cannot be reached: {exc}") from exc
        yield client


@contextmanager
def open_planned(
    params: t.Mapping[str, t.Any], kube: KubeClient | None = None, *, check_mode: bool
) -> t.Iterator[LiteLLM | None]:
    """Like open_litellm; in check mode before the gateway is installed None, for nothing can be there."""
    with ExitStack() as stack:
        client: LiteLLM | None = None
        try:
            client = stack.enter_context(open_litellm(params, kube))
        except AbsentError:
            if not check_mode:
                raise
        yield client


def _reach(stack: ExitStack, params: t.Mapping[str, t.Any], kube: KubeClient) -> LiteLLM:
    gateway = params["gateway"]
    namespace, port, timeout = gateway["namespace"], gateway["port"], gateway["timeout"]
    master_key = read_master_key(kube, gateway)
    if gateway["url"]:
        return LiteLLM(gateway["url"], master_key, timeout=timeout)
    if gateway["pod"]:
        target = Target(namespace, gateway["pod"], port)
        where = f"pod {namespace}/{target.pod}"
    else:
        target = service_target(kube, namespace, gateway["service"], port)
        where = f"Service {namespace}/{gateway['service']} (pod {target.pod})"
    running = stack.enter_context(forward(kubernetes_dial(params), target))
    return LiteLLM(running.url, master_key, where=where, timeout=timeout, causes=running.errors)


def read_master_key(kube: KubeClient, gateway: t.Mapping[str, t.Any]) -> str:
    reference = gateway["master_key_secret"]
    namespace = reference["namespace"] or gateway["namespace"]
    place = f"Secret {namespace}/{reference['name']}"
    found = kube.get_json(f"/api/v1/namespaces/{namespace}/secrets/{reference['name']}")
    encoded = (found.get("data") or {}).get(reference["key"])
    if not encoded:
        raise LiteLLMError(f"{place} has no key {reference['key']!r}: set `gateway.master_key_secret`")
    try:
        return base64.b64decode(encoded, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise LiteLLMError(f"{place}: the value of {reference['key']!r} is no text") from exc
