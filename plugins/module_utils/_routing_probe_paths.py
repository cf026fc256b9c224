# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Where paths lead: to the model that they name, to none, or nowhere at all. Private to the collection."""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import Reply, chat_body
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import Object, route
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import Stage, at_scale

ROUTED: t.Final = Claim(
    "routed-by-model",
    "live",
    "Each model's path leads to pods of that model and to no other.",
    "the path alone decides: the model it names gets the request and no other one, whatever model the body names",
)
UNKNOWN: t.Final = Claim(
    "unknown-model-404",
    "live",
    "A path of no model is answered with 404 and an error in OpenAI's form.",
    "404 with code model_not_found for unknown models, for paths beside a model's API and for none",
)
EMPTY: t.Final = Claim(
    "no-endpoint-503",
    "live",
    "A model without a ready pod is answered with 503, Retry-After and an error in OpenAI's form.",
    "200 while it has pods; without, every answer is 503 with code no_ready_endpoint, Retry-After and JSON",
)
EXPOSED: t.Final = Claim(
    "internal-gateway-not-exposed",
    "read",
    "The inference gateway has no address outside of the cluster.",
    "every Service that leads to it is ClusterIP without external addresses, and its pods use no port of a node",
)
FOREIGN: t.Final = Claim(
    "foreign-route-refused",
    "live",
    "A route from a namespace that the Gateway does not name is refused and leads nowhere.",
    "the same route is accepted in the models' namespace; elsewhere it is not, and its path gives 404",
)
TRIES: t.Final = 5


def observe_routed(stage: Stage) -> Observation:
    seen = Observation(simulated=any(model.simulated for model in stage.models) or None)
    for model in stage.models:
        marker = f"routed-{secrets.token_hex(4)}"
        path = f"/m/{model.path}"
        reply = stage.gateway.chat(path, chat_body(model.name, "Say yes.", marker=marker))
        if reply.status != 200:
            seen.faults.append(f"{path}: status {reply.status} {reply.text[:200]}")
            continue
        # A canary has the name of its model.
        got = sorted({other.name for other in stage.models if other.simulated and other.received(marker)})
        wanted = [model.name] if model.simulated else []
        if got != wanted:
            seen.faults.append(f"{path}: received by {got or 'nobody'} instead of {wanted}")
        elif model.simulated and not model.received(marker):
            seen.faults.append(f"{path}: received by other pods of {model.name}")
        if (named := reply.json.get("model")) != model.name:
            seen.faults.append(f"{path}: {named!r} answered")
        seen.faults += _cross(stage, model.name, path)
        seen.facts.append(f"{path} is answered by {model.name} alone")
    return seen


def _cross(stage: Stage, name: str, path: str) -> list[str]:
    """The model that the path names gets the request, and does not know the one in the body."""
    faults = []
    for other in stage.models:
        if other.name != name:
            reply = stage.gateway.chat(path, chat_body(other.name, "Say yes."))
            if reply.status != 404 or reply.json.get("error", {}).get("code") == "model_not_found":
                faults.append(
                    f"{path} with model {other.name} in the body: status {reply.status}, not the model's own 404"
                )
    return faults


def observe_unknown(stage: Stage) -> Observation:
    seen = Observation()
    if not stage.models:
        raise ProbeError("there is no model for the positive control")
    model = stage.models[0]
    known = stage.gateway.chat(f"/m/{model.path}", chat_body(model.name, "Say yes."))
    if known.status != 200:
        raise ProbeError(f"the positive control, model {model.name}, gave status {known.status}")
    stranger = f"unknown-{secrets.token_hex(4)}"
    tries = [
        ("POST", f"/m/{stranger}/v1/chat/completions"),
        ("POST", f"/m/{model.path}{stranger}/v1/chat/completions"),
        ("POST", f"/m/{stranger}/v1/completions"),
        ("POST", "/v1/chat/completions"),
        ("GET", f"/m/{stranger}/v1/models"),
        # A model's server has more than its API, and none of it is for callers.
        ("GET", f"/m/{model.path}/metrics"),
        ("GET", f"/m/{model.path}/v1/%2e%2e/metrics"),
        ("GET", "/"),
    ]
    for method, path in tries:
        body = chat_body(model.name, "Say yes.") if method == "POST" else None
        reply = stage.gateway.ask(method, path, body)
        seen.faults += [f"{method} {path}: {fault}" for fault in reply.error_faults(404, "model_not_found")]
    seen.facts.append(f"{len(tries)} paths gave 404 with an error in OpenAI's form, model {model.name} answered")
    return seen


