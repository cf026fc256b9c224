# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.filter.tenant_state import FilterModule
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_state import keys_of, teams_of

KEY: dict[str, t.Any] = {
    "name": "app",
    "state": "active",
    "secret": "llm-key-app",
    "budget": {"usd": 20.0, "period": "30d"},
    "models": ["chat"],
    "served_models": ["org/chat-7b"],
    "limits": {"rpm": 6, "tpm": None, "parallel": 4},
    "expires": "30d",
    "rotate": {"generation": 2, "after": "1728000s", "overlap_seconds": 3600},
}
RED: dict[str, t.Any] = {
    "name": "red",
    "namespace": "tenant-red",
    "state": "active",
    "budget": {"usd": 50.0, "period": "30d"},
    "models": ["chat", "embed"],
    "served_models": ["org/chat-7b", "embed"],
    "limits": {"rpm": 60, "tpm": None},
    "priority": "critical",
    "keys": [KEY],
}


def test_a_team_has_what_its_tenant_may_do() -> None:
    assert teams_of([RED], []) == [
        {
            "alias": "red",
            "state": "present",
            "budget_usd": 50.0,
            "budget_period": "30d",
            "models": ["org/chat-7b", "embed"],
            "rpm": 60,
            "unlimited": ["tpm"],
            "priority": 10,
            "metadata": {"namespace": "tenant-red"},
        }
    ]


def test_a_limited_team_says_nothing_of_unlimited() -> None:
    (team,) = teams_of([{**RED, "limits": {"rpm": 1, "tpm": 2}}], [])
    assert "unlimited" not in team


def test_blocked_tenants_stay_and_former_ones_go() -> None:
    teams = teams_of([{**RED, "state": "blocked"}], [{"name": "old", "namespace": "tenant-old"}])
    assert [(team["alias"], team["state"]) for team in teams] == [("red", "blocked"), ("old", "absent")]


def test_a_key_has_its_secret_and_limits() -> None:
    assert keys_of([RED]) == [
        {
            "team": "red",
            "name": "app",
            "state": "present",
            "secret": {"namespace": "tenant-red", "name": "llm-key-app"},
            "models": ["org/chat-7b"],
            "budget_usd": 20.0,
            "budget_period": "30d",
            "rpm": 6,
            "parallel": 4,
            "expires": "30d",
            "rotation": {"generation": 2, "after": "1728000s", "overlap_seconds": 3600},
        }
    ]


def test_a_key_for_all_models_of_its_tenant_follows_them() -> None:
    (key,) = keys_of([{**RED, "models": ["chat"], "served_models": ["org/chat-7b"]}])
    assert key["models"] == []


@pytest.mark.parametrize("state", ["blocked", "revoked", "absent"])
def test_a_key_that_is_not_active_says_so(state: str) -> None:
    (key,) = keys_of([{**RED, "keys": [{**KEY, "state": state}]}])
    assert key["state"] == state


def test_the_filters_are_these_functions() -> None:
    filters = FilterModule().filters()
    assert filters["tenant_teams"]([RED], [{"name": "old"}]) == teams_of([RED], [{"name": "old"}])
    assert filters["tenant_keys"]([RED]) == keys_of([RED])
