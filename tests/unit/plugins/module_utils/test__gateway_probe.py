# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A guard that holds passes every probe, and each way of failing is noticed by name."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _gateway_probe_cache
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import validate_check
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe import PROBES
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import carry_out
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_guarded import FakeGuarded


def check(kind: str, *, stage: dict[str, t.Any] | None = None, **wrong: t.Any) -> dict[str, t.Any]:
    gateway = FakeGuarded(**wrong)
    with gateway.stage(**(stage or {})) as place:
        (found,), warnings = carry_out(PROBES, [kind], lambda _stack: place)
    assert not warnings
    assert not gateway.teams, "guests were left behind"
    assert all(not model.faults["only_with"] for model in gateway.models.values()), "a model still fails"
    assert found["id"] == PROBES[kind][0].id
    return validate_check(found)


@pytest.mark.parametrize("kind", PROBES)
def test_a_guard_that_holds_passes(kind: str) -> None:
    found = check(kind)
    assert (found.get("reason"), found["ok"], found["simulated"]) == (None, True, True)
    assert "sk-" not in json.dumps(found), "a key is in the evidence"


@pytest.mark.parametrize(
    ("kind", "wrong", "reason"),
    [
        ("admin_routes", {"opened": "/route/7/probe"}, "inside: DELETE /route/7/probe gave 200"),
        ("admin_routes", {"opened": "/route/8/probe"}, "outside, two: GET /route/8/probe gave 200"),
        ("admin_routes", {"opened": "/route/8/probe"}, "without a key: GET /route/8/probe gave 200"),
        ("admin_routes", {"opened": "/%6bey/list"}, "GET /%6bey/list gave 200"),
        ("admin_routes", {"opened": "/v1/models/../../key/list"}, "/v1/models/../../key/list gave 200"),
        ("admin_routes", {"opened": "/metrics"}, "GET /metrics gave 200"),
        ("admin_routes", {"handed_on": "/route/8/probe"}, "GET /route/8/probe gave 404"),
        ("admin_routes", {"silent": "/route/7/probe"}, "gave 0"),
        ("admin_routes", {"refuses_all": True}, "control POST /v1/chat/completions gave 401 invalid_api_key"),
        ("admin_routes", {"few_routes": True}, "did not run: /openapi.json describes 4 paths"),
        (
            "spoof",
            {"passes_header": "x-litellm-tags"},
            "with header x-litellm-tags: the model received what was slipped",
        ),
        ("spoof", {"passes_header": "x-litellm-tags"}, "with all together: the model received what was slipped in"),
        ("spoof", {"passes_field": "tags"}, "with field tags: the model received tags"),
        ("spoof", {"team_from_client": True}, "x-gateway-inference-fairness-id is 'spoofed', not"),
        ("spoof", {"no_priority": True}, "with nothing: x-gateway-inference-objective is 'chat-0', not 'chat-7'"),
        ("spoof", {"no_salt": True}, "with nothing: cache_salt is None"),
        ("spoof", {"echoes": True}, "the answer has what was slipped in"),
        ("spoof", {"asks_twice": True}, "the model received it 2 times"),
        ("spoof", {"obeys_timeout": True}, "with header x-litellm-timeout: status 504"),
        ("spoof", {"refuses_all": True}, "the model received it 0 times"),
        ("fallback", {"no_fallback": True}, "status 500, 0 fallbacks"),
        ("fallback", {"no_fallback": True}, "spare received nothing"),
        ("fallback", {"fallback_forgets": True}, "at spare: x-gateway-inference-fairness-id is None"),
        ("fallback", {"no_salt": True}, "at chat: cache_salt is None"),
        ("fallback", {"refuses_all": True}, "did not run: chat to spare, plain: without a failure"),
        ("cache", {"shared_salt": True}, "other teams found"),
        ("cache", {"no_cache": True}, "did not run: model 'chat' does not cache prefixes even for one team"),
        ("cache", {"refuses_all": True}, "did not run: a good request to model 'chat' gave status 401"),
    ],
)
def test_a_guard_that_fails_is_noticed(kind: str, wrong: dict[str, t.Any], reason: str) -> None:
    found = check(kind, **wrong)
    assert not found["ok"]
    assert reason in found["reason"]


@pytest.mark.parametrize(
    ("kind", "stage", "reason"),
    [
        ("admin_routes", {"inside": False}, "only the way through the cluster"),
        ("fallback", {"fallbacks": False}, "no model has a fallback"),
        ("fallback", {"simulated": False}, "keeps no log"),
        ("spoof", {"simulated": False}, "keeps a log"),
        ("cache", {"simulated": False}, "keeps a log"),
    ],
)
def test_what_cannot_be_tried_is_no_success(kind: str, stage: dict[str, t.Any], reason: str) -> None:
    found = check(kind, stage=stage)
    assert (found["ok"], found["observed"]) == (False, "did not run")
    assert reason in found["reason"]


def test_counters_that_others_move_too_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gateway_probe_cache.time, "sleep", lambda _seconds: None)
    gateway = FakeGuarded()
    work = gateway.models["chat"].work

    def busy(*args: t.Any) -> int | None:
        gateway.models["chat"].hits += 16
        return work(*args)

    gateway.models["chat"].work = busy  # type: ignore[method-assign]
    with gateway.stage() as place:
        (found,), _warnings = carry_out(PROBES, ["cache"], lambda _stack: place)
    assert "others used model 'chat' all the time" in found["reason"]


def test_a_model_that_somebody_else_lets_fail_is_left_alone() -> None:
    gateway = FakeGuarded()
    gateway.models["chat"].faults["only_with"] = "theirs"
    with gateway.stage() as place:
        (found,), _warnings = carry_out(PROBES, ["fallback"], lambda _stack: place)
    assert "somebody else lets requests" in found["reason"]
    assert gateway.models["chat"].faults == {"error_rate": 0.0, "only_with": "theirs", "delay_seconds": 0}
