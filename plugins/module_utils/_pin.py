# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes the lock's digests into objects, and new digests into the lock. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_find import Place, extra_paths, rewrite_images
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import IMAGES, VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import with_pull_secret
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ObjectError, ref_of

try:
    import jmespath
except ImportError:
    jmespath = None

if t.TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef
    from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import Mirror
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object
    from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved
    from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import Signature


class PinError(Exception):
    """Images that cannot be pinned; the message has one line for each place."""


@dataclass(frozen=True, slots=True)
class Use:
    """One image at one place of one object."""

    object: str
    place: str
    image: ImageRef

    def __str__(self) -> str:
        return f"{self.object} {self.place}: {self.image}"


@dataclass(slots=True)
class Pinned:
    objects: list[Object] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    missing: list[Use] = field(default_factory=list)
    # Written with a digest that is not the lock's.
    contradicted: list[Use] = field(default_factory=list)

    def demand_all(self, locks: str) -> None:
        """PinError when an image has no digest, or another one than the lock."""
        lines = [f"{use} is not in the lock" for use in self.missing]
        lines += [f"{use} is not what the lock says" for use in self.contradicted]
        if lines:
            fix = f"the lock is {locks}; the playbook wmx.llm_platform.lock resolves what it lacks"
            raise PinError("\n".join([f"{len(lines)} image(s) cannot be pinned; {fix}", *lines]))


def pin(objects: Iterable[Object], lock: Lock, expressions: Iterable[str] = (), mirror: Mirror | None = None) -> Pinned:
    """Copies of the objects with the lock's digest at every image, and a list of what could not be pinned.

    With a mirror that rewrites names the copies name its images; `uses` has the first names, as the lock does.
    """
    result = Pinned()
    digests = _digests_by_name(lock)
    listed = list(expressions)
    renames = mirror if mirror is not None and mirror.rewrites else None
    for obj in objects:
        name = _title(obj)
        extra = extra_paths(listed, obj, _search) if listed else ()

        def visit(place: Place, found: ImageRef, name: str = name) -> ImageRef | None:
            image = renames.origin(found) if renames else found
            use = Use(name, place.text, image)
            result.uses.append(use)
            known = lock.digest_of(image.tagged) if image.tag or not image.digest else None
            if image.digest:
                right = image.digest == known if known else image.digest in digests.get(image.name, ())
                if not right:
                    (result.contradicted if known or image.name in digests else result.missing).append(use)
                known = image.digest
            elif known is None:
                result.missing.append(use)
                return None
            written = image.pinned(known)
            written = renames.of(written) if renames else written
            return None if written == found else written

        rewritten = rewrite_images(obj, visit, extra)
        result.objects.append(
            with_pull_secret(rewritten, renames.pull_secret) if renames and renames.pull_secret else rewritten
        )
    return result


def _title(obj: Object) -> str:
    try:
        return ref_of(obj).text
    except ObjectError:  # whoever takes the object says what is wrong with it
        return str(obj.get("kind") or "an object without kind")


def _digests_by_name(lock: Lock) -> dict[str, set[str]]:
    digests: dict[str, set[str]] = {}
    for tagged, entry in lock.images.items():
        if entry.digest:
            digests.setdefault(tagged.rpartition(":")[0], set()).add(entry.digest)
    return digests


def _search(expression: str, obj: t.Any) -> t.Any:
    if jmespath is None:
        raise PinError("the Python package jmespath is needed to find images by expression; install it")
    try:
        return jmespath.search(expression, obj)
    except jmespath.exceptions.JMESPathError as exc:
        raise PinError(f"paths: {expression!r} is no JMESPath expression: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Move:
    """An image, chart or model whose entry in the lock changes."""

    image: str
    before: Entry
    after: Entry
    section: str = IMAGES

    def as_data(self, today: dt.date) -> dict[str, t.Any]:
        seen = self.before.first_seen
        return {
            "image": self.image,
            "section": self.section,
            "before": self.before.digest,
            "after": self.after.digest,
            "status": self.after.status,
            "age_days": (today - seen).days if seen else None,
        }

    def told(self, today: dt.date) -> str:
        """A line for people."""
        old, new = self.before.digest, self.after.digest
        if not old:
            return f"{self.image}: {new} is new in the lock"
        if old == new:
            return f"{self.image}: {new} is {self.after.status} now, and what is known of it has changed"
        seen = self.before.first_seen
        age = f"first seen {(today - seen).days} day(s) ago" if seen else "of unknown age"
        return f"{self.image}: moved from {old} ({age}) to {new}"


def refresh(
    lock: Lock,
    resolved: Mapping[str, Resolved],
    source: str,
    today: dt.date,
    section: str = IMAGES,
    *,
    signatures: Mapping[str, Signature] | None = None,
) -> tuple[Lock, list[Move]]:
    """The lock after origins were asked: a new digest is seen today, an old one keeps the day it was first seen.

    Without `signatures` nobody has looked for any, and what is known of an old digest's stays.
    """
    moves = []
    for name, answer in sorted(resolved.items()):
        before = lock.section(section).get(name, Entry())
        same = before.digest == answer.digest
        after = Entry(
            digest=answer.digest,
            kind=answer.kind,
            status=VERIFIED,
            first_seen=(before.first_seen if same else None) or today,
            sources=(*(known for known in before.sources if same and known != source), source),
            archive=answer.archive,
            signature=_signature(before if same else Entry(), name, signatures),
        )
        if after != before:
            moves.append(Move(name, before, after, section))
    return lock.with_entries(section, {move.image: move.after for move in moves}), moves


def _signature(before: Entry, name: str, signatures: Mapping[str, Signature] | None) -> Signature | None:
    """What was found keeps the day since when it is so."""
    if signatures is None:
        return before.signature
    found, known = signatures.get(name), before.signature
    return known if found and known and (known.status, known.signer) == (found.status, found.signer) else found
