# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Signatures in a real registry, made and checked by the real cosign, with keys and an authority of our own."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from certificates import Authority
from real_registry import NAME, Pinner, RealRegistry, failures_of, serve
from signing import Key, Publisher

# The first time, cosign is built: many minutes on a small machine.
pytestmark = pytest.mark.timeout(1800)

if t.TYPE_CHECKING:
    import pathlib

    from conftest import Record

IDENTITY = "https://ci.example/acme/images/release.yml@refs/heads/main"
ISSUER = "https://oidc.example"
Rule = dict[str, t.Any]


@dataclass(frozen=True)
class Scene:
    """A registry, somebody who signs, and a lock whose rules are a test's."""

    registry: RealRegistry
    publisher: Publisher
    pinner: Pinner

    def image(self, name: str, *signed_by: Key, old_format: bool = False) -> str:
        """Pushed, and signed by these; the name by which manifests know it."""
        digest = self.registry.push(f"acme/{name}", "v1", name)
        for key in signed_by:
            address = f"{self.registry.host}/acme/{name}@{digest}"
            self.publisher.sign(address, key, old_format=old_format)
        return f"{NAME}/acme/{name}:v1"

    def accepted(self, image: str, rule: Rule) -> dict[str, str]:
        """What the lock then says of the signature."""
        result = self.pinner.resolve(image, rules={"signatures": [rule]})
        assert not result.get("failed"), result["msg"]
        assert not self.pinner.pin(image, rules={"signatures": [rule]}).get("failed"), "learned and not delivered"
        return t.cast("dict[str, str]", self.pinner.lock[image]["signature"])

    def refused(self, image: str, rule: Rule) -> str:
        return self.all_refused([image], rule)[image]

    def all_refused(self, images: t.Collection[str], rule: Rule) -> dict[str, str]:
        """The one line about each of them."""
        failures = failures_of(self.pinner.resolve(*images, rules={"signatures": [rule]}))
        found = {image: line for image in images for line in failures if line.startswith(f"{image}@")}
        assert len(found) == len(failures) == len(images), failures
        assert not set(images) & set(self.pinner.lock), "the lock learned what was refused"
        return found


@pytest.fixture
def scene(registry_root: pathlib.Path, cosign: str, tmp_path: pathlib.Path) -> t.Iterator[Scene]:
    (tmp_path / "publisher").mkdir()
    with serve(registry_root, tmp_path / "registry") as registry:
        options = {"endpoints": registry.endpoints(insecure=True), "cosign": cosign}
        yield Scene(registry, Publisher(cosign, tmp_path / "publisher"), Pinner(tmp_path / "work", options))


def by_key(key: Key, demand: str = "required") -> Rule:
    return {"images": f"{NAME}/*", "demand": demand, "public_key": key.public, "transparency_log": False}


def test_an_unsigned_image_is_refused(scene: Scene, record: Record) -> None:
    expected = (
        "the signed image is learned with its signer and delivered; the unsigned one is neither, not even from a lock"
        " that has its digest, unless signatures are only looked at if present or an exception says so"
    )
    with record("unsigned-refused", expected) as observed:
        key = scene.publisher.key("ours")
        signed, unsigned = scene.image("signed", key), scene.image("unsigned")
        signature = scene.accepted(signed, by_key(key))
        assert signature["status"] == "verified"
        assert signature["public_key"].startswith("sha256:")
        observed.append(f"signed: in the lock as {signature['status']} for the key {signature['public_key'][:19]}…")
        failure = scene.refused(unsigned, by_key(key))
        assert "has no signature, and must be signed by the key" in failure
        observed.append(f"unsigned: {failure.partition(': ')[2].partition(';')[0][:80]}…")
        observed.append(offline(scene, unsigned, by_key(key)))
        assert scene.accepted(unsigned, by_key(key, "if_present"))["status"] == "absent"
        observed.append("looked at if present: in the lock as absent")


