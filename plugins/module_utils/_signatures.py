# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Who must have signed an image, and what a lock says of its signature. Private to the collection."""

from __future__ import annotations

import datetime as dt
import fnmatch
import typing as t
from dataclasses import dataclass, fields

from ansible_collections.wmx.llm_platform.plugins.module_utils._release import has_since, version_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef

REQUIRED, IF_PRESENT = "required", "if_present"
DEMANDS: t.Final = (REQUIRED, IF_PRESENT)
SIGNED, UNSIGNED = "verified", "absent"
STATUSES: t.Final = (SIGNED, UNSIGNED)


@dataclass(frozen=True, slots=True)
class Signer:
    """Whom a signature must be from, as a lock records it; the three ways to name one exclude each other."""

    # Without keys: what the certificate must say, as text or as a pattern, and who vouched for it.
    identity: str = ""
    identity_regexp: str = ""
    issuer: str = ""
    issuer_regexp: str = ""
    # An address, or the fingerprint of the key.
    public_key: str = ""
    # The fingerprint of a file, where signatures are not checked by Sigstore's public roots.
    trusted_root: str = ""
    # `ignored` where signatures are in no public log.
    transparency_log: str = ""

    def __str__(self) -> str:
        if self.public_key:
            return f"the key {self.public_key}"
        return f"{self.identity or self.identity_regexp} of {self.issuer or self.issuer_regexp}"


SIGNER_KEYS: t.Final = tuple(item.name for item in fields(Signer))


@dataclass(frozen=True, slots=True)
class Signature:
    """What was found when an image's signature was looked for, and since when that is so."""

    status: str
    signer: Signer
    since: dt.date

    def as_data(self) -> dict[str, str]:
        signer = {key: getattr(self.signer, key) for key in SIGNER_KEYS if getattr(self.signer, key)}
        return {"status": self.status, "since": self.since.isoformat(), **signer}


def signature_of(value: Mapping[str, str]) -> Signature:
    """The signature that a lock's text holds; `signature_problems` has nothing against it."""
    signer = Signer(**{key: value[key] for key in SIGNER_KEYS if key in value})
    return Signature(value["status"], signer, dt.date.fromisoformat(value["since"]))


def signature_problems(value: t.Any) -> list[str]:
    """What is wrong with a signature as a lock writes it."""
    if not isinstance(value, dict):
        return ["signature is no mapping"]
    known = {"status", "since", *SIGNER_KEYS}
    problems = [f"signature has the unknown key {key!r}" for key in sorted(set(value) - known)]
    problems += [f"signature.{key} is no text" for key in SIGNER_KEYS if not isinstance(value.get(key, ""), str)]
    if value.get("status") not in STATUSES:
        problems.append(f"signature.status {value.get('status')!r} is none of {', '.join(STATUSES)}")
    try:
        dt.date.fromisoformat(value.get("since"))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        problems.append(f"signature.since {value.get('since')!r} is no date; write YYYY-MM-DD")
    return problems


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """Images whose full name with tag matches `images` are signed by `signer`, or not signed at all."""

    images: str
    demand: str
    signer: Signer
    # What the check needs besides: a key's text or address, a file with roots, the digest that the key signs.
    public_key: str = ""
    trusted_root: str = ""
    key_digest: str = "sha256"
    # The first signed release of each line, where older ones are not signed by this signer.
    first_releases: tuple[str, ...] = ()

    def covers(self, image: ImageRef) -> bool:
        if not fnmatch.fnmatchcase(image.tagged, self.images):
            return False
        return not self.first_releases or has_since(version_of(image.tag), self.first_releases)


def rule_for(image: ImageRef, rules: Iterable[SignatureRule]) -> SignatureRule | None:
    """The first rule that speaks of the image; none means that its signature does not matter."""
    return next((rule for rule in rules if rule.covers(image)), None)


def judge_signature(image: ImageRef, signature: Signature | None, rules: Iterable[SignatureRule]) -> tuple[str, str]:
    """What is wrong with what the lock says of the image's signature, and the fix; empty when nothing is."""
    rule = rule_for(image, rules)
    if rule is None:
        return "", ""
    fix = "run the playbook wmx.llm_platform.lock, which looks for the signature"
    if signature is None:
        return f"must be signed by {rule.signer}, and the lock does not say so", fix
    if signature.signer != rule.signer:
        return f"must be signed by {rule.signer}, and the lock speaks of {signature.signer}", fix
    if signature.status == UNSIGNED and rule.demand == REQUIRED:
        return f"must be signed by {rule.signer}, and has no signature", "choose a signed release"
    return "", ""
