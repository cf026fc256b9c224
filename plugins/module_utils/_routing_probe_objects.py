# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a probe of the routing puts into the cluster: a model of its own with everything a model has.

Private to the collection.
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import API_GROUP, LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import restricted_pod

Object = dict[str, t.Any]

LABEL_PROBE: t.Final = f"{API_GROUP}/probe"
LABEL_MODEL: t.Final = f"{API_GROUP}/model"
LABEL_PICKER: t.Final = f"{API_GROUP}/picker"
PROBE: t.Final = "routing"
PORT: t.Final = 8000
PICKER_PORT: t.Final = 9002
PLAIN: t.Final = "plain"
"""Under this path the model's pods are asked in turn, without a picker."""
CANARY: t.Final = "canary"
"""Under this path the canary's pods are asked."""
SPLIT: t.Final = "split"
"""Under this path the model and its canary get their shares."""
CANARY_WEIGHT: t.Final = 10


class Scene(t.NamedTuple):
    """Names that the objects share."""

    name: str
    namespace: str
    gateway: str
    gateway_namespace: str
    image: str
    replicas: int
    slots: int
    key: t.Mapping[str, str]
    """Name and key of the Secret of the models' key: without one the simulator shows nobody what it received."""
    canary: int = 0
    """Pods of the model's canary; without any there is none."""
    served: str = ""
    """What a canary is called in requests: as its model."""


def anchor(scene: Scene) -> Object:
    """Owns everything else, so that all of it goes with it, whatever happened."""
    return _object("v1", "ConfigMap", scene, scene.name)


def objects(scene: Scene, picker: Object, owner: str) -> list[Object]:
    """The model's pods, their Service, pool, picker, route and policies; the same for its canary, if it has one."""
    found = [*_served(scene, picker)]
    if scene.canary:
        found += [*_served(canary_of(scene), picker), _split_route(scene)]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": scene.name, "uid": owner}
    for obj in found:
        obj["metadata"]["ownerReferences"] = [reference]
    return found


def _served(scene: Scene, picker: Object) -> list[Object]:
    return [
        _model(scene),
        _service(scene, scene.name, {LABEL_MODEL: scene.name}, PORT, "http"),
        _pool(scene),
        _picker(scene, picker),
        _service(scene, picker_name(scene), {LABEL_PICKER: scene.name}, PICKER_PORT, "http2"),
        route(scene, scene.name, scene.namespace),
        *_policies(scene),
    ]


def canary_of(scene: Scene) -> Scene:
    """To its pods a canary is a model of its own."""
    return scene._replace(name=f"{scene.name}-{CANARY}", replicas=scene.canary, canary=0, served=scene.name)


def split(scene: Scene) -> Object:
    """What gives the model its share, as role gateway does. It is where the Gateway is, so that nothing owns it."""
    obj = _object("networking.istio.io/v1alpha3", "EnvoyFilter", scene, scene.name, scene.gateway_namespace)
    share = {"numerator": 100 - CANARY_WEIGHT, "denominator": "HUNDRED"}
    fraction = {"runtime_key": _split_name(scene), "default_value": share}
    obj["spec"] = {
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": scene.gateway}],
        "configPatches": [
            {
                "applyTo": "HTTP_ROUTE",
                "match": {
                    "context": "GATEWAY",
                    "routeConfiguration": {"vhost": {"route": {"name": _split_name(scene)}}},
                },
                "patch": {"operation": "MERGE", "value": {"match": {"runtime_fraction": fraction}}},
            }
        ],
    }
    return obj


def _split_name(scene: Scene) -> str:
    return f"{scene.namespace}.{scene.name}.{SPLIT}"


def _split_route(scene: Scene) -> Object:
    """Two rules with one path: the first one holds for its share, the second one for the rest."""
    name = f"{scene.name}-{SPLIT}"
    obj = route(scene, name, scene.namespace)
    pools = (scene.name, canary_of(scene).name)
    obj["spec"]["rules"] = [_rule(name, _pool_reference(pool)) for pool in pools]
    obj["spec"]["rules"][0]["name"] = _split_name(scene)
    return obj


def route(scene: Scene, name: str, namespace: str) -> Object:
    """The model's path, and one that asks its pods in turn."""
    obj = _object("gateway.networking.k8s.io/v1", "HTTPRoute", scene, name, namespace)
    obj["spec"] = {
        "parentRefs": [{"name": scene.gateway, "namespace": scene.gateway_namespace}],
        "rules": [
            _rule(name, _pool_reference(scene.name)),
            _rule(f"{name}-{PLAIN}", {"kind": "Service", "name": scene.name, "port": PORT}),
        ],
    }
    return obj


