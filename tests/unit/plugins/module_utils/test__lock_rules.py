# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import COPIED, VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import (
    RULES,
    Policy,
    Release,
    RulesError,
    Verdict,
    Waiver,
    judge,
    judge_artifacts,
    read_waivers,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import (
    REQUIRED,
    SIGNED,
    Signature,
    SignatureRule,
    Signer,
)

TODAY = dt.date(2026, 11, 23)
OLD = Entry("sha256:" + "ab" * 32, "index", VERIFIED, dt.date(2026, 1, 1))
LITELLM = "ghcr.io/berriai/litellm-non_root"
POLICY = Policy(
    registries=("ghcr.io", "docker.io"),
    denied=(Release("ghcr.io/berriai/litellm*", "MAL-2026-2144", ("1.82.7", "1.82.8", "1.107.0")),),
    floors=(Release("ghcr.io/berriai/litellm*", "GHSA-7hp6-4w63-5g45", ("1.103.8", "1.106.3")),),
    signatures=(SignatureRule("ghcr.io/signed/*", REQUIRED, Signer(public_key="https://keys.example/key.pub")),),
)


def rules(image: str, entry: Entry | None = OLD, policy: Policy = POLICY) -> list[str]:
    lock = Lock({image: entry} if entry else {})
    return [verdict.rule for verdict in judge([image], lock, policy, TODAY) if verdict.waiver is None]


def test_an_old_verified_release_of_an_allowed_registry_passes_every_rule() -> None:
    assert rules(f"{LITELLM}:v1.108.7") == []


@pytest.mark.parametrize("tag", ["v1.82.7", "1.82.8", "v1.107.0", "v1.107.0-stable.1", "main-v1.107.0"])
def test_a_release_on_the_denylist_is_refused_however_its_tag_is_written(tag: str) -> None:
    assert "denylist" in rules(f"{LITELLM}:{tag}")


def test_the_denylist_names_the_advisory_and_neighbours_pass() -> None:
    (verdict, *_rest) = judge([f"{LITELLM}:v1.107.0"], Lock({f"{LITELLM}:v1.107.0": OLD}), POLICY, TODAY)
    assert "MAL-2026-2144" in str(verdict)
    assert rules(f"{LITELLM}:v1.107.1") == []
    assert rules("ghcr.io/other/app:v1.107.0") == []


@pytest.mark.parametrize("tag", ["v1.103.7", "v1.9.99", "nightly-build", "v1.103", "v1.106.2", "v1.104.9"])
def test_what_is_older_than_a_fix_or_of_unknown_version_is_below_the_floor(tag: str) -> None:
    assert "floor" in rules(f"{LITELLM}:{tag}")


@pytest.mark.parametrize("tag", ["v1.103.8", "v1.106.3-rc.1", "v1.108.0", "v2.0.0"])
def test_a_line_that_got_the_fix_or_is_newer_passes_the_floor(tag: str) -> None:
    assert rules(f"{LITELLM}:{tag}") == []


def test_a_registry_that_is_not_allowed_is_refused() -> None:
    assert rules("quay.io/org/app:v1") == ["registry"]
    assert rules("quay.io/org/app:v1", policy=dataclasses.replace(POLICY, registries=())) == []


@pytest.mark.parametrize("tag", ["latest", "main", "main-latest", "v1-nightly", "stable", "cuda_latest", "LTS"])
def test_a_tag_that_moves_by_design_is_refused(tag: str) -> None:
    assert rules(f"ghcr.io/org/app:{tag}") == ["mutable-tag"]


def test_no_tag_at_all_is_latest() -> None:
    verdicts = judge(["ghcr.io/org/app"], Lock({"ghcr.io/org/app:latest": OLD}), POLICY, TODAY)
    assert [verdict.rule for verdict in verdicts] == ["known", "mutable-tag"]


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (None, "known"),
        (Entry(), "known"),
        (dataclasses.replace(OLD, status=COPIED), "known"),
        (dataclasses.replace(OLD, first_seen=None), "quarantine"),
        (dataclasses.replace(OLD, first_seen=TODAY), "quarantine"),
        (dataclasses.replace(OLD, first_seen=dt.date(2026, 11, 21)), "quarantine"),
        (dataclasses.replace(OLD, first_seen=dt.date(2027, 1, 1)), "quarantine"),
    ],
)
def test_what_is_not_known_or_known_too_shortly_is_refused(entry: Entry | None, rule: str) -> None:
    assert rules("ghcr.io/org/app:v1", entry) == [rule]


def test_the_quarantine_ends_on_its_last_day_and_can_be_switched_off() -> None:
    young = dataclasses.replace(OLD, first_seen=TODAY)
    assert rules("ghcr.io/org/app:v1", dataclasses.replace(OLD, first_seen=dt.date(2026, 11, 20))) == []
    assert rules("ghcr.io/org/app:v1", young, dataclasses.replace(POLICY, quarantine_days=0)) == []


