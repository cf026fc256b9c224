# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A run may end at every single write, before or after it was done: no key without a holder, and the next run heals."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import FakeLiteLLM
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.litellm_keys import (
    CrashError,
    Fuse,
    World,
    done,
    entry,
)

Row = dict[str, t.Any]
Prepare = t.Callable[[World], None]


def _nothing(_world: World) -> None:
    """The first run."""


def _made(world: World) -> None:
    world.make(entry(rotation={"overlap_seconds": 600}))


def _secret_gone(world: World) -> None:
    _made(world)
    world.secrets.secrets.clear()


def _key_gone(world: World) -> None:
    _made(world)
    world.gateway.keys.clear()


def _overlapping(world: World) -> None:
    _made(world)
    world.make(entry(rotation={"generation": 2, "overlap_seconds": 600}))


# name: what was before, what the run wants, whether the value in the Secret must work all the time
STORIES: dict[str, tuple[Prepare, Row, bool]] = {
    "create": (_nothing, entry(), False),
    "rotate with overlap": (_made, entry(rotation={"generation": 2, "overlap_seconds": 600}), True),
    "rotate without overlap": (_made, entry(rotation={"generation": 2}), True),
    "rotate again": (_overlapping, entry(rotation={"generation": 3, "overlap_seconds": 600}), True),
    "heal a missing Secret": (_secret_gone, entry(), False),
    "heal a missing key": (_key_gone, entry(), False),
    "repair drift": (_made, entry(models=["chat"], rpm=9, rotation={"overlap_seconds": 600}), True),
    "block": (_made, entry(state="blocked"), False),
    "revoke": (_overlapping, entry(state="revoked"), False),
    "remove": (_overlapping, entry(state="absent"), False),
}


def _writes(story: str) -> int:
    with FakeLiteLLM() as gateway:
        world = World(gateway)
        prepare, wanted, _works = STORIES[story]
        prepare(world)
        fuse = Fuse()
        world.run(wanted, fuse=fuse)
        return -fuse.left


CASES: t.Final = [
    pytest.param(story, at, after, id=f"{story}-{'after' if after else 'before'}-write-{at}")
    for story in STORIES
    for at in range(1, _writes(story) + 1)
    for after in (False, True)
]


@pytest.mark.parametrize(("story", "at", "after"), CASES)
def test_a_run_that_ends_anywhere_leaves_no_key_without_holder_and_the_next_one_finishes(
    story: str, at: int, *, after: bool
) -> None:
    prepare, wanted, works = STORIES[story]
    with FakeLiteLLM() as gateway:
        world = World(gateway)
        prepare(world)
        known = set(gateway.keys)
        with pytest.raises(CrashError):
            world.run(wanted, fuse=Fuse(at, after=after))
        orphans = {token for token in gateway.keys if gateway.usable(token)} - world.held() - known
        assert not orphans, "a key works that nobody holds"
        if works:
            assert world.works(), "the holder's key stopped working"
        assert not world.run(wanted).errors
        living = wanted["state"] in ("present", "blocked")
        assert world.works() == (wanted["state"] == "present")
        assert (("tenant-acme", "llm-key-app") in world.secrets.secrets) == (wanted["state"] != "absent")
        assert bool(gateway.keys) == living
        if "rotate" in story:
            assert world.row()["token"] not in known, "the rotation was forgotten"
        last = world.run(wanted)
        assert done(last) == [("app", "none")], "the second run after the end was not quiet"
        assert not last.extra


def test_every_story_has_writes_to_end_at() -> None:
    assert all(_writes(story) >= 1 for story in STORIES)
