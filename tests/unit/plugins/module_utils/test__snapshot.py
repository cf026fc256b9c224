# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What exists without our label is found with few requests, however much else the cluster holds."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import ApplySet
from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import Source, desired_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import PAGE
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._snapshot import take
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.wanted import named

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cluster import FakeCluster

SET = ApplySet("demo", "llm-platform")


def config(namespace: str, name: str) -> dict[str, t.Any]:
    return named("v1", "ConfigMap", name, namespace, data={})


def many(namespace: str) -> list[dict[str, t.Any]]:
    """More than one list holds."""
    return [config(namespace, f"other{number}") for number in range(PAGE + 1)]


def put(cluster: FakeCluster, *objects: dict[str, t.Any]) -> None:
    for name in {obj["metadata"]["namespace"] for obj in objects}:
        cluster.client.apply(namespace := named("v1", "Namespace", name), ref_of(namespace))
    for obj in objects:
        assert cluster.client.apply(obj, ref_of(obj)).status == 201


def wanted(cluster: FakeCluster, *objects: dict[str, t.Any]) -> tuple[set[str], list[str]]:
    """The names found on the cluster, and the paths that were asked for them."""
    desired = desired_of([Source("demo", str(number), obj) for number, obj in enumerate(objects)], {"demo": SET})
    cluster.requests.clear()
    with ThreadPoolExecutor(4) as pool:
        snapshot = take(cluster.client, desired, (), "none", pool)
    asked = [path.partition("/v1/")[2] for _method, path, query, _body in cluster.requests if "configmaps" in path]
    found = {live["metadata"]["name"] for live in snapshot.others.values()}
    return found, asked[1:]  # the first one lists members


def test_a_few_are_asked_for_by_name(cluster: FakeCluster) -> None:
    put(cluster, config("a", "x"))
    found, asked = wanted(cluster, config("a", "x"), config("a", "y"))
    assert found == {"x"}
    assert asked == ["namespaces/a/configmaps/x", "namespaces/a/configmaps/y"]


def test_many_in_one_namespace_are_looked_up_there(cluster: FakeCluster) -> None:
    put(cluster, config("a", "x3"), config("b", "x4"))
    found, asked = wanted(cluster, *(config("a", f"x{number}") for number in range(6)))
    assert found == {"x3"}
    assert asked == ["namespaces/a/configmaps", "namespaces/a/configmaps/x3"]


def test_many_in_many_namespaces_are_looked_up_in_one_list(cluster: FakeCluster) -> None:
    put(cluster, config("p3", "x"))
    found, asked = wanted(cluster, *(config(f"p{number}", "x") for number in range(6)))
    assert found == {"x"}
    assert asked == ["configmaps", "namespaces/p3/configmaps/x"]


def test_where_the_one_list_is_cut_off_every_namespace_has_its_own(cluster: FakeCluster) -> None:
    put(cluster, *many("elsewhere"), config("p3", "x2"))
    found, asked = wanted(cluster, *(config(f"p{place}", f"x{number}") for place in range(4) for number in range(5)))
    assert found == {"x2"}
    assert asked == [
        "configmaps",
        *(f"namespaces/p{place}/configmaps" for place in range(4)),
        "namespaces/p3/configmaps/x2",
    ]


def test_where_even_that_is_cut_off_each_is_asked_for(cluster: FakeCluster) -> None:
    put(cluster, *many("a"), config("a", "x2"))
    found, asked = wanted(cluster, *(config("a", f"x{number}") for number in range(5)))
    assert found == {"x2"}
    assert len(asked) == 6
