# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A gateway that serves its tenants passes every probe, and each way of failing them is noticed by name."""

from __future__ import annotations

import json
import re
import time
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import validate_check
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe import CLAIMS, carry_out, probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    GUEST,
    LIFETIME_SECONDS,
    Guests,
    Key,
    Team,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_gateway import FakeGateway

KINDS = list(CLAIMS)


def check(kind: str, **wrong: t.Any) -> dict[str, t.Any]:
    gateway = FakeGateway(**wrong)
    gateway.token_seconds = 0.004
    (found,) = carry_out(gateway.stage(), [kind])
    assert found["id"] == CLAIMS[kind].id
    return validate_check(found)


@pytest.mark.parametrize("models", [("chat",), ("chat", "code")], ids=len)
def test_a_gateway_without_defects_passes_all_probes_at_once(models: tuple[str, ...]) -> None:
    gateway = FakeGateway(models=models)
    gateway.token_seconds = 0.004
    checks = carry_out(gateway.stage(), KINDS)
    assert [(item["id"], item.get("reason")) for item in checks] == [(CLAIMS[kind].id, None) for kind in KINDS]
    assert all(item["ok"] and item["simulated"] for item in checks)
    text = json.dumps(checks)
    assert not [value for value in gateway.keys if value in text], "a key is in the evidence"


@pytest.mark.parametrize(
    ("kind", "wrong", "reason"),
    [
        ("answers", {"open_to_all": True}, "an unknown key gave 200"),
        ("answers", {"refuses_everybody": True}, "401 auth_error"),
        ("wrong_model", {"any_model": True}, "not among the key's models: 200"),
        ("wrong_model", {"refuses_everybody": True}, "control of the allowed key"),
        ("expired_key", {"keeps_expired": True}, "still answered"),
        ("expired_key", {"refuses_everybody": True}, "control before it expires"),
        ("rate_limit", {"limits_per_replica": True}, "8 answered, the limit is 4"),
        ("rate_limit", {"no_limits": True}, "answered and no end"),
        ("rate_limit", {"refuses_everybody": True}, "401 auth_error"),
        ("rate_limit", {"replicas": 1}, "2 are needed"),
        ("revoked_key", {"keeps_revoked": frozenset({"litellm-b"})}, "key deleted: litellm-b still answered"),
        ("revoked_key", {"forgets_revocation_after": 0.05}, "answered again"),
        ("revoked_key", {"refuses_everybody": True}, "was not answered: 401"),
        ("over_budget", {"budget_ignored": True}, "40 requests answered and no end"),
        ("over_budget", {"budget_per_key": True}, "were answered, the budget is"),
        ("over_budget", {"asks_model_when_over_budget": True}, "refused request(s) reached the model"),
        ("over_budget", {"refuses_everybody": True}, "control of a key without budget"),
        ("spend", {"price_factor": 1.01}, "completed in the ledger"),
        ("spend", {"cancels_free": True}, "cancelled at the models"),
        ("spend", {"books_twice": True}, "2 times"),
        ("spend", {"loses_rows": 1}, "is missing"),
        ("spend", {"key_spend_lags": True}, "spend of a key"),
        ("spend", {"failed_cost": 0.01}, "failed requests that cost"),
        ("spend", {"ledger_delay": 30.0}, "is missing"),
        ("spend", {"refuses_everybody": True}, "a request that had to be answered: 401"),
    ],
    ids=str,
)
def test_a_defect_is_noticed(kind: str, wrong: dict[str, t.Any], reason: str) -> None:
    found = check(kind, **wrong)
    assert not found["ok"]
    assert reason in found["reason"]


def test_without_a_log_of_requests_the_budget_holds_but_the_check_says_what_it_could_not_see() -> None:
    found = check("over_budget", model_log=False)
    assert found["ok"]
    assert "could not be seen" in found["observed"]


def test_without_a_log_of_requests_spend_is_compared_with_counters() -> None:
    found = check("spend", model_log=False)
    assert found["ok"], found["reason"]
    assert "chat's counters agree" in found["observed"]
    assert "keep no log" in found["observed"]


def test_counters_alone_notice_what_is_billed_too_low() -> None:
    assert not check("spend", model_log=False, cancels_free=True)["ok"]


def test_requests_of_others_are_told_apart_by_the_log() -> None:
    gateway = FakeGateway()
    stage = gateway.stage()
    gateway.models["chat"].work("somebody else's", 5)
    (found,) = carry_out(stage, ["spend"])
    assert found["ok"], found["reason"]


