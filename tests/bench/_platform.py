# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the hops of a deployed platform are, read from the cluster."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import has_condition
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import LABEL_PROBE

from ._ground import GroundError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

GATEWAY: t.Final = "gateway.networking.k8s.io/gateway-name"
NAME: t.Final = "app.kubernetes.io/name"
ROUTES: t.Final = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Hop:
    """A Gateway and the Service before its pods; `host` is what clients must name."""

    namespace: str
    gateway: str
    url: str
    host: str = ""

    @property
    def pods(self) -> dict[str, str]:
        return {GATEWAY: self.gateway}


def inference_gateway(kube: KubeClient) -> tuple[Hop, str]:
    """And the namespace of the models behind it."""
    for item in kube.list(ROUTES, "HTTPRoute"):
        matches = [match for rule in item["spec"].get("rules") or () for match in rule.get("matches") or ()]
        paths = [str((match.get("path") or {}).get("value")) for match in matches]
        if LABEL_PROBE not in (item["metadata"].get("labels") or {}) and any(path.startswith("/m/") for path in paths):
            return _hop(kube, item), str(item["metadata"]["namespace"])
    raise GroundError("no route leads to a model by its path: is this platform without an inference gateway?")


def entrances(kube: KubeClient, namespace: str) -> dict[str, Hop]:
    """What leads to LiteLLM from tenants in the cluster and, where there is one, from outside."""
    names = {"edge-internal": "internal", "edge-api": "public"}
    routes = {item["metadata"]["name"]: item for item in kube.list(ROUTES, "HTTPRoute", namespace)}
    return {side: _hop(kube, routes[name]) for name, side in names.items() if name in routes}


def litellm_addresses(kube: KubeClient, namespace: str) -> list[str]:
    """Of each replica: a connection to the Service would stay with one of them, which is not how entrances ask."""
    pods = kube.list("v1", "Pod", namespace, f"{NAME}=litellm")
    ready = [pod for pod in pods if has_condition(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]]
    hosts = sorted(str(pod["status"]["podIP"]) for pod in ready)
    return [f"http://[{host}]:4000" if ":" in host else f"http://{host}:4000" for host in hosts]


def litellm_image(kube: KubeClient, namespace: str) -> str:
    """It has Python and an HTTP client that is fast enough."""
    found = kube.get_json(f"/apis/apps/v1/namespaces/{namespace}/deployments/litellm")
    containers = found["spec"]["template"]["spec"]["containers"]
    return str(next(item["image"] for item in containers if item["name"] == "litellm"))


def _hop(kube: KubeClient, route: t.Mapping[str, t.Any]) -> Hop:
    parent = route["spec"]["parentRefs"][0]
    home, name = parent.get("namespace") or route["metadata"]["namespace"], parent["name"]
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{home}/gateways/{name}"
    listeners = kube.get_json(path)["spec"]["listeners"]
    listener = next(one for one in listeners if parent.get("sectionName") in (None, one["name"]))
    service = kube.list("v1", "Service", home, f"{GATEWAY}={name}")[0]["metadata"]["name"]
    scheme = "https" if listener["protocol"] == "HTTPS" else "http"
    hosts = route["spec"].get("hostnames") or [""]
    return Hop(home, name, f"{scheme}://{service}.{home}:{listener['port']}", hosts[0])
