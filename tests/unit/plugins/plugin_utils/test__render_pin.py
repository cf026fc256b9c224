# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.filter.images import (
    demands_digests,
    pinned_image,
    pinned_revision,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import Rendered, RenderError
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._chart import Chart
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_pin import (
    pin_charts,
    pin_rendered,
    registry_access,
)

if t.TYPE_CHECKING:
    import pathlib

DIGEST = "sha256:" + "ab" * 32
IMAGE = "ghcr.io/org/app:v1"
RULES: dict[str, t.Any] = {
    "registries": [],
    "quarantine_days": 3,
    "demand_verified": True,
    "denied": [],
    "floors": [],
    "exceptions": [],
}


@pytest.fixture
def images(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    built = tmp_path / "built.yml"
    built.write_text(Lock({IMAGE: Entry(DIGEST, "index", VERIFIED, dt.date(2026, 1, 1))}).text(), encoding="utf-8")
    return {
        "pin": True,
        "built_lock": str(built),
        "locks": [str(built)],
        "lock_file": str(tmp_path / "none.yml"),
        "paths": [],
        "rules": RULES,
    }


def rendered(image: str) -> list[Rendered]:
    return [
        Rendered("t.yml.j2", {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"image": image}}, "n", "")
    ]


def test_what_was_rendered_gets_its_digests_and_keeps_its_origin(images: dict[str, t.Any]) -> None:
    (pinned,), excused = pin_rendered(rendered(IMAGE), images)
    assert pinned.object["spec"]["image"] == f"{IMAGE}@{DIGEST}"
    assert (pinned.origin, pinned.namespace, excused) == ("t.yml.j2", "n", [])


def test_an_image_that_the_lock_lacks_or_a_rule_forbids_is_an_error(images: dict[str, t.Any]) -> None:
    with pytest.raises(RenderError, match=r"Pod spec\.image: ghcr\.io/org/app:v2 is not in the lock"):
        pin_rendered(rendered("ghcr.io/org/app:v2"), images)
    with pytest.raises(RenderError, match="which is not allowed"):
        pin_rendered(rendered(IMAGE), {**images, "rules": {**RULES, "registries": ["quay.io"]}})


def test_an_exception_is_told_to_whoever_renders(images: dict[str, t.Any]) -> None:
    waiver = {"rule": "registry", "image": "ghcr.io/*", "owner": "ada", "reason": "moving"}
    rules = {**RULES, "registries": ["quay.io"], "exceptions": [waiver]}
    _pinned, excused = pin_rendered(rendered(IMAGE), {**images, "rules": rules})
    assert [verdict.waiver.owner for verdict in excused if verdict.waiver] == ["ada"]


def test_nothing_is_pinned_without_a_plan_or_before_the_local_cluster_was_built(images: dict[str, t.Any]) -> None:
    objects = rendered("busybox")
    for unbuilt in ({}, {**images, "pin": False}, {**images, "built_lock": images["built_lock"] + ".none"}):
        assert pin_rendered(objects, unbuilt) == (objects, [])
        assert not demands_digests(unbuilt)
        assert pinned_image("busybox", unbuilt) == "busybox"


def test_an_image_of_a_probe_is_pinned_by_the_same_lock(images: dict[str, t.Any]) -> None:
    assert demands_digests(images)
    assert pinned_image(IMAGE, images) == f"{IMAGE}@{DIGEST}"
    with pytest.raises(AnsibleFilterError, match="busybox is not in the lock"):
        pinned_image("busybox", images)
    with pytest.raises(AnsibleFilterError, match="is no image"):
        pinned_image("No Image", images)


MIRROR = {"host": "mirror.example.com", "prefix": "all", "pull_secret": "mirror"}


