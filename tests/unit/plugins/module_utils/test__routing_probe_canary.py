# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A canary that gets another share, and a pool that lost its picker, are found out."""

from __future__ import annotations

from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_routing import Picker, Pod, error
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.test__routing_probe import World, only_fault


def test_a_canary_that_gets_its_share_by_two_pickers_fulfils_the_claim() -> None:
    checks, warnings = World().probe("canary")
    check = checks["canary-split"]
    assert check["ok"], check["reason"]
    assert check["class"] == "destructive"
    assert "10.0 % of 300 requests went to the canary" in check["observed"]
    assert "100% of 270 at the model, 100% of 30 at the canary" in check["observed"]
    assert len(check["table"]["rows"]) == 6
    assert warnings == []


def test_what_is_in_the_gateways_namespace_is_removed_too() -> None:
    world = World()
    world.probe("canary")
    made = [name for name in world.api.made if not name.startswith("-")]
    removed = [name for name in world.api.made if name.startswith("-")]
    assert removed == [f"-{made[-1]}", f"-{made[0]}"]
    assert [name.split()[0] for name in removed] == ["-EnvoyFilter", "-ConfigMap"]


def test_without_a_canary_to_prove_none_is_made() -> None:
    world = World()
    world.probe("least")
    assert not [name for name in world.api.made if "EnvoyFilter" in name or "-canary" in name]


def test_a_share_that_is_not_kept_is_found_out() -> None:
    world = World()
    world.api.splits = False
    checks, _warnings = world.probe("canary")
    only_fault(checks, "canary-split", "0.0 % of 300 requests went to the canary")


def test_a_model_that_lost_its_picker_is_found_out_though_the_shares_are_right() -> None:
    world = World()
    world.picker = Picker("blind")
    checks, _warnings = world.probe("canary")
    only_fault(checks, "canary-split", "of 270 requests to the model went to its replica without a queue")


def test_a_canary_that_lost_its_picker_is_found_out_though_the_shares_are_right() -> None:
    world = World()
    world.canary_picker = Picker("stuck")
    checks, _warnings = world.probe("canary")
    only_fault(checks, "canary-split", "only 33% of 30 requests to the canary went to its replica without a queue")


def test_requests_that_wait_in_queues_do_not_hold_the_probe_up() -> None:
    world = World()
    world.patience = 0.05
    world.canary_picker = Picker("stuck")
    world.api.slow = True
    checks, _warnings = world.probe("canary")
    only_fault(checks, "canary-split", "of 300 requests arrived")


def test_requests_that_fail_are_told_by_their_number() -> None:
    world = World()
    world.gateway.refused = error(503, "no_ready_endpoint")
    checks, _warnings = world.probe("canary")
    only_fault(checks, "canary-split", "no request arrived", "requests failed: status 503")


def with_canary() -> World:
    world = World()
    world.models["chat-canary"] = Pod("org/chat", "chat-canary-1")
    world.gateway.pools["chat-canary"] = [world.models["chat-canary"]]
    return world


def test_a_canarys_path_leads_to_its_own_pods_under_its_models_name() -> None:
    assert with_canary().probe("routed")[0]["routed-by-model"]["ok"]


def test_a_canarys_path_that_leads_to_its_models_pods_is_found_out() -> None:
    world = with_canary()
    world.gateway.crossed = {"chat-canary": "chat"}
    checks, _warnings = world.probe("routed")
    only_fault(checks, "routed-by-model", "/m/chat-canary: received by other pods of org/chat")
