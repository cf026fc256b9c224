# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._readiness import readiness

Object = dict[str, t.Any]


def obj(kind: str, spec: Object | None = None, status: Object | None = None, generation: int = 2) -> Object:
    api_version, _slash, name = kind.rpartition("/")
    return {
        "apiVersion": api_version,
        "kind": name,
        "metadata": {"name": "n", "generation": generation},
        "spec": spec or {},
        "status": status or {},
    }


def condition(kind: str, status: str = "True", **rest: t.Any) -> Object:
    return {"conditions": [{"type": kind, "status": status, **rest}]}


SEEN = {"observedGeneration": 2}
PARENT = {"parentRef": {"name": "gw"}, "conditions": [{"type": "Accepted", "status": "True", "observedGeneration": 2}]}
RESOLVED = {"type": "ResolvedRefs", "status": "True", "observedGeneration": 2}
CASES: list[tuple[str, Object, str, str]] = [
    (
        "a deployment nobody has looked at",
        obj("apps/v1/Deployment", status={"observedGeneration": 1}),
        "waiting",
        "newest spec",
    ),
    (
        "a deployment with old pods left",
        obj(
            "apps/v1/Deployment", {"replicas": 1}, {**SEEN, "updatedReplicas": 1, "replicas": 2, "availableReplicas": 2}
        ),
        "waiting",
        "1 old replicas",
    ),
    (
        "a deployment whose pods are not available",
        obj(
            "apps/v1/Deployment", {"replicas": 2}, {**SEEN, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}
        ),
        "waiting",
        "1 of 2 replicas are available",
    ),
    (
        "a deployment that is rolled out",
        obj(
            "apps/v1/Deployment", {"replicas": 2}, {**SEEN, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}
        ),
        "ready",
        "",
    ),
    ("a deployment scaled to zero", obj("apps/v1/Deployment", {"replicas": 0}, SEEN), "ready", ""),
    (
        "a deployment past its deadline",
        obj("apps/v1/Deployment", {}, {**SEEN, **condition("Progressing", "False", reason="ProgressDeadlineExceeded")}),
        "failed",
        "ProgressDeadlineExceeded",
    ),
    (
        "a stateful set without ready pods",
        obj("apps/v1/StatefulSet", {"replicas": 3}, {**SEEN, "readyReplicas": 2}),
        "waiting",
        "2 of 3",
    ),
    (
        "a stateful set with old pods",
        obj("apps/v1/StatefulSet", {"replicas": 3}, {**SEEN, "readyReplicas": 3, "updatedReplicas": 1}),
        "waiting",
        "newest pod template",
    ),
    (
        "a stateful set with a partition",
        obj(
            "apps/v1/StatefulSet",
            {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            {**SEEN, "readyReplicas": 3, "updatedReplicas": 1},
        ),
        "ready",
        "",
    ),
    (
        "a stateful set between revisions",
        obj(
            "apps/v1/StatefulSet",
            {"replicas": 1},
            {**SEEN, "readyReplicas": 1, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
        ),
        "waiting",
        "rollout",
    ),
    (
        "a daemon set with a node missing",
        obj(
            "apps/v1/DaemonSet",
            {},
            {**SEEN, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
        ),
        "waiting",
        "1 of 2 nodes",
    ),
    ("a daemon set without nodes", obj("apps/v1/DaemonSet", {}, SEEN), "ready", ""),
    ("a running job", obj("batch/v1/Job", {}, {"active": 1, "failed": 2}), "waiting", "2 failed so far"),
    ("a complete job", obj("batch/v1/Job", {}, condition("Complete")), "ready", ""),
    (
        "a failed job",
        obj("batch/v1/Job", {}, condition("Failed", reason="BackoffLimitExceeded", message="m")),
        "failed",
        "BackoffLimit",
    ),
    ("a suspended job", obj("batch/v1/Job", {"suspend": True}), "ready", ""),
    ("a bound claim", obj("v1/PersistentVolumeClaim", {}, {"phase": "Bound"}), "ready", ""),
    ("a claim that waits", obj("v1/PersistentVolumeClaim", {}, {"phase": "Pending"}), "waiting", "Pending"),
    ("a lost claim", obj("v1/PersistentVolumeClaim", {}, {"phase": "Lost"}), "failed", "Lost"),
    ("a namespace", obj("v1/Namespace", {}, {"phase": "Active"}), "ready", ""),
    ("a dying namespace", obj("v1/Namespace", {}, {"phase": "Terminating"}), "failed", "being deleted"),
    (
        "a definition that is served",
        obj("apiextensions.k8s.io/v1/CustomResourceDefinition", {}, condition("Established")),
        "ready",
        "",
    ),
    ("a new definition", obj("apiextensions.k8s.io/v1/CustomResourceDefinition"), "waiting", "Established"),
    (
        "a definition whose names are taken",
        obj(
            "apiextensions.k8s.io/v1/CustomResourceDefinition", {}, condition("NamesAccepted", "False", message="taken")
        ),
        "failed",
        "taken",
    ),
    (
        "an API service",
        obj("apiregistration.k8s.io/v1/APIService", {}, condition("Available", "False", reason="MissingEndpoints")),
        "waiting",
        "MissingEndpoints",
    ),
    ("a gateway", obj("gateway.networking.k8s.io/v1/Gateway", {}, condition("Accepted")), "waiting", "Programmed"),
    (
        "a programmed gateway",
        obj(
            "gateway.networking.k8s.io/v1/Gateway",
            {},
            {
                "conditions": [
                    {"type": kind, "status": "True", "observedGeneration": 2} for kind in ("Accepted", "Programmed")
                ]
            },
        ),
        "ready",
        "",
    ),
    (
        "a gateway programmed for an older spec",
        obj(
            "gateway.networking.k8s.io/v1/Gateway",
            {},
            {
                "conditions": [
                    {"type": kind, "status": "True", "observedGeneration": 1} for kind in ("Accepted", "Programmed")
                ]
            },
        ),
        "waiting",
        "Accepted",
    ),
    (
        "a route nobody has looked at",
        obj("gateway.networking.k8s.io/v1/HTTPRoute", {"parentRefs": [{"name": "gw"}]}),
        "waiting",
        "0 of 1 parents",
    ),
    (
        "a route with a wrong backend",
        obj(
            "gateway.networking.k8s.io/v1/HTTPRoute",
            {"parentRefs": [{"name": "gw"}]},
            {
                "parents": [
                    {
                        **PARENT,
                        "conditions": [
                            *PARENT["conditions"],
                            {**RESOLVED, "status": "False", "reason": "BackendNotFound"},
                        ],
                    }
                ]
            },
        ),
        "waiting",
        "parent gw: ResolvedRefs=False (BackendNotFound)",
    ),
    (
        "an accepted route",
        obj(
            "gateway.networking.k8s.io/v1/HTTPRoute",
            {"parentRefs": [{"name": "gw"}]},
            {"parents": [{**PARENT, "conditions": [*PARENT["conditions"], RESOLVED]}]},
        ),
        "ready",
        "",
    ),
    ("a load balancer without address", obj("v1/Service", {"type": "LoadBalancer"}), "waiting", "address"),
    ("a cluster service", obj("v1/Service", {"type": "ClusterIP"}), "ready", ""),
    (
        "a pod that runs",
        obj("v1/Pod", {}, condition("Ready", "False", reason="ContainersNotReady")),
        "waiting",
        "ContainersNotReady",
    ),
    (
        "a certificate without conditions",
        obj("cert-manager.io/v1/Certificate"),
        "waiting",
        "has not set condition Ready",
    ),
    (
        "an unknown kind with a false condition",
        obj("x.example/v1/Thing", {}, condition("Ready", "False", reason="Why")),
        "waiting",
        "Why",
    ),
    ("an unknown kind that is available", obj("x.example/v1/Thing", {}, condition("Available")), "ready", ""),
    ("an unknown kind that says nothing", obj("x.example/v1/Thing"), "ready", ""),
    ("a config map", obj("v1/ConfigMap"), "ready", ""),
]


@pytest.mark.parametrize(("live", "state", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_state_is_told_with_its_reason(live: Object, state: str, reason: str) -> None:
    judged = readiness(live)
    assert judged.state == state
    assert reason in judged.reason
