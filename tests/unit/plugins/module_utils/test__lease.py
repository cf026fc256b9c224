# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._lease import DeliverLease, LeaseError

KEY = ("coordination.k8s.io", "Lease", "llm-platform", "llm-platform-deliver")
# The API server's clock says 2026-11-23 10:00:00, whatever ours says.


def spec(cluster: t.Any) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", cluster.get(KEY)["spec"])


def hold(cluster: t.Any, holder: str, renewed: str, seconds: int = 30) -> None:
    with DeliverLease(cluster.client, "llm-platform", holder="x"):
        pass
    patch = {
        "holderIdentity": holder,
        "renewTime": renewed,
        "acquireTime": "2026-11-23T09:00:00.000000Z",
        "leaseDurationSeconds": seconds,
    }
    cluster.edit(KEY, "x", {"spec": patch})


def test_it_is_held_and_released(cluster: t.Any) -> None:
    with DeliverLease(cluster.client, "llm-platform", holder="me@host/1") as lease:
        lease.check()
        assert spec(cluster)["holderIdentity"] == "me@host/1"
        assert spec(cluster)["renewTime"].startswith("2026-11-23T10:00:0")
    assert spec(cluster)["holderIdentity"] == ""


def test_a_lease_of_another_is_refused_with_holder_and_age(cluster: t.Any) -> None:
    hold(cluster, "ann@laptop/7", "2026-11-23T09:59:50.000000Z")
    with pytest.raises(LeaseError, match=r"ann@laptop/7 holds the Lease .* for 3600 s \(renewed 10 s ago\)"):
        DeliverLease(cluster.client, "llm-platform", holder="me").__enter__()
    assert spec(cluster)["holderIdentity"] == "ann@laptop/7"


def test_an_expired_lease_is_taken_over(cluster: t.Any) -> None:
    hold(cluster, "dead@host/1", "2026-11-23T09:59:00.000000Z")
    with DeliverLease(cluster.client, "llm-platform", holder="me"):
        assert spec(cluster)["holderIdentity"] == "me"
        assert spec(cluster)["leaseTransitions"] >= 1


def test_it_is_renewed_in_the_background(cluster: t.Any) -> None:
    with DeliverLease(cluster.client, "llm-platform", seconds=3) as lease:
        first = spec(cluster)["renewTime"]
        until = time.monotonic() + 10
        while spec(cluster)["renewTime"] == first:
            assert time.monotonic() < until, "it was not renewed"
            time.sleep(0.05)
        lease.check()


def _check_for(lease: DeliverLease, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        lease.check()
        time.sleep(0.05)


def test_a_lease_that_somebody_took_stops_the_run_and_is_not_released(cluster: t.Any) -> None:
    with DeliverLease(cluster.client, "llm-platform", seconds=1) as lease:
        cluster.edit(KEY, "thief", {"spec": {"holderIdentity": "thief"}})
        with pytest.raises(LeaseError, match="lost the Lease"):
            _check_for(lease, 10)
    assert spec(cluster)["holderIdentity"] == "thief"


def test_a_race_for_the_lease_has_one_winner(cluster: t.Any, refuse: t.Any) -> None:
    cluster.script.append(
        lambda method, _path, _query, _body: refuse(409, "AlreadyExists", "too late") if method == "POST" else None
    )
    with pytest.raises(LeaseError, match="other runs keep taking"):
        DeliverLease(cluster.client, "llm-platform").__enter__()