def offline(scene: Scene, image: str, rule: Rule) -> str:
    """The lock has the digest from before there was a rule; then only an exception lets the image pass."""
    assert not scene.pinner.resolve(image).get("failed")
    refused = scene.pinner.pin(image, rules={"signatures": [rule]})
    assert refused.get("failed"), "delivered from a lock without its signature"
    assert "(signature); run the playbook wmx.llm_platform.lock" in refused["msg"]
    waiver = {"rule": "signature", "image": image, "owner": "the tests", "reason": "signed from the next release on"}
    excused = scene.pinner.pin(image, rules={"signatures": [rule], "exceptions": [waiver]})
    assert not excused.get("failed"), excused
    assert [(item["rule"], item["owner"]) for item in excused["waived"]] == [("signature", "the tests")]
    scene.pinner.lock_file.unlink()
    return "from a lock without its signature: refused with the command; excused by an exception, which is told"


def test_a_signature_by_another_identity_is_refused(scene: Scene, tmp_path: pathlib.Path, record: Record) -> None:
    expected = (
        "the right identity and issuer under our authority are learned, in both formats of signatures; another"
        " identity, another issuer, the same words of a foreign authority and another key are refused, required or not"
    )
    with record("wrong-identity-refused", expected) as observed:
        publisher = scene.publisher
        ours, foreign = Authority(tmp_path, "ours"), Authority(tmp_path, "foreign")
        root, foreign_root = publisher.trusted_root("ours", ours), publisher.trusted_root("foreign", foreign)

        def certified(name: str, authority: Authority, identity: str, issuer: str) -> Key:
            issued = authority.signer(name, identity, issuer)
            return publisher.certified(name, issued, root if authority is ours else foreign_root)

        def rule(demand: str = "required", **who: str) -> Rule:
            who = who or {"identity": IDENTITY, "issuer": ISSUER}
            return {
                "images": f"{NAME}/*",
                "demand": demand,
                "trusted_root": str(root),
                "transparency_log": False,
                **who,
            }

        release = certified("release", ours, IDENTITY, ISSUER)
        right = {"new": scene.image("new", release), "old": scene.image("old", release, old_format=True)}
        for form, image in right.items():
            signature = scene.accepted(image, rule())
            said = {key: signature[key] for key in ("status", "identity", "issuer")}
            assert said == {"status": "verified", "identity": IDENTITY, "issuer": ISSUER}
            observed.append(f"right identity, {form} format: learned")
        pattern = {"identity_regexp": r"^https://ci\.example/acme/images/", "issuer_regexp": r"^https://oidc\.example$"}
        assert scene.accepted(right["new"], rule(**pattern))["identity_regexp"] == pattern["identity_regexp"]
        wrong = {
            "another identity": certified("fork", ours, IDENTITY.replace("acme", "evil"), ISSUER),
            "another issuer": certified("vouched", ours, IDENTITY, "https://oidc.evil.example"),
            "a foreign authority": certified("foreign", foreign, IDENTITY, ISSUER),
            "a key without certificate": publisher.key("bare"),
        }
        images = {
            scene.image(f"{what.replace(' ', '-')}-{form}", key, old_format=form == "old"): f"{what}, {form} format"
            for what, key in wrong.items()
            for form in ("new", "old")
        }
        for demand in ("if_present", "required"):
            failures = scene.all_refused(images, rule(demand))
            for image, failure in failures.items():
                assert f"has a signature, and none by {IDENTITY} of {ISSUER}" in failure, f"{images[image]}: {failure}"
        observed += [f"{images[image]}: {text.partition('cosign says: ')[2][:60]}…" for image, text in failures.items()]
        both = scene.image("both", wrong["another identity"], release)
        assert scene.accepted(both, rule())["status"] == "verified", "a second signature spoils the right one"
        mine, theirs = publisher.key("mine"), publisher.key("theirs")
        keyed = scene.image("keyed", theirs)
        assert "has a signature, and none by the key" in scene.refused(keyed, by_key(mine))
        assert scene.accepted(keyed, by_key(theirs))["status"] == "verified"
        observed.append("another key: refused, its own: learned")
