# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import COPIED, VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import PinError, pin, refresh
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
TODAY = dt.date(2026, 11, 23)
LOCK = Lock(
    {"ghcr.io/org/app:v1": Entry(A, "index", VERIFIED), "docker.io/library/busybox:1": Entry(B, "index", COPIED)}
)


def pod(*images: str, **fields: t.Any) -> dict[str, t.Any]:
    spec = {"containers": [{"image": image} for image in images], **fields}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": spec}


def images_of(obj: dict[str, t.Any]) -> list[str]:
    return [container["image"] for container in obj["spec"]["containers"]]


def test_images_get_the_digest_of_the_lock_and_keep_the_name_as_written() -> None:
    pinned = pin([pod("ghcr.io/org/app:v1", "busybox:1")], LOCK)
    pinned.demand_all("the lock")
    assert images_of(pinned.objects[0]) == [f"ghcr.io/org/app:v1@{A}", f"busybox:1@{B}"]
    assert [use.place for use in pinned.uses] == ["spec.containers[0].image", "spec.containers[1].image"]


def test_pinning_twice_changes_nothing() -> None:
    once = pin([pod("ghcr.io/org/app:v1")], LOCK)
    again = pin(once.objects, LOCK)
    again.demand_all("the lock")
    assert again.objects == once.objects


def test_every_place_without_a_digest_is_named_at_once() -> None:
    pinned = pin([pod("ghcr.io/org/app:v2", "busybox"), pod("quay.io/x/y:1")], LOCK)
    with pytest.raises(PinError) as caught:
        pinned.demand_all("images.lock.yml")
    head, *lines = str(caught.value).splitlines()
    assert head.startswith("3 image(s) cannot be pinned; the lock is images.lock.yml")
    assert lines[0] == "Pod n/p spec.containers[0].image: ghcr.io/org/app:v2 is not in the lock"


@pytest.mark.parametrize(
    ("image", "right"),
    [
        (f"ghcr.io/org/app:v1@{A}", True),
        (f"ghcr.io/org/app@{A}", True),
        (f"ghcr.io/org/app:v1@{C}", False),
        (f"ghcr.io/org/app@{C}", False),
        (f"ghcr.io/org/other@{A}", False),
    ],
)
def test_a_digest_that_is_written_already_must_be_the_locks(image: str, right: bool) -> None:
    pinned = pin([pod(image)], LOCK)
    assert images_of(pinned.objects[0]) == [image]
    assert bool(pinned.missing or pinned.contradicted) is not right


def test_fields_that_an_expression_names_are_pinned_too_and_a_wrong_expression_is_an_error() -> None:
    obj = pod(odd={"box": "busybox:1"})
    assert pin([obj], LOCK, ["spec.odd.box"]).objects[0]["spec"]["odd"]["box"] == f"busybox:1@{B}"
    with pytest.raises(PinError, match="is no JMESPath expression"):
        pin([obj], LOCK, ["spec..["])


def test_a_refreshed_lock_knows_since_when_it_knows_a_digest() -> None:
    seen = dt.date(2026, 1, 1)
    lock = Lock(
        {
            "a.io/x:1": Entry(A, "unknown", COPIED, seen, ("a file",)),
            "a.io/y:1": Entry(B, "index", VERIFIED, seen, ("r",)),
        }
    )
    answers = {"a.io/x:1": Resolved(A, "index"), "a.io/y:1": Resolved(C, "index"), "a.io/z:1": Resolved(C, "manifest")}
    fresh, moves = refresh(lock, answers, "r", TODAY)
    assert fresh.images["a.io/x:1"] == Entry(A, "index", VERIFIED, seen, ("a file", "r"))
    assert fresh.images["a.io/y:1"] == Entry(C, "index", VERIFIED, TODAY, ("r",))
    assert fresh.images["a.io/z:1"] == Entry(C, "manifest", VERIFIED, TODAY, ("r",))
    assert [move.image for move in moves] == ["a.io/x:1", "a.io/y:1", "a.io/z:1"]
    moved = moves[1].as_data(TODAY)
    assert (moved["before"], moved["after"], moved["age_days"]) == (B, C, (TODAY - seen).days)


def test_refreshing_an_unchanged_lock_moves_nothing() -> None:
    fresh, _moves = refresh(Lock(), {"a.io/x:1": Resolved(A, "index")}, "r", TODAY)
    again, moves = refresh(fresh, {"a.io/x:1": Resolved(A, "index")}, "r", dt.date(2027, 1, 1))
    assert moves == []
    assert again == fresh
