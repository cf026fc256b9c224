# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import (
    Mirror,
    mirror_of,
    mirror_problem,
    with_pull_secret,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import PinError, pin
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64
LOCK = Lock(
    {"docker.io/library/redis:7": Entry(A, "index", VERIFIED), "ghcr.io/org/app:v1": Entry(B, "index", VERIFIED)}
)
MIRROR = Mirror("mirror.example.com:5000", "all/")
registries = st.from_regex(r"[a-z]{1,8}\.(io|example\.com)(:[1-9][0-9]{1,3})?", fullmatch=True)
repositories = st.from_regex(r"[a-z0-9]{1,6}(/[a-z0-9]{1,6}(_|-)[a-z0-9]{1,3}){0,2}", fullmatch=True)


def pod(*images: str) -> dict[str, t.Any]:
    containers = [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}


def images_of(obj: dict[str, t.Any]) -> list[str]:
    return [container["image"] for container in obj["spec"]["containers"]]


@given(registries, repositories, st.sampled_from(["", "all/", "a/b/"]))
def test_a_name_in_the_mirror_is_a_name_and_leads_back_to_the_first_one(
    registry: str, repository: str, prefix: str
) -> None:
    image = parse_image(f"{registry}/{repository}:v1@{A}")
    mirror = Mirror("mirror.example.net", prefix)
    moved = mirror.of(image)
    assert parse_image(str(moved)) == moved
    assert moved.name.startswith(f"mirror.example.net/{prefix}")
    assert (moved.tag, moved.digest) == (image.tag, image.digest)
    assert mirror.origin(moved) == image
    assert mirror.of(moved) == moved


def test_what_only_comes_from_the_mirror_keeps_its_name() -> None:
    own = parse_image("mirror.example.com:5000/team/app:1")
    assert MIRROR.of(own) == own == MIRROR.origin(own)
    assert Mirror("mirror.example.com:5000").origin(own) == own


def test_pinned_names_are_those_of_the_mirror_and_the_lock_keeps_the_first_ones() -> None:
    result = pin([pod("redis:7", "ghcr.io/org/app:v1", f"ghcr.io/org/app@{B}")], LOCK, mirror=MIRROR)
    assert images_of(result.objects[0]) == [
        f"mirror.example.com:5000/all/docker.io/library/redis:7@{A}",
        f"mirror.example.com:5000/all/ghcr.io/org/app:v1@{B}",
        f"mirror.example.com:5000/all/ghcr.io/org/app@{B}",
    ]
    assert {use.image.registry for use in result.uses} == {"docker.io", "ghcr.io"}
    result.demand_all("the lock")


def test_what_was_rewritten_once_stays_as_it_is() -> None:
    once = pin([pod("redis:7")], LOCK, mirror=MIRROR).objects
    again = pin(once, LOCK, mirror=MIRROR)
    assert again.objects == once
    again.demand_all("the lock")


def test_an_image_that_is_not_in_the_lock_is_named_as_the_lock_would_name_it() -> None:
    with pytest.raises(PinError, match=r"docker\.io/library/redis:8 is not in the lock"):
        pin([pod("redis:8")], LOCK, mirror=MIRROR).demand_all("the lock")


def test_containerd_needs_no_other_names() -> None:
    mirror = Mirror("mirror.example.com", how="containerd", pull_secret="unused")
    plain = pin([pod("redis:7")], LOCK)
    assert pin([pod("redis:7")], LOCK, mirror=mirror).objects == plain.objects


@pytest.mark.parametrize(
    ("kind", "api_version", "path"),
    [
        ("Pod", "v1", ()),
        ("Deployment", "apps/v1", ("spec", "template")),
        ("CronJob", "batch/v1", ("spec", "jobTemplate", "spec", "template")),
    ],
)
def test_every_pod_gets_the_pull_secret_once(kind: str, api_version: str, path: tuple[str, ...]) -> None:
    body: dict[str, t.Any] = {"spec": {"containers": [], "imagePullSecrets": [{"name": "other"}]}}
    for key in reversed(path):
        body = {key: body}
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **body}
    before = copy.deepcopy(obj)
    given = with_pull_secret(obj, "mirror")
    assert obj == before
    found: t.Any = given
    for key in (*path, "spec"):
        found = found[key]
    assert found["imagePullSecrets"] == [{"name": "other"}, {"name": "mirror"}]
    assert with_pull_secret(given, "mirror") == given


def test_what_is_no_workload_gets_none() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {}}
    for obj in (service, {"kind": "Odd"}, {}, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}):
        assert with_pull_secret(obj, "mirror") == obj


def test_the_mirror_is_asked_for_all_but_the_registries_with_an_endpoint_of_their_own() -> None:
    access = Access({"quay.io": Endpoint("other.example.com")}, {"ghcr.io": "bm8=", MIRROR.host: "eWVz"}, mirror=MIRROR)
    assert access.endpoint("ghcr.io") == Endpoint(MIRROR.host, prefix="all/ghcr.io/")
    assert access.endpoint("registry.example.com:5000").prefix == "all/registry.example.com_5000/"
    assert access.endpoint(MIRROR.host) == Endpoint(MIRROR.host)
    assert access.endpoint("quay.io").host == "other.example.com"


def test_the_mirror_gets_its_own_credentials_and_nobody_elses() -> None:
    access = Access({}, {"ghcr.io": "bm8=", MIRROR.host: "eWVz"}, mirror=MIRROR)
    assert access.login("ghcr.io") == (MIRROR.host, "eWVz")
    assert Access({}, {"ghcr.io": "bm8="}, mirror=MIRROR).login("ghcr.io") == (MIRROR.host, "")
    assert Access({}, {"ghcr.io": "bm8="}).login("ghcr.io") == ("ghcr.io", "bm8=")


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ({"prefix": "a"}, "host"),
        ({"host": "https://a.example.com"}, "host"),
        ({"host": "mirror"}, "host"),
        ({"host": "a.io", "prefix": "Upper"}, "prefix"),
        ({"host": "a.io", "how": "containerd", "pull_secret": "s"}, "pull_secret"),
    ],
)
def test_a_mirror_that_cannot_be_is_an_error(value: dict[str, t.Any], key: str) -> None:
    problem = mirror_problem(value)
    assert problem is not None
    assert problem[0] == key
    assert all(problem)


def test_a_mirror_of_the_inventory_is_read() -> None:
    assert mirror_problem({"host": "a.io:5000", "prefix": "/x/y/"}) is None
    assert mirror_of({"host": "a.io:5000", "prefix": "/x/y/"}) == Mirror("a.io:5000", "x/y/")
    assert mirror_of({}) is None