def test_with_a_mirror_objects_and_probes_name_their_images_there(images: dict[str, t.Any]) -> None:
    there = {**images, "mirror": MIRROR}
    (pinned,), _excused = pin_rendered(rendered(IMAGE), there)
    name = f"mirror.example.com/all/{IMAGE}@{DIGEST}"
    assert pinned.object["spec"] == {"image": name, "imagePullSecrets": [{"name": "mirror"}]}
    assert pinned_image(IMAGE, there) == pinned_image(name, there) == name
    containerd = {**images, "mirror": {**MIRROR, "how": "containerd"}}
    assert pinned_image(IMAGE, containerd) == f"{IMAGE}@{DIGEST}"


COMMIT = "0123456789" * 4
WEIGHTS = {"artifact": "hf://org/weights@main", "revision": ""}
CHART = Chart("app", "/cache/sources/istio/base", "ns", sources="/cache/sources")
DAY = dt.date(2026, 1, 1)


@pytest.fixture
def full(images: dict[str, t.Any], tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """A lock that has a chart and a model too."""
    lock = Lock(
        charts={"sources/istio/base": Entry(DIGEST, "folder", VERIFIED, DAY)},
        models={
            "hf://org/weights@main": Entry(COMMIT, "commit", VERIFIED, DAY),
            "hf://org/copied@main": Entry(COMMIT, "commit", "copied", DAY),
        },
    )
    (tmp_path / "full.yml").write_text(lock.text(), encoding="utf-8")
    return {**images, "lock_file": str(tmp_path / "full.yml")}


def test_a_model_gets_the_commit_of_the_lock(full: dict[str, t.Any]) -> None:
    assert pinned_revision(WEIGHTS, full) == COMMIT
    assert pinned_revision({"artifact": "", "revision": ""}, full) == ""


def test_a_model_that_is_not_known_or_only_copied_is_refused(full: dict[str, t.Any]) -> None:
    with pytest.raises(AnsibleFilterError, match=r"hf://org/weights@v2: has no digest in the lock \(known\); run the"):
        pinned_revision({"artifact": "hf://org/weights@v2"}, full)
    copied = {"artifact": "hf://org/copied@main"}
    with pytest.raises(AnsibleFilterError, match="was copied from a text"):
        pinned_revision(copied, full)
    assert pinned_revision(copied, {**full, "rules": {**RULES, "demand_verified": False}}) == COMMIT


def test_where_nothing_is_pinned_a_model_keeps_its_revision(full: dict[str, t.Any]) -> None:
    assert pinned_revision({**WEIGHTS, "revision": "v1"}, {**full, "pin": False}) == "v1"
    assert pinned_revision({**WEIGHTS, "revision": "v1"}, None) == "v1"


def test_a_chart_gets_what_the_lock_says_of_it_and_one_that_is_not_in_it_is_refused(full: dict[str, t.Any]) -> None:
    ((found,), excused) = pin_charts([CHART], full)
    assert found.locked is not None
    assert (found.locked.digest, excused) == (DIGEST, [])
    stranger = Chart("other", "oci://ghcr.io/org/other", "ns", "1.0.0")
    with pytest.raises(RenderError, match=r"oci://ghcr\.io/org/other:1\.0\.0: has no digest in the lock"):
        pin_charts([CHART, stranger], full)
    assert pin_charts([stranger], {**full, "pin": False}) == ([stranger], [])
    waiver = {"rule": "known", "image": "oci://ghcr.io/org/*", "owner": "ada", "reason": "ours"}
    ((found,), excused) = pin_charts([stranger], {**full, "rules": {**RULES, "exceptions": [waiver]}})
    assert found.locked is None
    assert [verdict.rule for verdict in excused] == ["known"]


def test_registries_of_charts_are_reached_as_those_of_images(images: dict[str, t.Any]) -> None:
    config = '{"auths": {"mirror.example.com": {"auth": "eWVz"}}}'
    access = registry_access({**images, "endpoints": {"quay.io": {"host": "q.example.com"}}, "mirror": MIRROR}, config)
    assert access.endpoint("quay.io").host == "q.example.com"
    assert access.endpoint("ghcr.io").prefix == "all/ghcr.io/"
    assert access.login("ghcr.io") == ("mirror.example.com", "eWVz")
    with pytest.raises(RenderError, match="pull Secret"):
        registry_access(images, "no JSON")
