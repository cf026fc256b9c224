# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys that nobody has declared, and keys that are somebody else's."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import token_of
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import FakeLiteLLM
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.litellm_keys import World, done, entry

Row = dict[str, t.Any]


@pytest.fixture
def world() -> t.Iterator[World]:
    with FakeLiteLLM() as gateway:
        yield World(gateway)


@pytest.mark.parametrize(("extra", "action"), [("block", "blocked"), ("delete", "deleted")])
def test_a_key_made_by_hand_in_one_of_our_teams_is_found(world: World, extra: str, action: str) -> None:
    world.make(entry())
    value = world.gateway.post_key_generate({"key_alias": "mine", "team_id": "acme"})["key"]
    elsewhere = world.gateway.post_key_generate({"key_alias": "theirs", "team_id": "other"})["key"]
    planned, finished = world.run(entry(), check=True, extra=extra), world.run(entry(), extra=extra)
    assert planned.extra == finished.extra
    assert [(item["alias"], item["action"], item["created_by"]) for item in finished.extra] == [
        ("mine", action, "default_user_id")
    ]
    assert planned.changed
    assert not world.gateway.usable(token_of(value))
    assert world.gateway.usable(token_of(elsewhere))
    assert world.works()
    assert not world.run(entry(), extra=extra).changed


def test_a_key_made_by_hand_with_our_mark_is_found_too(world: World) -> None:
    world.make(entry(rotation={"overlap_seconds": 600}))
    metadata = {**world.row()["metadata"]}
    forged = world.gateway.post_key_generate({"key_alias": "x", "team_id": "acme", "metadata": metadata})["key"]
    world.run(entry(rotation={"overlap_seconds": 600}))
    assert not world.gateway.usable(token_of(forged))
    assert world.works()


def test_a_team_without_declared_keys_is_looked_at_if_it_is_named(world: World) -> None:
    value = world.gateway.post_key_generate({"key_alias": "mine", "team_id": "acme"})["key"]
    world.run(teams=())
    assert world.gateway.usable(token_of(value))
    world.run(teams=("acme",))
    assert not world.gateway.usable(token_of(value))


def test_extra_keys_can_be_left_alone(world: World) -> None:
    world.gateway.post_key_generate({"key_alias": "mine", "team_id": "acme"})
    assert not world.run(extra="keep").changed


def test_a_key_that_left_the_list_is_blocked_and_works_again_when_it_is_back(world: World) -> None:
    world.make(entry(), entry("b"))
    report = world.run(entry())
    assert [item["action"] for item in report.extra] == ["blocked"]
    assert not world.works("llm-key-b")
    assert done(world.run(entry(), entry("b"))) == [("app", "none"), ("b", "updated")]
    assert world.works("llm-key-b")


def test_a_key_that_left_the_list_is_deleted_with_its_secret_if_told_so(world: World) -> None:
    world.make(entry(), entry("b"))
    report = world.run(entry(), extra="delete")
    assert [item["action"] for item in report.extra] == ["deleted", "deleted"]
    assert set(world.secrets.secrets) == {("tenant-acme", "llm-key-app")}
    assert len(world.gateway.keys) == 1


def test_environments_that_share_a_gateway_do_not_see_each_others_keys(world: World) -> None:
    world.gateway.post_team_new({"team_id": "acme-test"})
    place = {"namespace": "tenant-acme", "name": "test"}
    world.run(entry(team="acme-test", secret=place), environment="test", teams=())
    assert done(world.run(entry())) == [("app", "created")]
    assert not world.run(entry()).extra
