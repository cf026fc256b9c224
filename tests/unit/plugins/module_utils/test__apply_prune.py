# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Prunes what left the tree, and nothing else."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import ApplySet
from ansible_collections.wmx.llm_platform.plugins.module_utils._prune import PruneError, PruneOptions
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.wanted import NS, PART_OF, config, named


def test_what_left_the_tree_is_pruned_even_when_its_kind_left_too(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a"), named("v1", "Service", "s", "ns"))
    run()
    tree(NS, config("a"))
    report = run()
    assert report.objects()["pruned"] == ["Service ns/s"]
    assert cluster.get(("", "Service", "ns", "s")) is None
    assert not run().changed


def test_a_component_without_a_folder_is_removed_and_its_record_too(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(config("a", "llm-platform"))
    run()
    tree(config("b", "llm-platform"), component="other")
    (cluster_tree := tree(component="x")).joinpath("serving", "serving").rename(cluster_tree / "gone")
    report = run()
    assert report.objects()["pruned"] == ["ConfigMap llm-platform/a"]
    assert cluster.get(("", "ConfigMap", "llm-platform", "llm-platform-serving")) is None


def test_an_object_that_moved_to_another_component_is_not_pruned(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a"), config("b"))
    run()
    tree(NS, config("b"))
    tree(config("a"), component="other", layer="routing")
    assert not run().objects()["pruned"]


@pytest.mark.parametrize("kind", ["Secret", "PersistentVolumeClaim"])
def test_data_is_kept_until_it_is_named(cluster: t.Any, tree: t.Any, run: t.Any, kind: str) -> None:
    tree(NS, config("a"), named("v1", kind, "d", "ns", spec={"storageClassName": "x"}))
    run(wait=False)
    tree(NS, config("a"))
    report = run()
    assert report.objects()["kept"] == [f"{kind} ns/d"]
    assert not report.changed
    assert run(prune=PruneOptions(data=frozenset({f"{kind} ns/d"}))).objects()["pruned"] == [f"{kind} ns/d"]


GUARDS = (("networking.k8s.io/v1", "NetworkPolicy"), ("v1", "ResourceQuota"), ("v1", "LimitRange"))


def test_a_namespace_that_is_kept_keeps_what_bounds_it(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a"), *(named(version, kind, "g", "ns") for version, kind in GUARDS))
    run(wait=False)
    tree()
    report = run()
    assert report.objects()["pruned"] == ["ConfigMap ns/a"]
    assert set(report.objects()["kept"]) == {
        "Namespace ns",
        "LimitRange ns/g",
        "ResourceQuota ns/g",
        "networking.k8s.io/NetworkPolicy ns/g",
    }
    assert not run().changed


def test_what_bounds_a_namespace_is_pruned_when_the_namespace_is_still_rendered(tree: t.Any, run: t.Any) -> None:
    tree(NS, named("networking.k8s.io/v1", "NetworkPolicy", "g", "ns"))
    run()
    tree(NS)
    assert run().objects()["pruned"] == ["networking.k8s.io/NetworkPolicy ns/g"]


def test_a_namespace_that_is_named_takes_its_contents_with_it(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a"), named("v1", "Secret", "d", "ns"), named("networking.k8s.io/v1", "NetworkPolicy", "g", "ns"))
    run()
    tree()
    cluster.requests.clear()
    report = run(prune=PruneOptions(data=frozenset({"Namespace ns"}), max=1))
    assert report.objects()["pruned"] == ["Namespace ns"]
    assert not report.objects()["kept"]
    deleted = [path for method, path, *_rest in cluster.writes if method == "DELETE"]
    # Its pods would run without a policy for a while.
    assert not [path for path in deleted if "networkpolicies" in path]


def test_objects_that_a_controller_made_with_copied_labels_survive(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a"), config("owned"))
    run()
    labels = {"labels": {PART_OF: ApplySet("serving", "llm-platform").id}}
    cluster.put("v1", "ConfigMap", "ns", "child", metadata=labels)
    cluster.objects["", "ConfigMap", "ns", "owned"].meta["ownerReferences"] = [{"controller": True, "name": "x"}]
    tree(NS, config("a"))
    assert not run().objects()["pruned"]


def test_more_than_the_cap_is_refused_before_anything_is_written(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a"), config("b"), config("c"))
    run()
    tree(NS, config("new"))
    cluster.requests.clear()
    with pytest.raises(PruneError, match=r"(?s)3 objects left the tree.*llm_prune_max=2.*ConfigMap ns/a"):
        run(prune=PruneOptions(max=2))
    assert cluster.writes == []
