# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Objects for the benchmarks: nine common kinds in equal numbers, spread over namespaces."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import write_component

if t.TYPE_CHECKING:
    from pathlib import Path

Object = dict[str, t.Any]
KINDS = 9
PER_NAMESPACE = 90


def objects(count: int, prefix: str) -> list[Object]:
    """`count` objects in namespaces `<prefix>-0` and so on; nothing in them starts a pod."""
    made: list[Object] = []
    for number in range((count + KINDS - 1) // KINDS):
        made += _family(f"app-{number}", f"{prefix}-{number * KINDS // PER_NAMESPACE}")
    return made[:count]


def namespaces(made: t.Iterable[Object]) -> list[str]:
    return sorted({obj["metadata"]["namespace"] for obj in made})


def write(root: Path, component: str, made: list[Object]) -> Path:
    write_component(root, "serving", component, made)
    return root


def _family(name: str, namespace: str) -> list[Object]:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"}
    match = {"matchLabels": {"app.kubernetes.io/name": name}}

    def obj(api_version: str, kind: str, **rest: t.Any) -> Object:
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}

    container = {
        "name": "main",
        "image": "registry.example/bench:1",
        "args": ["--port", "8000"],
        "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "MODEL", "value": name}],
        "ports": [{"containerPort": 8000, "name": "http", "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "512Mi"}},
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return [
        obj("v1", "ServiceAccount", automountServiceAccountToken=False),
        obj("v1", "ConfigMap", data={"config.yml": "a: 1\nb: 2\n" * 10, "mode": "bench"}),
        obj("v1", "Secret", data={"key": base64.b64encode(name.encode()).decode()}, type="Opaque"),
        obj(
            "rbac.authorization.k8s.io/v1",
            "Role",
            rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
        ),
        obj(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        ),
        obj(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            spec={
                "podSelector": match,
                "policyTypes": ["Ingress"],
                "ingress": [{"ports": [{"port": 8000, "protocol": "TCP"}]}],
            },
        ),
        obj("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": match}),
        obj(
            "v1",
            "Service",
            spec={
                "clusterIP": "None",  # the range of cluster addresses of a small cluster ends below 10,000
                "selector": match["matchLabels"],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
            },
        ),
        obj(
            "apps/v1",
            "Deployment",
            spec={
                "replicas": 0,
                "selector": match,
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        ),
    ]
