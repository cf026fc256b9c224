# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin_options import policy_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import RulesError
from ansible_collections.wmx.llm_platform.plugins.module_utils._signature_rules import faults, read_signature_rules
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import Signer, rule_for

BODY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnUqDwfr5sTMYXLD2mtDqWNVvSPTH\n"
    "RuaHxYFDyxAmxw8mIm2XHdeSb/9WEKCZTw9oCM3tYUZAhR+3Y6sKqOKQgQ=="
)
KEY = f"-----BEGIN PUBLIC KEY-----\n{BODY}\n-----END PUBLIC KEY-----\n"
KEYLESS: dict[str, t.Any] = {
    "images": "ghcr.io/acme/*",
    "demand": "required",
    "identity": "https://ci.example/release",
    "issuer": "https://oidc.example",
}
KEYED: dict[str, t.Any] = {"images": "ghcr.io/acme/*", "demand": "required", "public_key": KEY}
GITHUB = r"^https://github\.com/acme/images/"


def keyless(**changes: t.Any) -> dict[str, t.Any]:
    return {key: value for key, value in {**KEYLESS, **changes}.items() if value is not None}


def keyed(**changes: t.Any) -> dict[str, t.Any]:
    return {**KEYED, **changes}


@pytest.mark.parametrize(
    "rule",
    [
        keyless(),
        keyless(identity=None, identity_regexp=GITHUB),
        keyless(identity=None, identity_regexp=r"^https://github\.com/(?:a|b)/[x|y]"),
        keyless(issuer=None, issuer_regexp=r"^https://oidc\.example$"),
        keyless(first_releases=["1.2.3", "2"], source="its README"),
        keyed(),
        keyed(public_key="https://keys.example/key.pub", key_digest="sha512"),
        keyed(transparency_log=False),
    ],
)
def test_what_is_written_as_it_must_be_has_no_fault(rule: dict[str, t.Any]) -> None:
    assert list(faults([rule])) == []


@pytest.mark.parametrize(
    ("rule", "field", "what"),
    [
        (keyless(images=" "), "images", "is empty"),
        (keyless(identity=None), "identity", "names no signer"),
        (keyless(identity=" "), "identity", "names no signer"),
        (keyless(public_key=KEY), "public_key", "names identity and public_key"),
        (keyless(identity_regexp=GITHUB), "identity_regexp", "names identity and identity_regexp"),
        (keyless(issuer=None), "issuer", "is missing: anyone can vouch"),
        (keyless(issuer_regexp="^a$"), "issuer", "is written twice"),
        (keyless(identity=None, identity_regexp="^("), "identity_regexp", "is no pattern"),
        (keyless(identity=None, identity_regexp="^(?!evil)"), "identity_regexp", "look-around"),
        (keyless(identity=None, identity_regexp=r"^(a)\1"), "identity_regexp", "back-reference"),
        (keyless(identity=None, identity_regexp="https://github.com/acme/"), "identity_regexp", "in the middle"),
        (keyless(identity=None, identity_regexp="^https://a/|https://b/"), "identity_regexp", "in the middle"),
        (keyless(issuer=None, issuer_regexp="^https://oidc"), "issuer_regexp", "the beginning of another issuer"),
        (keyless(key_digest="sha512"), "key_digest", "is for a public_key alone"),
        (keyless(transparency_log=False), "transparency_log", "would trust any certificate"),
        (keyless(trusted_root="/nonexistent/root.json"), "trusted_root", "is no file"),
        (keyless(first_releases=["next"]), "first_releases", "is no version"),
        (keyed(public_key="/etc/key.pub"), "public_key", "is no public key"),
        (keyed(public_key="http://keys.example/key.pub"), "public_key", "is no public key"),
        (keyed(public_key=KEY.replace(BODY, BODY[:-3])), "public_key", "is no public key"),
        (keyed(public_key=KEY.replace("PUBLIC", "PRIVATE")), "public_key", "is no public key"),
        (keyed(issuer="https://oidc.example"), "issuer", "means nothing for a key"),
    ],
)
def test_every_field_that_is_not_is_told_with_a_fix(rule: dict[str, t.Any], field: str, what: str) -> None:
    found = [fault for _index, fault in faults([rule])]
    assert [fault.field for fault in found] == [field]
    assert what in found[0].what
    assert found[0].fix
    with pytest.raises(RulesError, match=re.escape(f"rules.signatures[0].{field} = ")):
        policy_of({"signatures": [rule]})


