# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A delivery creates, repairs and leaves alone, in the right order."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import DesiredError
from ansible_collections.wmx.llm_platform.plugins.module_utils._lease import LeaseError
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.wanted import HOOK, NS, PART_OF, config, named


def test_a_first_run_creates_all_and_a_second_sends_nothing_but_the_lease(
    cluster: t.Any, tree: t.Any, run: t.Any
) -> None:
    tree(NS, config("a", x="1"), named("v1", "Secret", "s", "ns", stringData={"key": "value"}))
    assert run().objects()["created"] == ["ConfigMap ns/a", "Namespace ns", "Secret ns/s"]
    cluster.requests.clear()
    report = run()
    assert not report.changed
    assert len(report.objects()["unchanged"]) == 3
    assert {path.rsplit("/", 2)[-2] for _method, path, _query, _body in cluster.writes} == {"leases"}


def test_namespaces_come_first_and_webhook_configurations_last(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(
        named("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "w", webhooks=[]),
        config("a"),
        named("v1", "Service", "s", "ns"),
        NS,
    )
    run()
    order = [
        path.rsplit("/", 1)[-1]
        for method, path, _q, body in cluster.writes
        if method == "PATCH" and PART_OF in str(body)
    ]
    assert order[0] == "ns"
    assert order[-1] == "w"


def test_phases_come_before_and_after_all_others(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    cluster.on_apply.append(lambda stored: stored.status.update(done) if stored.head["kind"] == "Job" else None)
    tree(
        NS,
        config("main"),
        named("batch/v1", "Job", "pre", "ns", metadata={"annotations": {HOOK: "before"}}),
        named("batch/v1", "Job", "post", "ns", metadata={"annotations": {HOOK: "after"}}),
    )
    run()
    order = [
        path.rsplit("/", 1)[-1]
        for method, path, _q, body in cluster.writes
        if method == "PATCH" and PART_OF in str(body)
    ]
    assert order == ["ns", "pre", "main", "post"]


def test_drift_is_repaired_and_its_writer_named(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("edited", x="1"), config("deleted", x="1"))
    run()
    cluster.edit(("", "ConfigMap", "ns", "edited"), "kubectl-edit", {"data": {"x": "2"}}, "2026-05-05T05:05:05Z")
    del cluster.objects["", "ConfigMap", "ns", "deleted"]
    report = run()
    assert report.objects()["created"] == ["ConfigMap ns/deleted"]
    assert report.objects()["changed"] == ["ConfigMap ns/edited"]
    assert report.taken_back() == [
        {"ref": "ConfigMap ns/edited", "path": "data.x", "manager": "kubectl-edit", "time": "2026-05-05T05:05:05Z"}
    ]
    assert cluster.get(("", "ConfigMap", "ns", "edited"))["data"] == {"x": "1"}


def test_fields_of_others_survive(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a", x="1"))
    run()
    cluster.edit(("", "ConfigMap", "ns", "a"), "other", {"data": {"theirs": "1"}})
    assert not run().changed
    tree(NS, config("a", x="3"))
    assert run().objects()["changed"] == ["ConfigMap ns/a"]
    assert cluster.get(("", "ConfigMap", "ns", "a"))["data"] == {"x": "3", "theirs": "1"}


def test_an_object_that_existed_before_is_adopted_and_shown_in_the_diff(
    cluster: t.Any, tree: t.Any, run: t.Any
) -> None:
    cluster.put("v1", "ConfigMap", "ns", "a", data={"x": "old"})
    tree(NS, config("a", x="1"))
    report = run()
    assert report.objects()["changed"] == ["ConfigMap ns/a"]
    entry = next(item for item in report.diff() if "ConfigMap" in item["before_header"])
    assert "x: old" in entry["before"]
    assert 'x: "1"' in entry["after"]


def test_the_home_namespace_comes_from_the_tree_before_the_lease(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    del cluster.objects["", "Namespace", "", "llm-platform"]
    home = named(
        "v1", "Namespace", "llm-platform", metadata={"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    )
    tree(home, config("a", "llm-platform"))
    report = run()
    assert "Namespace llm-platform" in report.objects()["created"]
    assert cluster.writes[0][1] == "/api/v1/namespaces/llm-platform"
    assert (
        cluster.get(("", "Namespace", "", "llm-platform"))["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    assert not run().changed


def test_a_run_beside_another_is_refused(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, config("a"))
    run()
    key = ("coordination.k8s.io", "Lease", "llm-platform", "llm-platform-deliver")
    cluster.edit(
        key,
        "x",
        {
            "spec": {
                "holderIdentity": "ann@laptop/7",
                "renewTime": "2026-11-23T09:59:55.000000Z",
                "leaseDurationSeconds": 30,
            }
        },
    )
    with pytest.raises(LeaseError, match=r"ann@laptop/7 holds the Lease .* \(renewed 5 s ago\)"):
        run()


def test_no_object_is_in_two_components(tree: t.Any, run: t.Any) -> None:
    tree(config("a"))
    tree(config("a"), component="other")
    with pytest.raises(DesiredError, match="ConfigMap ns/a is in two components"):
        run("serving", "other")


def test_the_lists_of_a_run_do_not_grow_with_the_number_of_objects(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    tree(NS, *(config(f"c{number}", x="1") for number in range(510)))
    run()
    cluster.requests.clear()
    assert len(run().objects()["unchanged"]) == 511
    assert len(cluster.requests) < 20
    assert sum("continue" in query for _method, _path, query, _body in cluster.requests) == 1
