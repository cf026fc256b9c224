# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads rules on signatures as inventories write them. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._release import version_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import SignatureRule, Signer

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

KEY_DIGESTS: t.Final = ("sha256", "sha384", "sha512")
_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----\s(?P<body>[A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*\Z")
# cosign's patterns are RE2's, which know neither of these.
_NOT_RE2 = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]")
_WHO: t.Final = ("identity", "identity_regexp", "public_key")


class Fault(t.NamedTuple):
    """A field of a rule that is not written as it must be."""

    field: str
    value: t.Any
    what: str
    fix: str


def faults(rules: Sequence[Mapping[str, t.Any]]) -> Iterator[tuple[int, Fault]]:
    """Everything that is wrong with the rules, each with the rule's place in the list."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for index, rule in enumerate(rules):
        yield from ((index, fault) for fault in _faults(rule))
        covered = (str(rule.get("images") or ""), tuple(rule.get("first_releases") or ()))
        if covered in seen:
            yield index, Fault("images", covered[0], "is named twice", "the first rule for an image holds; keep one")
        seen.add(covered)


def _faults(rule: Mapping[str, t.Any]) -> Iterator[Fault]:
    if not _text(rule, "images"):
        yield Fault("images", rule.get("images"), "is empty", "write a pattern such as ghcr.io/acme/*")
    named = [key for key in _WHO if _text(rule, key)]
    if len(named) != 1:
        what = f"names {' and '.join(named)}" if named else "names no signer"
        yield Fault(named[-1] if named else "identity", _text(rule, named[-1]) if named else "", what, _ONE_OF)
    elif named == ["public_key"]:
        yield from _key_faults(rule)
    else:
        yield from _identity_faults(rule)
    root = _text(rule, "trusted_root")
    if root and not Path(root).is_file():
        yield Fault("trusted_root", root, "is no file", "write the path of a trusted_root.json on the controller")
    if rule.get("transparency_log") is False and not root and "public_key" not in named:
        fix = "leave it out; only your own public_key or trusted_root can do without the log"
        yield Fault("transparency_log", False, "would trust any certificate of Sigstore's, however old", fix)
    for release in rule.get("first_releases") or ():
        if not version_of(str(release)):
            yield Fault("first_releases", release, "is no version", "write it as numbers with dots, such as 1.2.3")


_ONE_OF: t.Final = "write one of identity, identity_regexp and public_key"


def _key_faults(rule: Mapping[str, t.Any]) -> Iterator[Fault]:
    key = _text(rule, "public_key")
    if not key.startswith("https://") and _key_bytes(key) is None:
        fix = "write the text that begins with BEGIN PUBLIC KEY, or an https address"
        yield Fault("public_key", key, "is no public key", fix)
    for name in ("issuer", "issuer_regexp"):
        if _text(rule, name):
            yield Fault(name, _text(rule, name), "means nothing for a key", "leave it out")


def _identity_faults(rule: Mapping[str, t.Any]) -> Iterator[Fault]:
    issuers = [name for name in ("issuer", "issuer_regexp") if _text(rule, name)]
    if len(issuers) != 1:
        what = "is written twice" if issuers else "is missing: anyone can vouch for any identity"
        yield Fault("issuer", _text(rule, "issuer"), what, "write one of issuer and issuer_regexp")
    for name in ("identity_regexp", "issuer_regexp"):
        if problem := _pattern_problem(_text(rule, name), whole=name == "issuer_regexp"):
            fix = "write an RE2 pattern such as ^https://github\\.com/acme/images/"
            yield Fault(name, _text(rule, name), problem, fix)
    if rule.get("key_digest") not in (None, KEY_DIGESTS[0]):
        yield Fault("key_digest", rule["key_digest"], "is for a public_key alone", "leave it out")


def _pattern_problem(pattern: str, *, whole: bool) -> str:
    if not pattern:
        return ""
    try:
        re.compile(pattern)
    except re.error as exc:
        return f"is no pattern ({exc})"
    if _NOT_RE2.search(pattern):
        return "has a look-around or a back-reference, which RE2 does not know"
    # cosign searches: without a beginning, https://evil.example/?https://github.com/acme/ matches too.
    if not pattern.startswith("^") or "|" in re.sub(r"\((?:[^()\\]|\\.)*\)|\[(?:[^\]\\]|\\.)*\]", "", pattern):
        return "matches in the middle of another name"
    return "matches the beginning of another issuer" if whole and not pattern.endswith("$") else ""


def _text(rule: Mapping[str, t.Any], key: str) -> str:
    return str(rule.get(key) or "").strip()


def _key_bytes(key: str) -> bytes | None:
    match = _PEM.match(key + "\n")
    try:
        return base64.b64decode("".join(match["body"].split()), validate=True) if match else None
    except binascii.Error:
        return None


def _fingerprint(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def read_signature_rules(
    rules: Iterable[Mapping[str, t.Any]], path: str, error: type[Exception]
) -> tuple[SignatureRule, ...]:
    """The rules in their order; `error` names the first field that is not written as it must be."""
    listed = [{key: value for key, value in rule.items() if value is not None} for rule in rules]
    for index, fault in faults(listed):
        raise error(f"{path}[{index}].{fault.field} = {fault.value}: {fault.what}; {fault.fix}")
    return tuple(_rule(rule, path, error) for rule in listed)


def _rule(rule: Mapping[str, t.Any], path: str, error: type[Exception]) -> SignatureRule:
    key, root = _text(rule, "public_key"), _text(rule, "trusted_root")
    try:
        root_print = _fingerprint(Path(root).read_bytes()) if root else ""
    except OSError as exc:
        raise error(f"{path}: trusted_root {root} cannot be read: {exc}") from exc
    data = _key_bytes(key)
    signer = Signer(
        identity=_text(rule, "identity"),
        identity_regexp=_text(rule, "identity_regexp"),
        issuer=_text(rule, "issuer"),
        issuer_regexp=_text(rule, "issuer_regexp"),
        public_key=_fingerprint(data) if data else key,
        trusted_root=root_print,
        transparency_log="" if rule.get("transparency_log", True) else "ignored",
    )
    return SignatureRule(
        images=_text(rule, "images"),
        demand=rule["demand"],
        signer=signer,
        public_key=key,
        trusted_root=root,
        key_digest=rule.get("key_digest") or KEY_DIGESTS[0],
        first_releases=tuple(map(str, rule.get("first_releases") or ())),
    )
