# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A delivery that goes wrong: what is tried again, what is said, what is not shown."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply import ApplyError
from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import ApplySet
from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import DesiredError
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.wanted import HOOK, NS, config, named

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.wanted import Object


def test_a_failed_job_of_phase_before_stops_the_run(cluster: t.Any, tree: t.Any, run: t.Any) -> None:
    broken = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    cluster.on_apply.append(lambda stored: stored.status.update(broken) if stored.head["kind"] == "Job" else None)
    tree(NS, config("main"), named("batch/v1", "Job", "pre", "ns", metadata={"annotations": {HOOK: "before"}}))
    with pytest.raises(ApplyError, match=r"batch/Job ns/pre: Failed=True \(BackoffLimitExceeded\)"):
        run()
    assert cluster.get(("", "ConfigMap", "ns", "main")) is None


def test_a_field_that_is_changed_again_at_once_fails_and_names_the_controller(
    cluster: t.Any, tree: t.Any, run: t.Any
) -> None:
    tree(NS, config("a", x="1"))
    run()
    key = ("", "ConfigMap", "ns", "a")
    cluster.edit(key, "fighter", {"data": {"x": "2"}})
    cluster.on_apply.append(
        lambda stored: (
            stored.edit("fighter", {"data": {"x": "2"}}, "2026-06-06T00:00:00Z")
            if stored.values.get(("f:data", "f:x"))
            else None
        )
    )
    with pytest.raises(ApplyError, match=r"ConfigMap ns/a .*data\.x was taken back, and fighter changed it again"):
        run()


def test_all_errors_are_reported_with_object_file_and_the_servers_message(
    cluster: t.Any, tree: t.Any, run: t.Any, refuse: t.Any
) -> None:
    def answer(method: str, path: str, _query: Object, _body: t.Any) -> t.Any:
        if method == "PATCH" and path.endswith("/bad"):
            return refuse(422, "Invalid", "data.x: too long")
        if method == "PATCH" and path.endswith("/forbidden"):
            return refuse(403, "Forbidden", "user cannot patch services")
        return None

    cluster.script.append(answer)
    tree(
        NS,
        config("bad", x="1"),
        config("good"),
        named("v1", "Service", "forbidden", "ns"),
        named("v1", "Service", "s", "ns"),
    )
    with pytest.raises(ApplyError) as caught:
        run()
    text = str(caught.value)
    assert "ConfigMap ns/bad (serving/serving/core.ConfigMap.ns.bad.yml): the API server answered 422 Invalid" in text
    assert "data.x: too long" in text
    assert "Service ns/forbidden" in text
    assert "user cannot patch services" in text
    assert caught.value.report.objects()["created"] == ["ConfigMap ns/good", "Namespace ns"]
    assert cluster.get(("", "Service", "ns", "s")) is None, "the stages after an error are only tried out"


def test_a_secret_does_not_show_in_errors_or_diffs(cluster: t.Any, tree: t.Any, run: t.Any, refuse: t.Any) -> None:
    tree(NS, named("v1", "Secret", "s", "ns", stringData={"key": "hunter2", "same": "same"}))
    shown = str(run().diff())
    tree(NS, named("v1", "Secret", "s", "ns", stringData={"key": "hunter3", "same": "same"}))
    shown += str((changed := run()).diff())
    assert changed.diff()[0]["after"].count("(changed)") == 1
    cluster.script.append(
        lambda method, _path, _query, body: (
            refuse(422, "Invalid", f"bad: {body['data']}") if method == "PATCH" else None
        )
    )
    tree(NS, named("v1", "Secret", "s", "ns", stringData={"key": "hunter4"}))
    with pytest.raises(ApplyError) as caught:
        run()
    shown += str(caught.value)
    assert "bad: " in shown
    for value in ("hunter", "aHVudGVy"):
        assert value not in shown


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (500, "InternalError", 'failed calling webhook "x": dial tcp 10.0.0.1:443: connect: connection refused'),
        (500, "InternalError", "etcdserver: leader changed"),
        (409, "Conflict", "the object has been modified; please apply your changes to the latest version"),
    ],
)
def test_what_is_transient_is_tried_again(
    cluster: t.Any, tree: t.Any, run: t.Any, refuse: t.Any, code: int, reason: str, message: str
) -> None:
    left = [1, 1]
    cluster.script.append(
        lambda method, path, _q, _b: (
            refuse(code, reason, message) if method == "PATCH" and path.endswith("/a") and left and left.pop() else None
        )
    )
    tree(NS, config("a"))
    assert "ConfigMap ns/a" in run().objects()["created"]
    assert left == []


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (422, "Invalid", "no"),
        (403, "Forbidden", "no"),
        (400, "BadRequest", 'admission webhook "x" denied the request: no'),
        (500, "", "failed to create typed patch object: .data.x: expected string"),
    ],
)
def test_what_is_not_transient_is_tried_once(
    cluster: t.Any, tree: t.Any, run: t.Any, refuse: t.Any, code: int, reason: str, message: str
) -> None:
    tries: list[str] = []

    def answer(method: str, path: str, _query: Object, _body: t.Any) -> t.Any:
        if method == "PATCH" and path.endswith("/a"):
            tries.append(path)
            return refuse(code, reason, message)
        return None

    cluster.script.append(answer)
    tree(NS, config("a"))
    with pytest.raises(ApplyError):
        run()
    assert len(tries) == 1


def test_a_webhook_that_stays_away_ends_the_run_with_its_name(
    cluster: t.Any, tree: t.Any, run: t.Any, refuse: t.Any
) -> None:
    message = 'failed calling webhook "mpod.kb.io": no endpoints available for service "kueue"'
    cluster.script.append(
        lambda method, path, _q, _b: (
            refuse(500, "InternalError", message) if method == "PATCH" and path.endswith("/a") else None
        )
    )
    tree(NS, config("a"))
    with pytest.raises(ApplyError, match=r"mpod\.kb\.io.*look at the pods of its operator"):
        run()


def test_an_object_must_not_take_the_name_of_what_remembers_its_component(tree: t.Any, run: t.Any) -> None:
    parent = ApplySet("serving", "llm-platform").parent
    tree(NS, named("v1", "ConfigMap", parent.name, parent.namespace))
    with pytest.raises(DesiredError, match=r"ConfigMap llm-platform/llm-platform-serving is what remembers"):
        run()
