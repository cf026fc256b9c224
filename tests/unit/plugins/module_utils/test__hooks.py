# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._hooks import (
    HookError,
    is_hook,
    name_by_content,
    resolve_hook,
)


def hook(events: str, kind: str = "Job", **annotations: str) -> dict[str, t.Any]:
    extra = {name.replace("_", "-"): value for name, value in annotations.items()}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "v1",
        "kind": kind,
        "metadata": {
            "name": "setup",
            "annotations": {"helm.sh/hook": events, "kept": "yes"} | {f"helm.sh/{k}": v for k, v in extra.items()},
        },
        "spec": {"ttlSecondsAfterFinished": 0, "template": {}},
    }


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ("pre-install", "before"),
        ("pre-upgrade", "before"),
        ("pre-install,pre-upgrade", "before"),
        ("post-install, post-upgrade", "after"),
        ("post-install,test", "after"),
        ("crd-install", None),
    ],
)
def test_a_hook_becomes_an_object_of_a_phase(events: str, phase: str | None) -> None:
    resolved = resolve_hook(hook(events, hook_weight="0", hook_delete_policy="hook-succeeded"))
    assert resolved is not None
    expected = {"kept": "yes"} | ({"llm-platform.wmx.dev/phase": phase} if phase else {})
    assert resolved["metadata"]["annotations"] == expected


@pytest.mark.parametrize("events", ["test", "test-success", "pre-delete", "post-delete,post-rollback"])
def test_a_hook_that_no_apply_needs_is_dropped(events: str) -> None:
    assert resolve_hook(hook(events)) is None


def test_the_weight_of_a_hook_orders_it_within_its_phase() -> None:
    resolved = resolve_hook(hook("pre-install", hook_weight="-5"))
    assert resolved is not None
    assert resolved["metadata"]["annotations"]["llm-platform.wmx.dev/phase-weight"] == "-5"


@pytest.mark.parametrize(("events", "weight"), [("pre-instal", "0"), ("", "0"), ("pre-install", "first")])
def test_a_hook_that_nobody_can_order_is_refused(events: str, weight: str) -> None:
    with pytest.raises(HookError, match=r"helm\.sh/hook"):
        resolve_hook(hook(events, hook_weight=weight))


def test_an_object_that_is_no_hook_passes_unchanged() -> None:
    plain = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": {"ttlSecondsAfterFinished": 1}}
    assert not is_hook(plain)
    assert resolve_hook(plain) is plain


def test_a_hook_job_stays_after_it_has_run() -> None:
    resolved = resolve_hook(hook("pre-install"))
    assert resolved is not None
    assert resolved["spec"] == {"template": {}}


def test_a_job_gets_another_name_exactly_when_its_content_changes() -> None:
    one, same, other = hook("pre-install"), hook("pre-install"), hook("pre-install")
    other["spec"]["template"] = {"spec": {}}
    names = [name_by_content(job)["metadata"]["name"] for job in (one, same, other)]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("setup-")


def test_a_long_or_generated_name_gives_a_valid_one() -> None:
    long, generated = hook("pre-install"), hook("pre-install")
    long["metadata"]["name"] = "a" * 53 + "-" + "b" * 60
    generated["metadata"] |= {"name": None, "generateName": "setup-"}
    name = name_by_content(long)["metadata"]["name"]
    assert len(name) <= 63
    assert "--" not in name
    assert name_by_content(generated)["metadata"]["name"].startswith("setup-")
    assert "generateName" not in name_by_content(generated)["metadata"]
