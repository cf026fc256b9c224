# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Check mode says what a run would do, on an empty cluster too."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply import ApplyError
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.wanted import NS, config, named


def test_check_mode_writes_nothing_and_tells_the_truth(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a", x="1"), config("b", x="1"), config("gone"))
    run()
    tree(NS, config("a", x="2"), config("b", x="1"), config("new"))
    before = {key: stored.live() for key, stored in cluster.objects.items()}
    cluster.requests.clear()
    planned = run(check=True)
    for method, _path, query, body in cluster.writes:
        assert (query.get("dryRun") if method == "PATCH" else body["dryRun"][0]) == "All"
    assert {key: stored.live() for key, stored in cluster.objects.items()} == before
    assert "ConfigMap ns/gone" in planned.objects()["pruned"]
    assert planned.objects() == run().objects()


def test_check_mode_on_an_empty_cluster_validates_offline(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    crd = {
        "group": "x.example",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
                    }
                },
            }
        ],
    }
    things = named("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.x.example", spec=crd)
    del cluster.objects["", "Namespace", "", "llm-platform"]
    tree(NS, things, config("a", x="1"), named("x.example/v1", "Thing", "t", "ns", spec={"size": 1}))
    report = run(check=True)
    assert report.objects()["would_create"] == ["ConfigMap ns/a", "x.example/Thing ns/t"]
    assert report.not_validated() == []
    assert len(report.diff()) == 4
    assert cluster.objects == {}
    tree(
        NS,
        things,
        named("v1", "ConfigMap", "a", "ns", data={"x": 1}),
        named("x.example/v1", "Thing", "t", "ns", spec={"sise": 1}),
        config("lost", "nowhere"),
        named("y.example/v1", "Other", "o", "ns"),
    )
    with pytest.raises(ApplyError) as caught:
        run(check=True)
    text = str(caught.value)
    assert "4 errors" in text
    assert "ConfigMap ns/a (serving/serving/core.ConfigMap.ns.a.yml): data.x" in text
    assert "'sise' was unexpected" in text
    assert "neither the cluster nor the tree has namespace nowhere" in text
    assert "neither server nor tree has a CustomResourceDefinition for y.example/v1 Other" in text
