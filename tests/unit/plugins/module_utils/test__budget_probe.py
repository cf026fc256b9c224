# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is not disposable is not broken, and what was taken away comes back."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe import KINDS, claims_of, probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_outages import (
    Recovered,
    observe_recovery,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Workload
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError, run_probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError, Response

PATH = "/apis/apps/v1/namespaces/gw/statefulsets/redis"
READY = {
    "metadata": {"name": "redis-0"},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


class Cluster:
    """The few paths of an API server that are asked here."""

    def __init__(self, replicas: int = 1) -> None:
        self.replicas = replicas
        self.deleted: list[t.Any] = []
        self.scaled: list[int] = []
        self.lingers = False

    def request(self, method: str, path: str, *, body: t.Any = None, **_options: t.Any) -> Response:
        if path == "/api/v1":
            resources = [{"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["list"]}]
            return self._json({"kind": "APIResourceList", "groupVersion": "v1", "resources": resources})
        if (method, path) == ("GET", PATH):
            return self._json({"spec": {"replicas": self.replicas, "selector": {"matchLabels": {"app": "redis"}}}})
        if (method, path) == ("PATCH", PATH + "/scale"):
            self.replicas = body["spec"]["replicas"]
            self.scaled.append(self.replicas)
            return self._json({})
        if (method, path) == ("GET", "/api/v1/namespaces/gw/pods"):
            return self._json({"metadata": {}, "items": [READY] if self.replicas or self.lingers else []})
        if (method, path) == ("DELETE", "/api/v1/namespaces/gw/pods/redis-0"):
            self.deleted.append(body)
            return self._json({})
        return Response(404, b"{}")

    @staticmethod
    def _json(value: t.Any) -> Response:
        return Response(200, json.dumps(value).encode())


def workload(cluster: Cluster) -> Workload:
    return Workload(KubeClient(t.cast("t.Any", cluster)), "gw", "StatefulSet", "redis")


def test_where_nothing_may_be_broken_every_claim_says_why_it_was_not_tried() -> None:
    checks, _warnings = probe({"kinds": list(KINDS), "disposable": False})
    assert [check["id"] for check in checks] == [
        "budget-holds",
        "cancel-abuse-bounded",
        "replica-dies-under-load",
        "budget-holds-without-postgres",
        "budget-holds-without-redis",
        "recovers-after-outage",
    ]
    assert {check["class"] for check in checks} == {"destructive"}
    assert not any(check["ok"] for check in checks)
    assert all("llm_disposable" in check["reason"] for check in checks)


def test_to_recover_is_claimed_only_when_both_were_away() -> None:
    assert [claim.id for claim in claims_of(["redis"])] == ["budget-holds-without-redis"]


def test_what_was_taken_away_comes_back_as_it_was() -> None:
    cluster = Cluster(replicas=3)
    redis = workload(cluster)
    with redis.away():
        redis.wait_gone(seconds=1)
        assert cluster.replicas == 0
    redis.wait_ready(seconds=1)
    assert cluster.scaled == [0, 3]


def test_it_is_killed_and_comes_back_also_when_the_probe_fails() -> None:
    cluster = Cluster()
    # Its pod outlives the scaling for a moment, as it does in a cluster.
    cluster.lingers = True

    def fail() -> None:
        with workload(cluster).away():
            raise KubeError("gone wrong")

    with pytest.raises(KubeError, match="gone wrong"):
        fail()
    assert cluster.deleted[0]["gracePeriodSeconds"] == 0
    assert cluster.scaled == [0, 1]


def test_what_does_not_run_cannot_be_taken_away() -> None:
    with pytest.raises(ProbeError, match="no replicas"), workload(Cluster(replicas=0)).away():
        pass


def test_a_wait_that_is_in_vain_says_for_what() -> None:
    redis = workload(Cluster())
    with redis.away(), pytest.raises(ProbeError, match="redis is not ready again after 0 s"):
        redis.wait_ready(seconds=0.0)


def test_recovery_is_not_ok_when_an_outage_was_not_watched() -> None:
    claim = claims_of(KINDS)[-1]
    seconds = {"PostgreSQL": {"a": 1.0, "b": 2.0}, "Redis": {"a": 5.0, "b": 4.0}, "emptied Redis": {"a": 3.0, "b": 3.5}}
    assert run_probe(claim, lambda: observe_recovery(Recovered(seconds)))["ok"]
    half = run_probe(claim, lambda: observe_recovery(Recovered({"PostgreSQL": {"a": 1.0}})))
    assert not half["ok"]
    assert "emptied Redis: no replica was watched" in half["reason"]
    assert "Redis: no replica was watched" in half["reason"]