def _pool_reference(name: str) -> Object:
    return {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": name}


def _rule(path: str, backend: Object) -> Object:
    rewrite = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v1"}
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": f"/m/{path}/v1"}}],
        "filters": [{"type": "URLRewrite", "urlRewrite": {"path": rewrite}}],
        "backendRefs": [backend],
    }


def _object(api_version: str, kind: str, scene: Scene, name: str, namespace: str = "") -> Object:
    labels = {LABEL_PROBE: PROBE, LABEL_PART_OF: PLATFORM}
    metadata = {"name": name, "namespace": namespace or scene.namespace, "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _deployment(scene: Scene, name: str, replicas: int, labels: t.Mapping[str, str], spec: Object) -> Object:
    obj = _object("apps/v1", "Deployment", scene, name)
    obj["spec"] = {
        "replicas": replicas,
        "selector": {"matchLabels": dict(labels)},
        "template": {"metadata": {"labels": {**spec.pop("labels"), **labels}}, "spec": spec},
    }
    return obj


def _model(scene: Scene) -> Object:
    container = {
        "args": [
            f"--model={scene.name}",
            f"--served-model-name={scene.served or scene.name}",
            f"--max-num-seqs={scene.slots}",
            "--simulator-request-log-size=1000",
        ],
        "env": [{"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": dict(scene.key)}}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
    }
    spec = restricted_pod(scene.name, scene.image, **container)["spec"]
    spec |= {"restartPolicy": "Always", "labels": {"app.kubernetes.io/name": "model-server"}}
    return _deployment(scene, scene.name, scene.replicas, {LABEL_MODEL: scene.name}, spec)


def _service(scene: Scene, name: str, selector: t.Mapping[str, str], port: int, protocol: str) -> Object:
    obj = _object("v1", "Service", scene, name)
    ports = [{"name": protocol, "port": port, "protocol": "TCP", "appProtocol": protocol}]
    obj["spec"] = {"selector": dict(selector), "ports": ports}
    return obj


def _pool(scene: Scene) -> Object:
    obj = _object("inference.networking.k8s.io/v1", "InferencePool", scene, scene.name)
    obj["spec"] = {
        "selector": {"matchLabels": {LABEL_MODEL: scene.name}},
        "targetPorts": [{"number": PORT}],
        "endpointPickerRef": {"name": picker_name(scene), "port": {"number": PICKER_PORT}, "failureMode": "FailClose"},
    }
    return obj


def picker_name(scene: Scene) -> str:
    """Of its Deployment and its Service."""
    return f"{scene.name}-picker"


def _picker(scene: Scene, like: Object) -> Object:
    """A picker like one of those that are deployed: its image, its configuration, its rights."""
    spec = copy.deepcopy(like["spec"]["template"]["spec"])
    container = spec["containers"][0]
    arguments = [arg for arg in container.get("args") or () if not arg.startswith("--pool-name=")]
    if len(arguments) == len(container.get("args") or ()):
        raise ProbeError(f"Deployment {like['metadata']['name']} is no picker of ours: it has no argument --pool-name")
    container["args"] = [f"--pool-name={scene.name}", *arguments]
    container.pop("livenessProbe", None)
    container["readinessProbe"]["periodSeconds"] = 1
    spec |= {"terminationGracePeriodSeconds": 1, "labels": {"app.kubernetes.io/name": "endpoint-picker"}}
    return _deployment(scene, picker_name(scene), 1, {LABEL_PICKER: scene.name}, spec)


def _policies(scene: Scene) -> list[Object]:
    """What flows exist for models of the plan by name, for this one."""
    model, picker = {LABEL_MODEL: scene.name}, {LABEL_PICKER: scene.name}
    ports = [{"port": PORT, "protocol": "TCP"}]
    into, out = (
        _object("networking.k8s.io/v1", "NetworkPolicy", scene, f"{scene.name}-{way}") for way in ("in", "out")
    )
    into["spec"] = {
        "podSelector": {"matchLabels": model},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": picker}}], "ports": ports}],
    }
    out["spec"] = {
        "podSelector": {"matchLabels": picker},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": model}}], "ports": ports}],
    }
    return [into, out]
