# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils import _probe_images
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin_options import policy_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_probe import observe_gate
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import write_component

ROLES = pathlib.Path(__file__).resolve().parents[4] / "roles"
ADVISORIES = yaml.safe_load((ROLES / "plan/vars/main.yml").read_text(encoding="utf-8"))["__plan_advisories"]
POLICY = policy_of(
    {"registries": ["ghcr.io"], "quarantine_days": 3, "demand_verified": True, "exceptions": [], **ADVISORIES}
)
TODAY = dt.date(2026, 11, 23)
DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
APP = "ghcr.io/org/app:v1"
LOCK = Lock({APP: Entry(DIGEST, "index", VERIFIED, dt.date(2026, 1, 1))})


class Server:
    """Pods that run, and an admission that can be told to be lax."""

    def __init__(self, pods: list[dict[str, t.Any]], lets_in: t.Callable[[str], bool] = lambda _image: False) -> None:
        self.pods = pods
        self.lets_in = lets_in

    def list(self, _version: str, _kind: str) -> list[dict[str, t.Any]]:
        return self.pods

    def request(self, _method: str, _path: str, *, query: dict[str, str], body: dict[str, t.Any]) -> Response:
        assert query == {"dryRun": "All"}
        image = body["spec"]["containers"][0]["image"]
        message = ""
        if not self.lets_in(image):
            message = "images need a digest here" if "@" not in image else ""
            message = message or ("" if image.startswith("ghcr.io/") else "images are not allowed here")
        return Response(403 if message else 201, json.dumps({"message": message}).encode(), {})


def pod(image: str, running: str = "", kind: str = "containers", namespace: str = "ours") -> dict[str, t.Any]:
    status = {"containers": "containerStatuses", "initContainers": "initContainerStatuses"}.get(
        kind, "ephemeralContainerStatuses"
    )
    return {
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"containers": [], kind: [{"name": "c", "image": image}]},
        "status": {status: [{"name": "c", "imageID": running}]},
    }


def pinned(*pods: dict[str, t.Any], namespaces: list[str] | None = None) -> Observation:
    return _probe_images.observe_pinned(t.cast("t.Any", Server(list(pods))), LOCK, namespaces)


@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
def test_a_pod_by_a_locked_digest_is_right_wherever_the_container_stands(kind: str) -> None:
    assert pinned(pod(f"{APP}@{DIGEST}", f"ghcr.io/org/app@{DIGEST}", kind)).faults == []
    assert len(pinned(pod(APP, "", kind)).faults) == 1


@pytest.mark.parametrize(
    ("image", "running", "fault"),
    [
        (APP, "", "has no digest"),
        (f"{APP}@{OTHER}", "", "is not in the lock"),
        (f"{APP}@{DIGEST}", f"ghcr.io/org/app@{OTHER}", "runs as"),
        ("Not An Image", "", "is no image"),
    ],
)
def test_every_other_pod_is_named(image: str, running: str, fault: str) -> None:
    (found,) = pinned(pod(image, running)).faults
    assert found.startswith("pod ours/p: ")
    assert fault in found


def test_pods_of_others_count_only_where_all_are_asked_for() -> None:
    theirs = pod("busybox", namespace="theirs")
    right = pod(f"{APP}@{DIGEST}")
    assert pinned(right, theirs, namespaces=["ours"]).faults == []
    assert pinned(right, theirs).faults
    with pytest.raises(ProbeError, match="no pod runs"):
        pinned(theirs, namespaces=["ours"])


def undigested(server: Server) -> list[str]:
    return _probe_images.observe_undigested(t.cast("t.Any", server), ["ours"], f"{APP}@{DIGEST}").faults


def test_an_admission_that_refuses_what_it_must_is_right() -> None:
    assert undigested(Server([])) == []


@pytest.mark.parametrize(
    ("lets_in", "fault"),
    [
        (lambda image: "@" not in image, "accepts ghcr.io/org/app:v1"),
        (lambda image: image.startswith("registry.invalid"), "accepts registry.invalid/"),
    ],
)
def test_an_admission_that_lets_one_in_is_told(lets_in: t.Callable[[str], bool], fault: str) -> None:
    (found,) = undigested(Server([], lets_in))
    assert fault in found


def test_an_admission_that_refuses_everything_proves_nothing() -> None:
    class Closed(Server):
        def request(self, *_args: t.Any, **_options: t.Any) -> Response:
            return Response(403, b'{"message": "no"}', {})

    (found,) = undigested(Closed([]))
    assert "refuses even" in found
    with pytest.raises(ProbeError, match="has no digest"):
        _probe_images.observe_undigested(t.cast("t.Any", Server([])), ["ours"], APP)


def test_unlocked_images_are_refused_and_an_empty_lock_proves_nothing() -> None:
    assert _probe_images.observe_unlocked(LOCK).faults == []
    with pytest.raises(ProbeError, match="no digest"):
        _probe_images.observe_unlocked(Lock())


def test_the_shipped_denylist_refuses_each_of_its_releases() -> None:
    seen = _probe_images.observe_denylisted(POLICY, LOCK, TODAY)
    assert seen.faults == []
    assert seen.facts[0].startswith("3 release(s)")
    bad = Lock({"ghcr.io/berriai/litellm:v1.107.0": dataclasses.replace(LOCK.images[APP])})
    assert _probe_images.observe_denylisted(POLICY, bad, TODAY).faults
    with pytest.raises(ProbeError, match="no denylist"):
        _probe_images.observe_denylisted(dataclasses.replace(POLICY, denied=()), LOCK, TODAY)


def test_the_quarantine_holds_where_it_is_not_switched_off() -> None:
    lax = dataclasses.replace(POLICY, demand_verified=False)
    assert _probe_images.observe_young(lax, TODAY).faults == []
    with pytest.raises(ProbeError, match="switched off"):
        _probe_images.observe_young(dataclasses.replace(POLICY, quarantine_days=0), TODAY)


def test_every_planted_fault_is_in_the_table_and_a_fault_of_the_delivered_tree_counts(tmp_path: pathlib.Path) -> None:
    faults = ROLES / "deliver/files/planted_faults.yml"
    write_component(tmp_path, "serving", "serving", [])
    seen = observe_gate(faults, tmp_path, "prod", [])
    assert seen.faults == []
    assert len(seen.table["rows"]) == len(yaml.safe_load(faults.read_text(encoding="utf-8")))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    write_component(tmp_path, "serving", "serving", [secret])
    assert observe_gate(faults, tmp_path, "prod", []).faults == ["Secret s: holds values"]
    excuse = {"rule": "secret", "object": "Secret s", "owner": "team", "reason": "a sample"}
    excused = observe_gate(faults, tmp_path, "prod", [excuse])
    assert excused.faults == []
    assert excused.table["rows"][-1] == ["secret", "Secret s", "holds values", "excused by team: a sample"]


def test_a_planted_fault_that_nobody_finds_is_told(tmp_path: pathlib.Path) -> None:
    planted = tmp_path / "faults.yml"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    planted.write_text(
        yaml.safe_dump([{"rule": "host", "object": "ConfigMap c", "manifest": manifest}]), encoding="utf-8"
    )
    write_component(tmp_path / "tree", "serving", "serving", [])
    assert observe_gate(planted, tmp_path / "tree", "dev", []).faults == [
        "the fault of ConfigMap c was not found by rule host"
    ]
