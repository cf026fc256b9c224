# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Against a program that answers as cosign does; tests/e2e asks the real one about a real registry."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._cosign import Cosign, CosignError, Wanted
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import HUB_LOGIN, Access, Endpoint
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import (
    IF_PRESENT,
    REQUIRED,
    SIGNED,
    UNSIGNED,
    SignatureRule,
    Signer,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cosign import (
    BUNDLE,
    DOWN,
    NONE,
    OLD,
    OTHER_BUNDLE,
    OTHER_OLD,
    PROVENANCE,
    Answer,
    FakeCosign,
    ok,
)

if t.TYPE_CHECKING:
    import pathlib

DIGEST = "sha256:" + "ab" * 32
IMAGE = parse_image(f"ghcr.io/org/app:v1@{DIGEST}")
KEYLESS = Signer(identity="https://ci.example/release", issuer="https://oidc.example")


@pytest.fixture
def fake(tmp_path: pathlib.Path) -> FakeCosign:
    return FakeCosign(tmp_path)


def rule(demand: str = REQUIRED, signer: Signer = KEYLESS, **more: t.Any) -> SignatureRule:
    return SignatureRule("ghcr.io/org/*", demand, signer, **more)


def status(fake: FakeCosign, bundles: Answer, older: Answer = NONE, demand: str = REQUIRED) -> str:
    fake.answers["org/app"] = (bundles, older)
    return Cosign(fake.command, Access()).status(Wanted(IMAGE, rule(demand)))


@pytest.mark.parametrize("demand", [REQUIRED, IF_PRESENT])
@pytest.mark.parametrize(
    ("bundles", "older"),
    [
        (ok(BUNDLE), NONE),
        (ok(PROVENANCE, BUNDLE), NONE),
        (ok(OLD), NONE),
        # Provenance beside a signature in the old format, by the same signer or by another one.
        (ok(PROVENANCE), ok(OLD)),
        (OTHER_BUNDLE, ok(OLD)),
    ],
)
def test_a_signature_in_either_format_is_found(fake: FakeCosign, bundles: Answer, older: Answer, demand: str) -> None:
    assert status(fake, bundles, older, demand) == SIGNED


@pytest.mark.parametrize("bundles", [NONE, ok(PROVENANCE)])
def test_no_signature_is_refused_where_one_is_required(fake: FakeCosign, bundles: Answer) -> None:
    with pytest.raises(CosignError, match=r"has no signature, and must be signed by https://ci\.example/release"):
        status(fake, bundles)
    assert status(fake, bundles, demand=IF_PRESENT) == UNSIGNED


@pytest.mark.parametrize("demand", [REQUIRED, IF_PRESENT])
@pytest.mark.parametrize(
    ("bundles", "older"),
    [(OTHER_BUNDLE, NONE), (OTHER_OLD, NONE), (OTHER_BUNDLE, OTHER_OLD), (ok(PROVENANCE), OTHER_OLD)],
)
def test_somebody_elses_signature_is_refused_even_where_none_is_required(
    fake: FakeCosign, bundles: Answer, older: Answer, demand: str
) -> None:
    with pytest.raises(CosignError, match=r"has a signature, and none by .*cosign says: no matching"):
        status(fake, bundles, older, demand)


@pytest.mark.parametrize("demand", [REQUIRED, IF_PRESENT])
@pytest.mark.parametrize(("bundles", "older"), [(DOWN, NONE), (ok(PROVENANCE), DOWN)])
def test_what_could_not_be_asked_is_neither_signed_nor_unsigned(
    fake: FakeCosign, bundles: Answer, older: Answer, demand: str
) -> None:
    with pytest.raises(CosignError, match=r"could not be checked; .*cosign says: Get https://ghcr\.io"):
        status(fake, bundles, older, demand)


def test_a_signature_of_another_digest_is_none(fake: FakeCosign) -> None:
    fake.digest = "sha256:" + "cd" * 32
    with pytest.raises(CosignError, match="has no signature"):
        status(fake, ok(BUNDLE))


def arguments(fake: FakeCosign, access: Access, wanted: Wanted) -> list[str]:
    name = f"{access.endpoint(wanted.image.registry).prefix}{wanted.image.repository}"
    fake.answers[name] = (ok(BUNDLE), NONE)
    assert Cosign(fake.command, access).status(wanted) == SIGNED
    return t.cast("list[str]", fake.asked[-1]["arguments"])


def test_identity_and_issuer_are_asked_for_as_the_rule_writes_them(fake: FakeCosign) -> None:
    signer = Signer(
        identity_regexp="^https://ci/", issuer_regexp="^https://oidc.example.com/$", transparency_log="ignored"
    )
    wanted = Wanted(IMAGE, rule(signer=signer, trusted_root="/roots.json"))
    assert arguments(fake, Access(), wanted) == [
        "verify",
        "--output=json",
        "--trusted-root=/roots.json",
        "--insecure-ignore-tlog",
        "--insecure-ignore-sct",
        "--certificate-identity-regexp=^https://ci/",
        "--certificate-oidc-issuer-regexp=^https://oidc.example.com/$",
        f"ghcr.io/org/app@{DIGEST}",
    ]


def test_nothing_insecure_is_asked_for_unless_a_rule_says_so(fake: FakeCosign) -> None:
    assert not [word for word in arguments(fake, Access(), Wanted(IMAGE, rule())) if "insecure" in word]


def test_a_key_is_handed_over_in_a_file_or_as_its_address(fake: FakeCosign) -> None:
    arguments(fake, Access(), Wanted(IMAGE, rule(signer=Signer(public_key="sha256:1"), public_key="the text")))
    assert fake.asked[-1]["key"] == "the text\n"
    address = "https://keys.example/key.pub"
    wanted = Wanted(IMAGE, rule(signer=Signer(public_key=address), public_key=address, key_digest="sha512"))
    assert arguments(fake, Access(), wanted)[2:4] == [f"--key={address}", "--signature-digest-algorithm=sha512"]


def test_mirrors_and_their_authorities_are_asked_as_for_digests(fake: FakeCosign) -> None:
    access = Access({"ghcr.io": Endpoint("mirror:5000", insecure=True, ca_file="/ca.pem", prefix="hub/")})
    asked = arguments(fake, access, Wanted(IMAGE, rule()))
    assert asked[-1] == f"mirror:5000/hub/org/app@{DIGEST}"
    assert {"--allow-http-registry", "--registry-cacert=/ca.pem"} <= set(asked)


@pytest.mark.parametrize(
    ("image", "name"),
    [(IMAGE, "ghcr.io"), (parse_image(f"redis:7@{DIGEST}"), f"https://{HUB_LOGIN}/v1/")],
)
def test_credentials_go_by_a_private_file_and_never_by_arguments(fake: FakeCosign, image: t.Any, name: str) -> None:
    basic = base64.b64encode(b"user:a secret").decode()
    asked = arguments(fake, Access(credentials={image.registry: basic}), Wanted(image, rule()))
    (note,) = fake.asked
    assert json.loads(note["config"]) == {"auths": {name: {"auth": basic}}}
    assert note["mode"] == "0o600"
    assert basic not in " ".join(asked)
    assert "a secret" not in " ".join(asked)


def test_all_are_looked_at_and_one_failure_does_not_hide_the_others(fake: FakeCosign) -> None:
    images = {name: parse_image(f"ghcr.io/org/{name}:v1@{DIGEST}") for name in ("a", "b", "c", "d")}
    fake.answers = {
        "org/a": (NONE, NONE),
        "org/b": (ok(BUNDLE), NONE),
        "org/c": (OTHER_OLD, NONE),
        "org/d": (ok(OLD), NONE),
    }
    wanted = {name: Wanted(image, rule()) for name, image in images.items()}
    found, failed = Cosign(fake.command, Access()).look_at(wanted)
    assert found == {"b": SIGNED, "d": SIGNED}
    assert sorted(failed) == ["a", "c"]


def test_a_missing_cosign_is_told_at_once(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CosignError, match="install cosign 3, or name its path in llm_cosign"):
        Cosign(str(tmp_path / "cosign"), Access())


def test_a_cosign_that_cannot_be_run_or_never_ends_is_an_error(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "cosign"
    for text, problem in (("\x7fELF", "cannot be run"), ("#!/bin/sh\nexec sleep 9\n", "had no answer after")):
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
        with pytest.raises(CosignError, match=problem):
            Cosign(str(program), Access(timeout=0.02)).status(Wanted(IMAGE, rule()))
