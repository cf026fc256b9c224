# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for the inference gateway, and what the roles around it must agree on. Private to the collection."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import options_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_objectives import check_objectives

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import RoleOptions
    from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Options = dict[str, t.Any]

GATEWAY: t.Final = "inference"
# Istio names the Deployment and the Service of a Gateway after it and its class, agentgateway after it alone.
SERVICES: t.Final = {"istio": f"{GATEWAY}-istio", "agentgateway": GATEWAY}
PORT: t.Final = 80
PODS: t.Final = {"gateway.networking.k8s.io/gateway-name": GATEWAY}
MAX_REPLICAS: t.Final = 20
MAX_WEIGHT: t.Final = 100
# How much sooner than the LLM gateway the inference gateway gives up, so that the error is the inner one's.
MARGIN_SECONDS: t.Final = 10


class Around(t.NamedTuple):
    """What the inference gateway depends on."""

    tier: str
    substrate: str = ""
    features: Mapping[str, bool] = MappingProxyType({})
    models: Sequence[Mapping[str, t.Any]] = ()


def routing_options(values: Mapping[str, t.Any], roles: Iterable[RoleOptions]) -> Options:
    """The options that matter here with the roles' own defaults where the inventory says nothing."""
    return options_of(values, roles, "gateway", "istio", "llm_gateway", "serving")


def check_routing(options: Options, around: Around, validator: Validator) -> Options:
    """The plan's entry `routing`; what is wrong is added to the validator."""
    for name in ("gateway_replicas", "gateway_picker_replicas", "istio_replicas"):
        _between(name, options.get(name), 0, MAX_REPLICAS, validator)
    _between("gateway_retry_after", options.get("gateway_retry_after"), 1, 3600, validator)
    _check_scorers(options.get("gateway_picker_scorers") or {}, validator)
    _check_implementation(options, around, validator)
    default = 2 if around.tier == "prod" else 1
    namespace = options.get("gateway_namespace")
    service = SERVICES.get(options.get("gateway_implementation") or "", "")
    timeout = _timeout(options, validator)
    return {
        "implementation": options.get("gateway_implementation"),
        "namespace": namespace,
        "gateway": GATEWAY,
        "service": service,
        "port": PORT,
        "url": f"http://{service}.{namespace}",
        "pods": dict(PODS),
        "serving_namespace": options.get("serving_namespace"),
        "replicas": options.get("gateway_replicas") or default,
        "picker_replicas": options.get("gateway_picker_replicas") or default,
        "request_timeout": timeout,
        **check_objectives(options, timeout, validator),
    }


def _check_implementation(options: Options, around: Around, validator: Validator) -> None:
    """What only Istio does, and what only agentgateway needs."""
    name, chosen = "gateway_implementation", options.get("gateway_implementation")
    wanted = bool(around.features.get("agentgateway"))
    if chosen != "agentgateway":
        if wanted and chosen:
            fix = "set gateway_implementation: agentgateway, or the feature to false"
            validator.add("llm_features.agentgateway", True, f"is on, and the inference gateway is {chosen}'s", fix)
        return
    if around.substrate == "local":
        what = "needs agentgateway's control plane, which the local cluster does not have"
        validator.add(name, chosen, what, "use istio")
    elif not wanted:
        what = "needs agentgateway on the cluster, and llm_features does not have it"
        validator.add(name, chosen, what, "install it and set llm_features.agentgateway: true, or use istio")
    if options.get("gateway_picker_failure_mode") == "close":
        what = "is refused with status 500 by agentgateway, which nobody tries again, instead of 503 with Retry-After"
        validator.add("gateway_picker_failure_mode", "close", what, "use open, or gateway_implementation: istio")
    for index, model in enumerate(around.models):
        if model.get("canary"):
            what = "is split by Envoy's own means, which agentgateway does not have"
            fix = "remove it, or use gateway_implementation: istio"
            validator.add(f"llm_models[{index}].canary", "(given)", what, fix)


def _timeout(options: Options, validator: Validator) -> int:
    name = "gateway_request_timeout"
    outer, own = options.get("llm_gateway_request_timeout") or 0, options.get(name) or 0
    if not own:
        return max(1, int(outer) - max(1, min(MARGIN_SECONDS, int(outer) // 10)))
    if own < 0 or (outer and own >= outer):
        what = f"does not end before llm_gateway_request_timeout, {outer}, which would hide its error"
        validator.add(name, own, what, f"use at most {max(1, outer - 1)}, or 0 to have it chosen")
    return int(own)


def _check_scorers(scorers: Mapping[str, int | None], validator: Validator) -> None:
    for name, weight in scorers.items():
        _between(f"gateway_picker_scorers.{name}", weight, 0, MAX_WEIGHT, validator)
    if not any(scorers.values()):
        what = "leaves nothing to choose by"
        validator.add("gateway_picker_scorers", dict(scorers), what, "give at least one scorer a weight above 0")


def _between(name: str, value: int | None, low: int, high: int, validator: Validator) -> None:
    if value is not None and not low <= value <= high:
        validator.add(name, value, "is out of range", f"use at least {low} and at most {high}")
