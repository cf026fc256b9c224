# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Entrances that hold pass every probe, and each way of failing is noticed by name."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _gateway_probe_routes
from ansible_collections.wmx.llm_platform.plugins.module_utils import _gateway_probe_stage as gateway_stage
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import validate_check
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe import PROBES
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import carry_out
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_edge import LIMITS, WIDE, FakeEdge

if t.TYPE_CHECKING:
    import pathlib


def check(folder: pathlib.Path, kind: str, *, public: bool = True, **wrong: t.Any) -> dict[str, t.Any]:
    edge = FakeEdge(folder, LIMITS if kind == "rate" else WIDE, **wrong)
    with edge.stage(public=public) as place:
        (found,), warnings = carry_out(PROBES, [kind], lambda _stack: place)
    assert not warnings
    assert not edge.guarded.teams, "guests were left behind"
    assert found["id"] == PROBES[kind][0].id
    return validate_check(found)


@pytest.mark.parametrize("kind", PROBES)
def test_entrances_that_hold_pass(tmp_path: pathlib.Path, kind: str) -> None:
    found = check(tmp_path, kind)
    assert (found.get("reason"), found["ok"], found["simulated"]) == (None, True, True)
    assert "sk-" not in json.dumps(found), "a key is in the evidence"


@pytest.mark.parametrize(
    ("kind", "wrong", "reason"),
    [
        ("tls", {"old_tls": True}, "TLS 1.0 is accepted"),
        ("tls", {"any_host": True}, "a host that is not ours is accepted"),
        ("tls", {"other_certificate": True}, "did not run: the public entrance: GET /v1/models got no answer"),
        ("tls", {"no_hsts": True}, "strict-transport-security: None"),
        ("tls", {"serves_without_tls": True}, "without TLS GET /v1/models gave 200"),
        ("tls", {"redirects_elsewhere": True}, "without TLS GET /v1/models gave 301 http://elsewhere/v1/models"),
        ("tls", {"closed": "/v1/models"}, "control GET /v1/models gave 404 unknown_route"),
        ("allow_list", {"opened": "/route/8/probe"}, "the public entrance: GET /route/8/probe gave 404 unknown_url"),
        ("allow_list", {"opened": "/key/list"}, "the internal entrance, master key: GET /key/list gave 200"),
        ("allow_list", {"opened": "/health/readiness"}, "entrance, master key: GET /health/readiness gave 200"),
        (
            "allow_list",
            {"hands_all_on": True},
            "the internal entrance: DELETE /health/liveliness gave 405 method_not_allowed",
        ),
        ("allow_list", {"closed": "/v1/responses"}, "a tenant's pod: control POST /v1/responses gave 404"),
        ("allow_list", {"plain_errors": True}, "gave 404"),
        ("allow_list", {"guarded": {"few_routes": True}}, "did not run: /openapi.json describes 4 paths"),
        ("body", {"no_body_limit": True}, "the internal entrance: 4097 bytes, length told, gave 400 invalid_json"),
        ("body", {"trusts_length": True}, "the public entrance: 4097 bytes, length not told, gave 400"),
        ("body", {"small_body_limit": True}, "4096 bytes gave 413 request_too_large"),
        ("body", {"plain_errors": True}, "length told, gave 413"),
        ("body", {"guarded": {"refuses_all": True}}, "control gave 401"),
        ("spoof", {"guarded": {"passes_header": "x-litellm-tags"}}, "the model received what was slipped in"),
        ("spoof", {"guarded": {"team_from_client": True}}, "x-gateway-inference-fairness-id is 'spoofed', not"),
        ("rate", {"no_rate_limit": True}, "nothing was refused in"),
        ("rate", {"rate_for_all": True}, "another address was not answered meanwhile"),
        ("rate", {"no_retry_after": True}, "Retry-After ''"),
        ("rate", {"plain_errors": True}, "the refusal says {}"),
    ],
)
def test_entrances_that_fail_are_noticed(
    tmp_path: pathlib.Path, kind: str, wrong: dict[str, t.Any], reason: str
) -> None:
    found = check(tmp_path, kind, **wrong)
    assert not found["ok"]
    assert reason in found["reason"]


def test_without_a_public_entrance_tls_is_not_proven(tmp_path: pathlib.Path) -> None:
    found = check(tmp_path, "tls", public=False)
    assert (found["ok"], found["observed"]) == (False, "did not run")
    assert "there is no public entrance" in found["reason"]


@pytest.mark.parametrize("kind", ["allow_list", "body"])
def test_without_a_public_entrance_the_internal_one_is_tried_alone(tmp_path: pathlib.Path, kind: str) -> None:
    found = check(tmp_path, kind, public=False)
    assert found["ok"], found.get("reason")
    assert "the public entrance" not in found["observed"]


@pytest.mark.parametrize(("entrance", "faults"), [(True, 0), (False, 8)])
def test_the_guards_own_probe_comes_by_the_entrance_where_there_is_one(
    tmp_path: pathlib.Path, *, entrance: bool, faults: int
) -> None:
    with FakeEdge(tmp_path).stage() as place:
        stage = gateway_stage.Stage(
            [gateway_stage.Replica("one", place.admin)],
            place.models,
            place.guests,
            inside=place.inside(60),
            entrance=entrance,
        )
        seen = _gateway_probe_routes.observe(stage)
        place.guests.remove()
    assert len(seen.faults) == faults, "what the entrance says is not what the guard says"