def test_two_rules_for_the_same_images_are_a_fault_unless_releases_tell_them_apart() -> None:
    twice = [keyless(), keyed()]
    assert [(index, fault.field) for index, fault in faults(twice)] == [(1, "images")]
    assert list(faults([keyless(first_releases=["1.2.3"]), keyed()])) == []


@given(st.text(max_size=40))
def test_no_pattern_without_a_beginning_is_taken(text: str) -> None:
    rule = keyless(identity=None, identity_regexp=text)
    if not list(faults([rule])):
        assert text.strip().startswith("^")
        pattern = re.compile(text.strip())
        assert all(found.start() == 0 for found in [pattern.search(f"https://evil.example/{text}")] if found)


def test_keys_and_roots_are_recorded_by_fingerprint_however_they_are_laid_out(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root.json"
    root.write_text("{}", encoding="utf-8")
    rules = [
        keyed(trusted_root=str(root)),
        keyed(images="b", public_key=f"\n{KEY.strip()}\n\n", trusted_root=str(root)),
    ]
    first, second = read_signature_rules(rules, "rules", RulesError)
    assert first.signer == second.signer
    assert first.signer.public_key.startswith("sha256:")
    assert first.signer.trusted_root.startswith("sha256:44136fa355b3678a")
    root.write_text("{ }", encoding="utf-8")
    assert read_signature_rules(rules, "rules", RulesError)[0].signer != first.signer


SHIPPED = yaml.safe_load(
    (pathlib.Path(__file__).parents[4] / "roles" / "plan" / "vars" / "main.yml").read_text(encoding="utf-8")
)["__plan_advisories"]["signatures"]
ACTIONS = "https://token.actions.githubusercontent.com"


def test_the_shipped_rules_are_valid_and_say_where_they_are_known_from() -> None:
    assert list(faults(SHIPPED)) == []
    assert all(rule["source"] for rule in SHIPPED)


@pytest.mark.parametrize(
    ("image", "signer"),
    [
        ("ghcr.io/berriai/litellm-non_root:v1.108.10", "project-releaser"),
        ("ghcr.io/berriai/litellm-non_root:v1.108.7", "e82a3c646908ba0a6ee0beddc4310d7a6cac4065"),
        ("ghcr.io/berriai/litellm:v1.103.8", "e82a3c646908ba0a6ee0beddc4310d7a6cac4065"),
        ("ghcr.io/berriai/litellm:v1.106.2", None),
        ("ghcr.io/berriai/litellm:v1.109.1", "e82a3c646908ba0a6ee0beddc4310d7a6cac4065"),
        ("ghcr.io/berriai/litellm:v1.112.0", "project-releaser"),
        ("ghcr.io/cloudnative-pg/postgresql:17.11-202608170816-standard-trixie", "postgres-containers"),
        ("registry.k8s.io/kueue/kueue:v0.19.2", "krel-trust"),
        ("docker.io/istio/pilot:1.31.0", "istio-key.pub"),
        ("docker.io/vllm/vllm-openai:v0.31.0", None),
        ("docker.io/library/redis:7.0", None),
    ],
)
def test_the_shipped_rules_know_who_signs_what(image: str, signer: str | None) -> None:
    rule = rule_for(parse_image(image), read_signature_rules(SHIPPED, "rules", RulesError))
    assert (rule is None) is (signer is None)
    assert signer is None or (rule is not None and signer in str(rule.signer).replace("\\", ""))


def test_a_signer_is_told_in_words() -> None:
    assert str(Signer(identity="a", issuer="b")) == "a of b"
    assert str(Signer(identity_regexp="^a", issuer_regexp="^b$")) == "^a of ^b$"
    assert str(Signer(public_key="sha256:1")) == "the key sha256:1"
    assert ACTIONS in {rule.get("issuer") for rule in SHIPPED}
