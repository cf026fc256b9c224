# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._explain import pod_problems
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._wait import Waiter, WaitError

Object = dict[str, t.Any]
CHAT = Ref("apps", "v1", "Deployment", "ns", "chat")
READY = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}


def deployment(cluster: t.Any, name: str = "chat", **status: t.Any) -> Object:
    selector = {"selector": {"matchLabels": {"app": name}}}
    stored = cluster.put("apps/v1", "Deployment", "ns", name, spec=selector, status=status)
    stored.meta["generation"] = 1
    return t.cast("Object", stored.live())


def test_what_is_ready_costs_no_request(cluster: t.Any) -> None:
    Waiter(cluster.client).wait({CHAT: deployment(cluster, **READY)}, 1)
    assert cluster.requests == []


def test_an_object_that_became_ready_before_the_list_needs_no_event(cluster: t.Any) -> None:
    stale = {**deployment(cluster, **READY), "status": {}}
    assert Waiter(cluster.client).wait({CHAT: stale}, 2)[CHAT]["status"] == READY


def test_one_watch_serves_all_objects_of_a_kind(cluster: t.Any) -> None:
    known: dict[Ref, Object | None] = {}
    for number in range(20):
        live = deployment(cluster, f"d{number}", observedGeneration=0)
        known[Ref("apps", "v1", "Deployment", "ns", f"d{number}")] = live
        cluster.events.append({"type": "MODIFIED", "object": {**live, "status": READY}})
    Waiter(cluster.client, "a in (b)").wait(known, 2)
    asked = [(path, "watch" in query) for _method, path, query, _body in cluster.requests]
    assert asked.count(("/apis/apps/v1/deployments", True)) == 1
    assert asked.count(("/apis/apps/v1/deployments", False)) == 1


def test_a_job_that_failed_ends_the_wait_at_once(cluster: t.Any) -> None:
    job = Ref("batch", "v1", "Job", "ns", "j")
    live = cluster.put("batch/v1", "Job", "ns", "j", status={"active": 1}).live()
    failed = {**live, "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}}
    cluster.events.append({"type": "MODIFIED", "object": failed})
    started = time.monotonic()
    with pytest.raises(WaitError, match=r"batch/Job ns/j: Failed=True \(DeadlineExceeded\)"):
        Waiter(cluster.client).wait({job: live, CHAT: deployment(cluster)}, 60)
    assert time.monotonic() - started < 5


def test_a_timeout_says_what_is_not_ready_and_why(cluster: t.Any) -> None:
    live = deployment(cluster, observedGeneration=1, updatedReplicas=1, replicas=1)
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    cluster.put(
        "v1",
        "Pod",
        "ns",
        "chat-1",
        metadata={"labels": {"app": "chat"}},
        status={
            "phase": "Pending",
            "containerStatuses": [{"name": "main", "state": waiting}],
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes: Insufficient nvidia.com/gpu",
                }
            ],
        },
    )
    with pytest.raises(WaitError) as caught:
        Waiter(cluster.client).wait({CHAT: live}, 0.2)
    text = str(caught.value)
    assert "not ready after 0 s (1 objects)" in text
    assert "apps/Deployment ns/chat: 0 of 1 replicas are available" in text
    assert "pod chat-1: container main waits: ErrImagePull: no such image" in text
    assert "Unschedulable: 0/1 nodes: Insufficient nvidia.com/gpu" in text


def test_an_object_that_somebody_deletes_is_not_ready(cluster: t.Any) -> None:
    live = deployment(cluster)
    cluster.events.append({"type": "DELETED", "object": live})
    with pytest.raises(WaitError, match="somebody deleted it"):
        Waiter(cluster.client).wait({CHAT: live}, 0.3)


def test_a_claim_that_is_bound_at_first_use_is_not_waited_for(cluster: t.Any) -> None:
    cluster.put("storage.k8s.io/v1", "StorageClass", "", "local", volumeBindingMode="WaitForFirstConsumer")
    cluster.put("storage.k8s.io/v1", "StorageClass", "", "net", volumeBindingMode="Immediate")
    ref = Ref("", "v1", "PersistentVolumeClaim", "ns", "c")
    head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "ns"}}
    pending = {**head, "status": {"phase": "Pending"}}
    Waiter(cluster.client).wait({ref: {**pending, "spec": {"storageClassName": "local"}}}, 0.2)
    with pytest.raises(WaitError, match="phase Pending"):
        Waiter(cluster.client).wait({ref: {**pending, "spec": {"storageClassName": "net"}}}, 0.2)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"containerStatuses": [{"name": "c", "state": {"running": {}}, "ready": False}]}, "is not ready"),
        (
            {"initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]},
            "ended with 3",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "name": "c",
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    }
                ]
            },
            "ended with 137 (OOMKilled)",
        ),
        ({"phase": "Pending"}, "nothing says why"),
    ],
)
def test_a_pods_problem_is_told_in_words(status: Object, problem: str) -> None:
    assert problem in "; ".join(pod_problems({"metadata": {"name": "p"}, "status": status}))


def test_a_healthy_pod_has_no_problem() -> None:
    status = {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"running": {}}, "ready": True}]}
    assert pod_problems({"metadata": {"name": "p"}, "status": status}) == []
