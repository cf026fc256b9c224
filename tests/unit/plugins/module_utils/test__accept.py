# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import datetime as dt
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._cosign import CosignError
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin import Outcome, Request, pinned, resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import (
    COPIED,
    VERIFIED,
    Entry,
    Lock,
    read_lock,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import Policy
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import PinError
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import (
    IF_PRESENT,
    REQUIRED,
    SIGNED,
    UNSIGNED,
    Signature,
    SignatureRule,
    Signer,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._waivers import Waiver
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cosign import (
    BUNDLE,
    NONE,
    OTHER_OLD,
    Answer,
    FakeCosign,
    ok,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import (
    Registry,
    digest_of,
    manifest,
    serve,
)

if t.TYPE_CHECKING:
    import pathlib

TODAY = dt.date(2026, 11, 23)
OLD = dt.date(2026, 1, 1)
NAME = "ghcr.io/org/app:v1"
ALICE = Signer(identity="https://ci.example/alice", issuer="https://oidc.example")
LOST = "sha256:" + "ab" * 32


class World:
    """A registry with one image, what cosign says of it, and a lock."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.registry = Registry()
        self.cosign = FakeCosign(folder)
        self.lock_file = folder / "images.lock.yml"
        self.says(ok(BUNDLE))

    def says(self, answer: Answer) -> None:
        self.cosign.answers["org/app"] = (answer, NONE)

    def lock(self, entry: Entry) -> None:
        self.lock_file.write_text(Lock({NAME: entry}).text(), encoding="utf-8")

    def request(self, *rules: SignatureRule, **policy: t.Any) -> Request:
        return Request(
            self.lock_file,
            images=(NAME,),
            policy=Policy(signatures=rules, **policy),
            cosign=self.cosign.command,
        )

    def resolve(self, *rules: SignatureRule, today: dt.date = TODAY, **policy: t.Any) -> Outcome:
        with serve(self.registry) as host:
            access = Access({"ghcr.io": Endpoint(host, insecure=True)}, timeout=3.0, retries=0)
            return resolved(self.request(*rules, **policy), access, today, check=False)

    @property
    def entry(self) -> Entry:
        return read_lock(self.lock_file).images.get(NAME, Entry())


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    found = World(tmp_path)
    found.registry.put("org/app:v1", manifest())
    return found


def rule(demand: str = REQUIRED, signer: Signer = ALICE) -> SignatureRule:
    return SignatureRule("ghcr.io/org/*", demand, signer)


def test_what_was_verified_is_written_into_the_lock_and_lets_the_image_pass(world: World) -> None:
    assert not world.resolve(rule()).failures
    assert world.entry.signature == Signature(SIGNED, ALICE, TODAY)
    text = world.lock_file.read_text(encoding="utf-8")
    assert all(f"{key}:" in text for key in ("signature", "identity", "issuer", "since"))
    assert not pinned(world.request(rule(), quarantine_days=0), TODAY, check=True).changed


def test_a_second_look_keeps_the_day_of_the_first_and_changes_nothing(world: World) -> None:
    world.resolve(rule())
    assert not world.resolve(rule(), today=dt.date(2027, 1, 1)).changed
    assert len(world.cosign.asked) == 2


def test_a_moved_tag_needs_a_signature_of_its_own(world: World) -> None:
    world.resolve(rule())
    before = world.entry
    world.registry.put("org/app:v1", manifest(more=1))
    world.says(NONE)
    outcome = world.resolve(rule())
    assert "has no signature" in outcome.failures[0]
    assert world.entry == before
    world.says(ok(BUNDLE))
    assert not world.resolve(rule(), today=dt.date(2027, 1, 1)).failures
    assert world.entry.digest == digest_of(manifest(more=1))
    assert world.entry.signature == Signature(SIGNED, ALICE, dt.date(2027, 1, 1))


@pytest.mark.parametrize(("answer", "demand"), [(NONE, REQUIRED), (OTHER_OLD, REQUIRED), (OTHER_OLD, IF_PRESENT)])
def test_an_image_that_is_not_signed_as_it_must_be_does_not_come_into_the_lock(
    world: World, answer: Answer, demand: str
) -> None:
    world.says(answer)
    outcome = world.resolve(rule(demand))
    assert [failure.partition("@")[0] for failure in outcome.failures] == [NAME]
    assert not world.lock_file.exists()
    assert not outcome.moves


def test_that_there_is_none_is_written_too_where_that_is_enough(world: World) -> None:
    world.says(NONE)
    assert not world.resolve(rule(IF_PRESENT)).failures
    assert world.entry.signature == Signature(UNSIGNED, ALICE, TODAY)
    pinned(world.request(rule(IF_PRESENT), quarantine_days=0), TODAY, check=True)
    with pytest.raises(PinError, match=r"has no signature \(signature\)"):
        pinned(world.request(rule(REQUIRED), quarantine_days=0), TODAY, check=True)


def test_a_new_rule_or_another_signer_needs_the_playbook_again(world: World) -> None:
    world.resolve()
    for rules, problem in (
        ((rule(),), "the lock does not say so"),
        ((rule(signer=Signer(public_key="k")),), "does not"),
    ):
        with pytest.raises(PinError, match=rf"{problem}.*run the playbook wmx\.llm_platform\.lock"):
            pinned(world.request(*rules, quarantine_days=0), TODAY, check=True)
    world.resolve(rule())
    with pytest.raises(PinError, match="must be signed by the key k, and the lock speaks of"):
        pinned(world.request(rule(signer=Signer(public_key="k")), quarantine_days=0), TODAY, check=True)


def test_an_exception_is_neither_looked_for_nor_refused_and_is_told(world: World) -> None:
    world.says(NONE)
    waiver = Waiver("signature", NAME, "ada", "their next release is signed")
    assert not world.resolve(rule(), waivers=(waiver,)).failures
    assert not world.cosign.asked
    outcome = pinned(world.request(rule(), waivers=(waiver,), quarantine_days=0), TODAY, check=True)
    assert [verdict.waiver for verdict in outcome.waived] == [waiver]


def test_where_nothing_can_be_lost_nobody_asks_and_what_is_known_stays(world: World) -> None:
    world.resolve(rule())
    asked = len(world.cosign.asked)
    assert not world.resolve(rule(), demand_verified=False).changed
    assert len(world.cosign.asked) == asked
    assert world.entry.signature


def test_images_that_no_rule_speaks_of_need_no_cosign(world: World) -> None:
    request = world.request(SignatureRule("docker.io/*", REQUIRED, ALICE))
    with serve(world.registry) as host:
        access = Access({"ghcr.io": Endpoint(host, insecure=True)}, timeout=3.0, retries=0)
        missing = Request(request.lock_file, images=(NAME,), policy=request.policy, cosign="/nonexistent/cosign")
        assert resolved(missing, access, TODAY, check=False).changed
        wanted = Request(request.lock_file, images=(NAME,), policy=Policy(signatures=(rule(),)), cosign="/nonexistent")
        with pytest.raises(CosignError, match="is not there as /nonexistent"):
            resolved(wanted, access, TODAY, check=False)


def test_a_verified_digest_that_the_name_does_not_serve_any_more_stops_its_image(world: World) -> None:
    world.lock(Entry(LOST, "index", VERIFIED, OLD))
    before = world.lock_file.read_text(encoding="utf-8")
    (failure,) = world.resolve().failures
    assert failure.startswith(f"{NAME}: ")
    assert f"has no {LOST} of it" in failure
    assert "find out who changed it, then take the entry out of the lock" in failure
    assert world.lock_file.read_text(encoding="utf-8") == before


def test_a_copied_digest_may_be_wrong_and_is_replaced(world: World) -> None:
    world.lock(Entry(LOST, "index", COPIED, OLD))
    assert not world.resolve().failures
    assert world.entry.digest == digest_of(manifest())
