# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.filter.images import demands_digests, pinned_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import Rendered, RenderError
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_pin import pin_rendered

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
