# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""An object that lacks nothing is written only when the server says that something would change."""

from __future__ import annotations

import copy
import json
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_one import Applier
from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import Desired
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

WANTED = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "safe"},
    "spec": {"matchConstraints": {"resourceRules": [{"apiGroups": ["apps"]}]}},
}


def live(**match: t.Any) -> dict[str, t.Any]:
    """What the cluster has: the server's defaults inside an atomic map, and who owns it."""
    found = copy.deepcopy(WANTED)
    found["spec"]["matchConstraints"] |= {"matchPolicy": "Equivalent", **match}  # type: ignore[index]
    owned = {"f:spec": {"f:matchConstraints": {}}}
    found["metadata"] |= {  # type: ignore[operator]
        "resourceVersion": "7",
        "managedFields": [
            {"manager": "llm-platform", "operation": "Apply", "fieldsV1": owned, "time": "2026-01-01T00:00:00Z"}
        ],
    }
    return found


class Client:
    """Answers every apply with one object and remembers which were dry runs."""

    def __init__(self, answer: dict[str, t.Any]) -> None:
        self.answer = answer
        self.dry_runs: list[bool] = []

    def apply(self, obj: t.Any, ref: t.Any, *, dry_run: bool = False, timeout: float | None = None) -> Response:
        self.dry_runs.append(dry_run)
        return Response(200, json.dumps(self.answer).encode())


def apply(client: Client, before: dict[str, t.Any]) -> str:
    ref = ref_of(WANTED)
    desired = Desired(ref, t.cast("t.Any", None), "file.yml", WANTED, (0, 0, 0))
    return Applier(t.cast("t.Any", client), dry_run=False).apply(desired, before).action


def test_new_times_of_ownership_are_no_change_and_are_not_written() -> None:
    after = live()
    after["metadata"]["resourceVersion"] = "8"
    after["metadata"]["managedFields"][0]["time"] = "2026-02-02T00:00:00Z"
    client = Client(after)
    assert apply(client, live()) == "unchanged"
    assert client.dry_runs == [True]


def test_a_default_that_somebody_changed_in_an_atomic_map_is_taken_back() -> None:
    after = live()
    after["metadata"]["resourceVersion"] = "8"
    client = Client(after)
    assert apply(client, live(matchPolicy="Exact")) == "changed"
    assert client.dry_runs == [True, False]


def test_an_object_that_lacks_something_is_written_at_once() -> None:
    before = live()
    before["spec"]["matchConstraints"]["resourceRules"] = []
    after = live()
    after["metadata"]["resourceVersion"] = "8"
    client = Client(after)
    assert apply(client, before) == "changed"
    assert client.dry_runs == [False]
