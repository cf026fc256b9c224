# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What an earlier plan left on the cluster is named, and removed only by its name."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply import ApplyOptions, deliver
from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import LABEL_ID, ApplySet
from ansible_collections.wmx.llm_platform.plugins.module_utils._leftovers import Leftover, leftovers, report
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import write_component

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cluster import FakeCluster

HOME = "llm-platform"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}


def config(name: str, kind: str = "ConfigMap") -> dict[str, t.Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": HOME}, "data": {}}


def bring(cluster: FakeCluster, tree: Path, *components: str) -> t.Any:
    return deliver(cluster.client, ApplyOptions(tree, components, home_namespace=HOME, wait=False))


@pytest.fixture
def tree(cluster: FakeCluster, tmp_path: Path) -> Path:
    """Two components are delivered; then the plan has only the first."""
    write_component(tmp_path, "platform", "foundation", [NAMESPACE])
    write_component(tmp_path, "llm_gateway", "llm_gateway", [config("litellm"), config("keys", "Secret")])
    bring(cluster, tmp_path, "foundation", "llm_gateway")
    write_component(tmp_path, "llm_gateway", "llm_gateway", [])
    return tmp_path


def test_a_component_that_left_the_plan_is_found_with_its_kinds(cluster: FakeCluster, tree: Path) -> None:
    assert leftovers(cluster.client, HOME, ["foundation", "serving"]) == [
        Leftover("llm_gateway", ("ConfigMap", "Secret"))
    ]


def test_components_of_the_plan_are_not_left_over(cluster: FakeCluster, tree: Path) -> None:
    assert leftovers(cluster.client, HOME, ["foundation", "llm_gateway"]) == []


def test_a_cluster_that_nothing_was_brought_to_has_none(cluster: FakeCluster) -> None:
    assert leftovers(cluster.client, HOME, []) == []


def test_a_parent_whose_id_is_not_that_of_its_component_is_not_believed(cluster: FakeCluster, tree: Path) -> None:
    parent = ApplySet("other", HOME).parent_object([("", "ConfigMap")], [])
    parent["metadata"]["labels"][LABEL_ID] = "applyset-invented-v1"
    cluster.client.apply(parent, ref_of(parent))
    assert [left.component for left in leftovers(cluster.client, HOME, ["foundation"])] == ["llm_gateway"]


def test_removal_takes_what_holds_no_data_and_the_rest_stays_remembered(cluster: FakeCluster, tree: Path) -> None:
    done = bring(cluster, tree, "llm_gateway")
    assert [ref.text for ref, _live in done.pruned] == [f"ConfigMap {HOME}/litellm"]
    assert leftovers(cluster.client, HOME, ["foundation"]) == [Leftover("llm_gateway", ("Secret",))]


LEFT: t.Final = [Leftover("llm_gateway", ("Deployment", "Service")), Leftover("tenants", ("ConfigMap",))]


def test_what_stays_is_told_together_with_the_way_to_remove_it() -> None:
    (first, fix), (second, _fix) = report(LEFT, {"prune": {"components": []}})
    assert first == "llm_gateway (Deployment, Service) is on the cluster and no longer in the plan; it stays as it is"
    assert fix.startswith("llm_prune_components: [llm_gateway] removes it")
    assert second.startswith("tenants (ConfigMap)")


def test_what_is_named_is_told_to_go() -> None:
    (first, fix), (second, _fix) = report(LEFT, {"prune": {"components": ["llm_gateway", "long-gone"]}})
    assert (first, fix) == (
        "llm_gateway (Deployment, Service) left the plan and is removed, as llm_prune_components says",
        "",
    )
    assert "stays as it is" in second


def test_a_plan_that_covers_the_cluster_says_so() -> None:
    assert report([], {"prune": {}}) == [("every component on the cluster is in the plan", "")]
