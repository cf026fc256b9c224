# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import datetime as dt
import string
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock, LockError, parse_lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import (
    DEMANDS,
    IF_PRESENT,
    REQUIRED,
    SIGNED,
    STATUSES,
    UNSIGNED,
    Signature,
    SignatureRule,
    Signer,
    judge_signature,
    rule_for,
)

TODAY = dt.date(2026, 11, 23)
APP = parse_image("ghcr.io/org/app:v1.2.3")
ALICE = Signer(identity="https://ci.example/alice", issuer="https://oidc.example")
NAME = "ghcr.io/org/app:v1.2.3"

WORDS = st.text(string.ascii_letters + string.digits + ":/.^$", min_size=1, max_size=20)
SIGNERS = st.one_of(
    st.builds(Signer, identity=WORDS, issuer=WORDS, trusted_root=st.one_of(st.just(""), WORDS)),
    st.builds(Signer, identity_regexp=WORDS, issuer_regexp=WORDS),
    st.builds(Signer, public_key=WORDS, transparency_log=st.sampled_from(["", "ignored"])),
)
SIGNATURES = st.builds(Signature, st.sampled_from(STATUSES), SIGNERS, st.dates())
PATTERNS = st.sampled_from(
    ["*", "ghcr.io/*", "ghcr.io/org/app:v1.2.3", "ghcr.io/org/app", "docker.io/*", "ghcr.io/org/b*"]
)
RULES = st.lists(st.builds(SignatureRule, PATTERNS, st.sampled_from(DEMANDS), SIGNERS), max_size=4)


def problem(signature: Signature | None, *rules: SignatureRule, image: ImageRef = APP) -> str:
    return judge_signature(image, signature, rules)[0]


@given(st.one_of(st.none(), SIGNATURES), RULES)
def test_what_passes_was_verified_for_the_first_rule_or_needs_no_signature(
    signature: Signature | None, rules: list[SignatureRule]
) -> None:
    covering = [rule for rule in rules if rule.covers(APP)]
    what, fix = judge_signature(APP, signature, rules)
    assert bool(what) is bool(fix)
    if not covering:
        assert not what
    elif not what:
        assert signature is not None
        assert signature.signer == covering[0].signer
        assert signature.status == SIGNED or covering[0].demand == IF_PRESENT


@given(SIGNERS, st.sampled_from(DEMANDS), st.dates(), RULES)
def test_a_signature_by_the_signer_of_the_first_rule_always_passes(
    signer: Signer, demand: str, since: dt.date, others: list[SignatureRule]
) -> None:
    assert not problem(Signature(SIGNED, signer, since), SignatureRule("ghcr.io/org/*", demand, signer), *others)


@given(SIGNATURES, RULES)
def test_every_change_of_the_signer_needs_a_new_look(signature: Signature, rules: list[SignatureRule]) -> None:
    rule = SignatureRule("*", IF_PRESENT, dataclasses.replace(signature.signer, trusted_root="sha256:another"))
    assert "the lock speaks of" in problem(signature, rule, *rules)


@given(st.dictionaries(st.sampled_from([NAME, "docker.io/library/redis:7"]), st.one_of(st.none(), SIGNATURES)))
def test_a_lock_reads_back_what_it_writes(signatures: dict[str, Signature | None]) -> None:
    digest = "sha256:" + "ab" * 32
    lock = Lock({name: Entry(digest, "index", VERIFIED, TODAY, signature=found) for name, found in signatures.items()})
    assert parse_lock(lock.text(), "the lock") == lock


@pytest.mark.parametrize(
    ("signature", "demand", "expected"),
    [
        (None, REQUIRED, "the lock does not say so"),
        (None, IF_PRESENT, "the lock does not say so"),
        (Signature(UNSIGNED, ALICE, TODAY), REQUIRED, "has no signature"),
        (Signature(UNSIGNED, ALICE, TODAY), IF_PRESENT, ""),
        (Signature(SIGNED, ALICE, TODAY), REQUIRED, ""),
        (Signature(SIGNED, Signer(public_key="sha256:1"), TODAY), IF_PRESENT, "the lock speaks of the key sha256:1"),
    ],
)
def test_the_lock_must_say_what_the_rule_demands(signature: Signature | None, demand: str, expected: str) -> None:
    found = problem(signature, SignatureRule("ghcr.io/*", demand, ALICE))
    assert expected in found
    assert bool(found) is bool(expected)


def test_the_fix_for_a_lock_that_says_nothing_is_the_playbook_that_looks() -> None:
    _what, fix = judge_signature(APP, None, [SignatureRule("*", REQUIRED, ALICE)])
    assert "run the playbook wmx.llm_platform.lock" in fix


def test_a_rule_may_begin_with_some_releases_and_the_next_one_speaks_of_older_ones() -> None:
    newer = SignatureRule("ghcr.io/org/*", REQUIRED, ALICE, first_releases=("1.2.3", "1.4.1"))
    older = SignatureRule("ghcr.io/org/*", REQUIRED, Signer(public_key="sha256:1"))
    expected = {"v1.2.2": older, "v1.2.3": newer, "v1.3.9": older, "v1.4.0": older, "v1.4.1": newer, "v2.0.0": newer}
    found = {tag: rule_for(parse_image(f"ghcr.io/org/app:{tag}"), [newer, older]) for tag in expected}
    assert found == expected


def with_signature(**value: t.Any) -> str:
    entry = Entry("sha256:" + "ab" * 32, "index", VERIFIED, TODAY, signature=Signature(SIGNED, ALICE, TODAY))
    text = Lock({NAME: entry}).text()
    for key, item in value.items():
        old = next(line for line in text.splitlines() if line.strip().startswith(f"{key}: ") and "      " in line)
        text = text.replace(old, f"      {key}: {item}")
    return text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"status": "forged"}, "signature.status 'forged' is none of verified, absent"),
        ({"since": "yesterday"}, "signature.since 'yesterday' is no date"),
        ({"issuer": "[a]"}, "signature.issuer is no text"),
        ({"issuer": "a\n      colour: red"}, "signature has the unknown key 'colour'"),
    ],
)
def test_a_signature_that_is_none_is_an_error_with_its_image(value: dict[str, str], expected: str) -> None:
    with pytest.raises(LockError) as caught:
        parse_lock(with_signature(**value), "the lock")
    assert f"{NAME}: {expected}" in str(caught.value)


def test_only_images_have_signatures() -> None:
    text = with_signature().replace("images:\n", "images: {}\ncharts:\n").replace(NAME, "oci://ghcr.io/org/chart:1.2.3")
    with pytest.raises(LockError, match="only images have a signature"):
        parse_lock(text.replace("kind: index", "kind: oci"), "the lock")
