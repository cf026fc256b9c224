# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys in time: rotated, expired, blocked, revoked, removed."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLMError
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import FakeLiteLLM
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.litellm_keys import World, done, entry

Row = dict[str, t.Any]


@pytest.fixture
def world() -> t.Iterator[World]:
    with FakeLiteLLM() as gateway:
        yield World(gateway)


def test_a_rotation_with_overlap_lets_both_work_until_it_is_over(world: World) -> None:
    world.make(entry())
    old = world.row()["token"]
    world.row()["spend"] = 0.75
    rotated = entry(rotation={"generation": 2, "overlap_seconds": 600})
    report = world.run(rotated)
    assert done(report) == [("app", "rotated")]
    assert report.keys[0]["reason"] == "generation 1 became 2"
    new = world.row()
    assert new["token"] != old
    assert new["spend"] == 0.75
    assert world.works()
    assert world.gateway.usable(old)
    assert done(world.run(rotated)) == [("app", "none")]
    assert world.data().keys() == {"OPENAI_API_KEY", "OPENAI_BASE_URL"}
    world.gateway.clock += timedelta(seconds=601)
    assert not world.gateway.usable(old)
    assert world.works()
    assert done(world.run(rotated)) == [("app", "none")]
    assert not world.run(rotated).extra


def test_the_next_rotation_removes_what_the_last_one_left(world: World) -> None:
    world.make(entry())
    for generation in (2, 3, 4):
        world.make(entry(rotation={"generation": generation, "overlap_seconds": 60}))
        world.gateway.clock += timedelta(hours=1)
    assert len(world.gateway.keys) == 2


def test_a_rotation_without_overlap_ends_the_old_value_at_once(world: World) -> None:
    world.make(entry())
    old = world.row()["token"]
    world.make(entry(rotation={"generation": 2}))
    assert world.works()
    assert old not in world.gateway.keys
    # Told to all replicas as a block first; a deletion alone would work in their caches for a while.
    assert [path for path, _body in world.gateway.writes][-2:] == ["/key/block", "/key/delete"]


def test_a_value_is_rotated_when_it_is_old_enough(world: World) -> None:
    old_enough = entry(rotation={"after": "20d", "overlap_seconds": 60})
    world.make(old_enough)
    world.gateway.clock += timedelta(days=19)
    assert done(world.run(old_enough)) == [("app", "none")]
    world.gateway.clock += timedelta(days=1, minutes=1)
    assert done(world.run(old_enough)) == [("app", "rotated")]
    assert done(world.run(old_enough)) == [("app", "none")]


def test_an_overlap_never_makes_the_old_value_live_longer(world: World) -> None:
    world.make(entry(expires="1h"))
    old = world.row()
    ends = datetime.fromisoformat(old["expires"])
    world.make(entry(expires="1h", rotation={"generation": 2, "overlap_seconds": 86400}))
    assert datetime.fromisoformat(world.gateway.keys[old["token"]]["expires"]) <= ends + timedelta(seconds=1)


@pytest.mark.parametrize("change", [{"expires": None}, {"expires": "2027-01-01T00:00:00Z"}])
def test_an_old_value_that_somebody_prolonged_is_ended(world: World, change: Row) -> None:
    world.make(entry())
    old = world.row()["token"]
    rotated = entry(rotation={"generation": 2, "overlap_seconds": 600})
    world.make(rotated)
    world.gateway.keys[old].update(change)
    world.gateway.keys[old]["metadata"]["retires"] = "2027-01-01T00:00:00Z"
    assert done(world.run(rotated)) == [("app", "updated")]
    assert old not in world.gateway.keys


def test_an_old_value_that_somebody_widened_is_narrowed(world: World) -> None:
    world.make(entry())
    old = world.row()["token"]
    rotated = entry(rotation={"generation": 2, "overlap_seconds": 600})
    world.make(rotated)
    world.gateway.keys[old]["max_budget"] = 900.0
    assert done(world.run(rotated)) == [("app", "updated")]
    assert world.gateway.keys[old]["max_budget"] == 1.0
    assert world.gateway.usable(old)