def observe_empty(stage: Stage) -> Observation:
    own = stage.demand_own()
    seen = Observation(simulated=True)
    body = chat_body(own.name, "Say yes.")
    if (control := stage.gateway.chat(own.path, body)).status != 200:
        raise ProbeError(f"the positive control gave status {control.status}: {control.text[:200]}")
    at_scale(stage, 0)
    replies: list[Reply] = []
    stage.until("an answer other than 200 after the last pod", lambda: _refused(stage, own.path, body, replies))
    replies += [stage.gateway.chat(own.path, body) for _turn in range(TRIES)]
    refused = [reply for reply in replies if reply.status != 200]
    for reply in refused:
        seen.faults += reply.error_faults(503, "no_ready_endpoint", retry=True)
    if len(refused) <= TRIES:
        seen.faults.append("the model was still answered after its last pod was gone")
    wait = refused[-1].headers.get("retry-after")
    seen.facts.append(
        f"{len(refused)} answers without a pod: 503 with Retry-After {wait} and an error in OpenAI's form"
    )
    return seen


def _refused(stage: Stage, path: str, body: t.Mapping[str, t.Any], replies: list[Reply]) -> bool:
    replies.append(stage.gateway.chat(path, body))
    return replies[-1].status != 200


def observe_exposed(stage: Stage) -> Observation:
    seen = Observation()
    namespace = stage.scene.gateway_namespace
    found = stage.kube.get_json(f"/api/v1/namespaces/{namespace}/services/{stage.service}")
    selector = found["spec"].get("selector") or {}
    text = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
    pods = stage.kube.list("v1", "Pod", namespace, text) if text else []
    if not pods:
        raise ProbeError(f"Service {namespace}/{stage.service} leads to no pod")
    labels = [pod["metadata"].get("labels") or {} for pod in pods]
    services = [
        service
        for service in stage.kube.list("v1", "Service", namespace)
        if any(_selects(service, label) for label in labels)
    ]
    for service in services:
        seen.faults += _service_faults(service)
    for pod in pods:
        seen.faults += _pod_faults(pod)
    names = ", ".join(service["metadata"]["name"] for service in services)
    seen.facts.append(
        f"{len(pods)} pod(s) behind {len(services)} Service(s), {names}, all of them inside the cluster only"
    )
    return seen


def _selects(service: Object, labels: t.Mapping[str, str]) -> bool:
    selector = service["spec"].get("selector") or {}
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def _service_faults(service: Object) -> list[str]:
    name, spec = service["metadata"]["name"], service["spec"]
    faults = []
    if spec.get("type", "ClusterIP") != "ClusterIP":
        faults.append(f"Service {name} is a {spec['type']}")
    if spec.get("externalIPs"):
        faults.append(f"Service {name} has external addresses")
    if ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        faults.append(f"Service {name} has a load balancer")
    return faults


def _pod_faults(pod: Object) -> list[str]:
    name, spec = pod["metadata"]["name"], pod["spec"]
    faults = [f"pod {name} is in the node's network"] if spec.get("hostNetwork") else []
    ports = [port for container in spec["containers"] for port in container.get("ports") or ()]
    return faults + [f"pod {name} uses port {port['hostPort']} of its node" for port in ports if port.get("hostPort")]


def observe_foreign(stage: Stage) -> Observation:
    own = stage.demand_own()
    seen = Observation()
    if (control := stage.gateway.chat(own.path, chat_body(own.name, "Say yes."))).status != 200:
        raise ProbeError(f"the positive control, a route in {stage.scene.namespace}, gave status {control.status}")
    name = f"{own.name}-foreign"
    labels = {LABEL_PART_OF: PLATFORM}
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    stage.create(place)
    try:
        foreign = route(stage.scene, name, name)
        stage.create(foreign)
        verdicts: list[Object] = []
        stage.until(f"a verdict on HTTPRoute {name}/{name}", lambda: _judged(stage, name, verdicts))
        (verdict,) = verdicts
        if verdict.get("status") != "False" or verdict.get("reason") != "NotAllowedByListeners":
            seen.faults.append(f"the route is Accepted={verdict.get('status')} ({verdict.get('reason')})")
        reply = stage.gateway.chat(f"/m/{name}", chat_body(own.name, "Say yes."))
        seen.faults += [f"/m/{name}: {fault}" for fault in reply.error_faults(404, "model_not_found")]
    finally:
        stage.remove(place)
    seen.facts.append(
        f"the route is accepted in {stage.scene.namespace}; in another namespace it is {verdict.get('reason')},"
        f" and its path gives {reply.status}"
    )
    return seen


def _judged(stage: Stage, name: str, verdicts: list[Object]) -> bool:
    found = stage.kube.get_json(f"/apis/gateway.networking.k8s.io/v1/namespaces/{name}/httproutes/{name}")
    for parent in (found.get("status") or {}).get("parents") or ():
        verdicts += [item for item in parent.get("conditions") or () if item.get("type") == "Accepted"]
    return bool(verdicts)