def test_a_late_ledger_is_waited_for_and_the_wait_is_told() -> None:
    found = check("spend", ledger_delay=0.15)
    assert found["ok"], found["reason"]
    waited = re.search(r"the ledger agreed ([0-9.]+) s later", found["observed"])
    assert waited
    assert float(waited[1]) >= 0.1


def test_the_seconds_until_each_replica_refused_are_a_series() -> None:
    series = check("revoked_key")["series"]["revoked_seconds"]
    assert set(series) > {"key deleted", "key blocked", "team blocked"}
    assert all(len(values) == 2 for values in series.values())


def test_an_administrators_call_that_fails_ends_one_probe_only() -> None:
    gateway = FakeGateway(broken="/key/block")
    checks = {item["id"]: item for item in carry_out(gateway.stage(), ["revoked_key", "answers"])}
    assert "POST /key/block was refused" in checks["revoked-key-refused"]["reason"]
    assert checks["tenant-key-answers"]["ok"]


def test_a_team_that_collides_with_another_is_made_anew() -> None:
    assert check("answers", team_collisions=2)["ok"]
    gateway = FakeGateway(team_collisions=3)
    with pytest.raises(LiteLLMError, match="Unable to add user"):
        Guests(gateway.stage().replicas[0].admin).team(["chat"])


def test_guests_are_removed_and_others_are_not() -> None:
    gateway = FakeGateway()
    admin = gateway.stage().replicas[0].admin
    admin.checked("POST", "/team/new", {"team_id": "acme", "models": []})
    guests = Guests(admin)
    for _turn in range(5):
        guests.guest(["chat"])
    other = Guests(admin)
    other.guest(["chat"])
    guests.remove()
    assert len(gateway.teams) == 2
    assert "acme" in gateway.teams
    assert len(gateway.keys) == 1


def test_guests_are_removed_through_another_replica_when_the_first_has_gone() -> None:
    gateway, gone = FakeGateway(), FakeGateway(broken="/v2/team/list")
    (first,), (second,) = (fake.stage().replicas[:1] for fake in (gone, gateway))
    gone.teams, gone.keys = gateway.teams, gateway.keys
    guests = Guests(first.admin, second.admin)
    guests.guest(["chat"])
    guests.remove()
    assert not gateway.teams


def test_leftovers_are_removed_once_their_keys_have_expired() -> None:
    gateway = FakeGateway()
    admin = gateway.stage().replicas[0].admin
    Guests(admin, clock=lambda: 1000.0).guest(["chat"])
    for name in ("acme", f"{GUEST}of-somebody-else"):
        admin.checked("POST", "/team/new", {"team_id": name, "models": []})
    assert Guests(admin, clock=lambda: 1000.0 + LIFETIME_SECONDS).remove_leftovers() == 0
    assert Guests(admin, clock=lambda: 1001.0 + LIFETIME_SECONDS).remove_leftovers() == 1
    assert sorted(gateway.teams) == ["acme", f"{GUEST}of-somebody-else"]


def test_a_key_does_not_show_its_value() -> None:
    assert "sk-1" not in repr(Key(Team("a"), "sk-1", "hash"))


def test_probes_wait_until_the_purchases_are_over() -> None:
    gateway = FakeGateway()
    began = time.monotonic()
    checks = carry_out(gateway.stage(), ["answers", "spend"])
    assert time.monotonic() - began < 5
    assert all(item["ok"] for item in checks)
    logged = [row["request_id"] for _at, row in gateway.rows]
    bought = logged[: 24 + 4 + 2]
    spenders = {row["api_key"] for _at, row in gateway.rows if row["request_id"] in bought}
    assert len(spenders) == 3, "a key of another probe was used while answers were bought"


def test_a_cluster_that_cannot_be_reached_is_the_reason_why_nothing_ran() -> None:
    options = {"kinds": KINDS, "requests": 1, "cache_ttl": 1.0, "ledger_timeout": 1.0, "models": [{}]}
    checks, warnings = probe({**options, "kubeconfig": "/nonexistent"})
    assert [item["id"] for item in checks] == [CLAIMS[kind].id for kind in KINDS]
    assert all(not item["ok"] and "/nonexistent" in item["reason"] for item in checks)
    assert warnings == []


def test_without_models_nothing_ran() -> None:
    options = {"kinds": ["answers"], "requests": 1, "cache_ttl": 1.0, "ledger_timeout": 1.0, "models": []}
    checks, _warnings = probe(options)
    assert "there is no model to ask" in checks[0]["reason"]
