# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a cluster is born with comes once; a second time nothing changes, and drift is repaired."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_addons import AddonError, bring

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
