# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import time
import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import GateError
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import pin
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULE_NAMES, gate
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import read_tree, write_component
from ansible_collections.wmx.llm_platform.plugins.modules import policy_gate

if t.TYPE_CHECKING:
    import pathlib

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "edge", "namespace": "n"},
    "spec": {"type": "NodePort"},
}
EXCUSE = {"rule": "exposure", "object": "Service n/edge", "owner": "ada", "reason": "the edge of a test"}


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    write_component(tmp_path, "routing", "gateway", [SERVICE])
    write_component(tmp_path, "serving", "serving", [])
    return tmp_path


def test_a_finding_names_file_object_rule_and_fix(tree: pathlib.Path) -> None:
    result = gate(tree, None, "dev", [])
    (finding,) = result["refused"]
    assert finding["file"] == "routing/gateway/core.Service.n.edge.yml"
    assert finding["rule"] == "exposure"
    assert result["report"].splitlines()[0] == "The tree has 1 finding; nothing was delivered."


def test_an_exception_excuses_it_and_stays_in_the_result(tree: pathlib.Path) -> None:
    result = gate(tree, None, "dev", [EXCUSE])
    assert result["refused"] == []
    assert [finding["owner"] for finding in result["excused"]] == ["ada"]
    idle = gate(tree, None, "dev", [EXCUSE, {**EXCUSE, "object": "Service n/gone"}])
    assert idle["unused_exceptions"] == [{"rule": "exposure", "object": "Service n/gone"}]


def test_only_the_named_components_are_held_to_the_rules(tree: pathlib.Path) -> None:
    assert gate(tree, ["serving"], "dev", [])["refused"] == []
    assert gate(tree, ["gateway"], "dev", [])["refused"]


def test_digests_are_demanded_unless_nothing_can_pin_yet(tmp_path: pathlib.Path) -> None:
    job = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"image": "busybox:1"}}
    write_component(tmp_path, "serving", "serving", [job])
    assert [finding["rule"] for finding in gate(tmp_path, None, "dev", [])["refused"]] == ["pinned"]
    assert gate(tmp_path, None, "dev", [], demand_digests=False)["refused"] == []


def test_an_incomplete_exception_is_an_error(tree: pathlib.Path) -> None:
    with pytest.raises(GateError, match="lacks owner"):
        gate(tree, None, "dev", [{**EXCUSE, "owner": ""}])


def test_the_documented_rules_are_all_there_are() -> None:
    options = yaml.safe_load(policy_gate.DOCUMENTATION)["options"]
    assert tuple(options["exceptions"]["suboptions"]["rule"]["choices"]) == RULE_NAMES


def test_pinning_and_judging_500_objects_takes_less_than_a_second_and_a_half(tmp_path: pathlib.Path) -> None:
    image = "ghcr.io/org/app:v1"
    lock = Lock({image: Entry("sha256:" + "1" * 64, "index", VERIFIED)})
    container = {"name": "c", "image": image, "args": [f"--flag-{number}=value" for number in range(20)]}
    objects = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": f"app-{number}", "namespace": "n"},
            "spec": {"template": {"spec": {"containers": [container, container]}}},
        }
        for number in range(500)
    ]
    write_component(tmp_path, "serving", "serving", objects)
    began = time.process_time()
    pinned = pin([entry.object for entry in read_tree(tmp_path)], lock)
    pinned.demand_all("the lock")
    assert len(gate(tmp_path, None, "dev", [])["refused"]) > 500
    assert time.process_time() - began < 1.5
