# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a cluster is born with comes once; a second time nothing changes, and drift is repaired."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_addons import AddonError, bring, reach
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import (
    KubeError,
    Response,
    TransportError,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cluster import FakeCluster

OBJECTS: list[dict[str, t.Any]] = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dns", "namespace": "dns"}, "data": {"a": "1"}},
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dns"}},
]


def actions(cluster: FakeCluster, *, dry_run: bool = False) -> dict[str, str]:
    done = bring(cluster.client, OBJECTS, seconds=0.2, dry_run=dry_run)
    return {outcome.desired.ref.kind: outcome.action for outcome in done}


def test_a_namespace_comes_before_what_is_in_it_wherever_it_is_listed(cluster: FakeCluster) -> None:
    assert list(actions(cluster).items()) == [("Namespace", "created"), ("ConfigMap", "created")]


def test_a_second_time_changes_nothing(cluster: FakeCluster) -> None:
    actions(cluster)
    assert set(actions(cluster).values()) == {"unchanged"}


def test_an_object_without_a_name_is_named_by_its_place(cluster: FakeCluster) -> None:
    with pytest.raises(AddonError, match="object 1 of 1"):
        bring(cluster.client, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {}}], seconds=1, dry_run=False)


class Starting:
    """An API server that comes up while it is asked."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)

    def request(self, method: str, path: str, **_options: t.Any) -> Response:
        assert (method, path) == ("GET", "/readyz")
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status is None:
            raise TransportError("cannot connect to https://10.0.0.1:6443")
        return Response(status, b"[-]poststarthook/rbac failed")

    def client(self) -> KubeClient:
        return KubeClient(t.cast("t.Any", self))


def test_an_api_server_that_is_still_starting_is_waited_for() -> None:
    server = Starting(None, 500, 500, 200)
    reach(server.client, seconds=5, pause=0)
    assert server.answers == [200]


@pytest.mark.parametrize(("answer", "said"), [(None, "cannot connect to https://10.0.0.1:6443"), (500, "rbac failed")])
def test_an_api_server_that_does_not_come_up_is_an_error_that_says_why(answer: int | None, said: str) -> None:
    with pytest.raises(AddonError, match=f"waited 0 s: .*{said}"):
        reach(Starting(answer).client, seconds=0, pause=0)


def test_a_kubeconfig_that_goes_away_ends_the_wait() -> None:
    server = Starting(None)
    left = iter([server.client()])

    def connect() -> KubeClient:
        for client in left:
            return client
        raise KubeError("cannot read the kubeconfig")

    with pytest.raises(KubeError, match="cannot read the kubeconfig"):
        reach(connect, seconds=60, pause=0)


def test_who_is_refused_does_not_wait() -> None:
    reach(Starting(401).client, seconds=0)