def test_a_replaced_value_in_a_restored_secret_is_not_taken_back(world: World) -> None:
    world.make(entry())
    saved = dict(world.secrets.secrets[("tenant-acme", "llm-key-app")]["data"])
    rotated = entry(rotation={"generation": 2, "overlap_seconds": 600})
    world.make(rotated)
    world.secrets.secrets[("tenant-acme", "llm-key-app")]["data"] = saved
    assert done(world.run(rotated)) == [("app", "healed")]
    assert world.works()
    assert world.data()["OPENAI_API_KEY"] != saved["OPENAI_API_KEY"]


def test_a_key_ends_when_it_is_declared_to_and_is_left_until_it_is_rotated(world: World) -> None:
    world.make(entry(expires="1h"))
    world.gateway.clock += timedelta(hours=2)
    report = world.run(entry(expires="1h"))
    assert done(report) == [("app", "none")]
    assert report.keys[0]["expired"] is True
    assert not world.works()
    assert done(world.run(entry(expires="1h", rotation={"generation": 2}))) == [("app", "rotated")]
    assert world.works()


@pytest.mark.parametrize(("expires", "hours"), [("5h", 5), ("2026-11-23T15:00:00Z", 3), ("30m", 0.5)])
def test_a_changed_expiry_counts_from_the_making_of_the_key(world: World, expires: str, hours: float) -> None:
    world.make(entry(expires="2h"))
    made = datetime.fromisoformat(world.row()["created_at"])
    world.gateway.clock += timedelta(minutes=10)
    assert done(world.run(entry(expires=expires))) == [("app", "updated")]
    ends = datetime.fromisoformat(world.row()["expires"])
    assert abs(ends - made - timedelta(hours=hours)) < timedelta(seconds=5)
    assert done(world.run(entry(expires=expires))) == [("app", "none")]


def test_a_key_that_never_expires_must_be_asked_for(world: World) -> None:
    world.make(entry(expires="never"))
    assert world.row()["expires"] is None


def test_no_key_is_made_for_a_date_that_has_passed(world: World) -> None:
    report = world.run(entry(expires="2026-11-01"))
    assert done(report) == [("app", "none")]
    assert "has passed" in report.keys[0]["reason"]
    assert world.gateway.keys == {}


@pytest.mark.parametrize("expires", ["2027-11-01", "2026-12-24T13:00:00Z"])
def test_a_date_must_not_let_a_key_outlive_the_policy(world: World, expires: str) -> None:
    with pytest.raises(LiteLLMError, match="would outlive max_lifetime"):
        world.run(entry(expires=expires), longest="31d")


def test_a_date_must_not_be_moved_until_a_key_outlives_the_policy(world: World) -> None:
    world.make(entry(expires="2026-12-20"))
    world.gateway.clock += timedelta(days=20)
    with pytest.raises(LiteLLMError, match="or rotate it"):
        world.run(entry(expires="2027-01-05"), longest="31d")


def test_a_key_can_be_blocked_and_unblocked(world: World) -> None:
    world.make(entry())
    token = world.row()["token"]
    assert done(world.run(entry(state="blocked"))) == [("app", "blocked")]
    assert not world.works()
    assert done(world.run(entry(state="blocked"))) == [("app", "none")]
    assert done(world.run(entry())) == [("app", "updated")]
    assert world.works()
    assert world.row()["token"] == token


def test_a_revoked_key_is_gone_at_once_and_stays_so(world: World) -> None:
    world.make(entry())
    old = world.row()["token"]
    assert done(world.run(entry(state="revoked"))) == [("app", "revoked")]
    assert old not in world.gateway.keys
    assert "OPENAI_API_KEY" not in world.data()
    assert done(world.run(entry(state="revoked"))) == [("app", "none")]
    assert done(world.run(entry())) == [("app", "created")]
    assert world.works()


def test_an_absent_key_takes_its_secret_and_its_old_values_with_it(world: World) -> None:
    world.make(entry(rotation={"overlap_seconds": 600}))
    world.make(entry(rotation={"generation": 2, "overlap_seconds": 600}))
    assert len(world.gateway.keys) == 2
    assert done(world.run(entry(state="absent"))) == [("app", "deleted")]
    assert (world.gateway.keys, world.secrets.secrets) == ({}, {})
    assert done(world.run(entry(state="absent"))) == [("app", "none")]


def test_an_absent_key_leaves_a_secret_of_somebody_else_alone(world: World) -> None:
    world.secrets.put("tenant-acme", "llm-key-app")
    assert done(world.run(entry(state="absent"))) == [("app", "none")]
    assert len(world.secrets.secrets) == 1