def test_a_disposable_environment_takes_copied_and_young_digests_but_none_without() -> None:
    lax = dataclasses.replace(POLICY, demand_verified=False)
    assert rules("ghcr.io/org/app:v1", dataclasses.replace(OLD, status=COPIED), lax) == []
    assert rules("ghcr.io/org/app:v1", dataclasses.replace(OLD, first_seen=TODAY), lax) == []
    assert rules("ghcr.io/org/app:v1", None, lax) == ["known"]


def test_a_signature_is_demanded_of_the_lock_but_not_where_nothing_can_be_lost() -> None:
    signed = dataclasses.replace(OLD, signature=Signature(SIGNED, POLICY.signatures[0].signer, TODAY))
    assert rules("ghcr.io/signed/app:v1") == ["signature"]
    assert rules("ghcr.io/signed/app:v1", signed) == []
    assert rules("ghcr.io/signed/app:v1", policy=dataclasses.replace(POLICY, demand_verified=False)) == []
    # What nobody has looked up has no signature to speak of; one line tells what to do.
    assert rules("ghcr.io/signed/app:v1", Entry()) == ["known"]


def test_a_waiver_excuses_its_rule_for_its_image_alone_and_stays_visible() -> None:
    waiver = Waiver("registry", "quay.io/org/*", "ada", "mirrored next week")
    policy = dataclasses.replace(POLICY, waivers=(waiver,))
    images = ["quay.io/org/app:v1", "quay.io/else/app:v1"]
    verdicts = judge(images, Lock(dict.fromkeys(images, OLD)), policy, TODAY)
    assert {verdict.image: verdict.waiver for verdict in verdicts} == {images[0]: waiver, images[1]: None}


def test_every_rule_can_fire_and_says_what_to_do() -> None:
    images = {
        f"{LITELLM}:v1.82.7": OLD,
        f"{LITELLM}:v1.90.0": OLD,
        "quay.io/org/app:v1": OLD,
        "ghcr.io/org/app:main": OLD,
        "ghcr.io/org/young:v1": dataclasses.replace(OLD, first_seen=TODAY),
        "ghcr.io/org/unknown:v1": Entry(),
        "ghcr.io/signed/app:v1": OLD,
    }
    verdicts: list[Verdict] = judge(images, Lock(images), POLICY, TODAY)
    assert {verdict.rule for verdict in verdicts} == set(RULES)
    assert all(verdict.fix and verdict.image in str(verdict) for verdict in verdicts)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"rule": "registry", "image": "a"}, r"exceptions\[0\] lacks owner, reason"),
        ({"rule": "registry", "image": "a", "owner": " ", "reason": "x"}, "lacks owner"),
        ({"rule": "any", "image": "a", "owner": "b", "reason": "c"}, "rule = any: is no rule"),
    ],
)
def test_an_exception_without_owner_reason_or_rule_is_none(entry: dict[str, str], problem: str) -> None:
    with pytest.raises(RulesError, match=problem):
        read_waivers([entry], "exceptions")


CHART = "oci://ghcr.io/org/charts/app:1.2.3"


@pytest.mark.parametrize(
    ("entry", "rules"),
    [
        (None, ["known"]),
        (Entry(), ["known"]),
        (Entry(OLD.digest, "oci", COPIED), ["known"]),
        (Entry(OLD.digest, "oci", VERIFIED), ["quarantine"]),
        (Entry(OLD.digest, "oci", VERIFIED, TODAY), ["quarantine"]),
        (Entry(OLD.digest, "oci", VERIFIED, dt.date(2026, 1, 1)), []),
        # Its content is kept with its role, so its age says nothing.
        (Entry(OLD.digest, "folder", VERIFIED, TODAY), []),
        (Entry(OLD.digest, "folder", COPIED, TODAY), ["known"]),
    ],
)
def test_charts_and_models_must_be_known_and_not_young(entry: Entry | None, rules: list[str]) -> None:
    entries = {CHART: entry} if entry else {}
    assert [verdict.rule for verdict in judge_artifacts([CHART], entries, POLICY, TODAY)] == rules


def test_where_nothing_can_be_lost_a_copied_chart_is_enough_and_an_unknown_one_is_not() -> None:
    disposable = dataclasses.replace(POLICY, demand_verified=False)
    assert judge_artifacts([CHART], {CHART: Entry(OLD.digest, "oci", COPIED)}, disposable, TODAY) == []
    assert [verdict.rule for verdict in judge_artifacts([CHART], {}, disposable, TODAY)] == ["known"]


def test_an_exception_may_name_a_chart_or_a_model() -> None:
    waiver = Waiver("quarantine", "hf://org/*", "ada", "our own weights")
    model = {"hf://org/weights@main": Entry("a" * 40, "commit", VERIFIED, TODAY)}
    policy = dataclasses.replace(POLICY, waivers=(waiver,))
    (verdict,) = judge_artifacts(model, model, policy, TODAY)
    assert verdict.waiver == waiver
