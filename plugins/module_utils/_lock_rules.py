# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What images must fulfil before they are delivered, judged on the lock alone. Private to the collection."""

from __future__ import annotations

import fnmatch
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import COPIED, UNRESOLVED, VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._release import has_since, version_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import SignatureRule, judge_signature
from ansible_collections.wmx.llm_platform.plugins.module_utils._waivers import Waiver, first_excuse, waivers_of

if t.TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

RULES: t.Final = ("denylist", "floor", "known", "mutable-tag", "quarantine", "registry", "signature")
# Tags that move by design; everything that is not a version is judged by its digest's age anyway.
_MUTABLE = re.compile(r"(?:.+[-_])?(?:latest|main|master|edge|nightly|dev|lts|stable|rolling)\Z", re.IGNORECASE)


class RulesError(Exception):
    """A policy that is not written as it must be."""


@dataclass(frozen=True, slots=True)
class Release:
    """Releases of images whose name matches `image`, a pattern with `*`."""

    image: str
    advisory: str
    # Known-bad ones, or the first release of each line (major.minor) that has the fix.
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    registries: tuple[str, ...] = ()
    quarantine_days: int = 3
    denied: tuple[Release, ...] = ()
    floors: tuple[Release, ...] = ()
    # The first one that speaks of an image holds.
    signatures: tuple[SignatureRule, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    # Only where nothing can be lost may an image be delivered that nobody has looked up in its registry.
    demand_verified: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    image: str
    rule: str
    problem: str
    fix: str
    waiver: Waiver | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.image}: {self.problem} ({self.rule}); {self.fix}"


def judge(images: Iterable[str], lock: Lock, policy: Policy, today: dt.date) -> list[Verdict]:
    """Everything that is wrong with the images, those with a waiver too: who asks decides by `waiver`."""
    verdicts = []
    for name in sorted(set(images)):
        image, entry = parse_image(name), lock.images.get(name, Entry())
        for verdict in _verdicts(image, entry, policy, today):
            waiver = first_excuse(policy.waivers, verdict.rule, verdict.image)
            verdicts.append(replace(verdict, waiver=waiver))
    return sorted(verdicts)


def judge_artifacts(
    names: Iterable[str], entries: Mapping[str, Entry], policy: Policy, today: dt.date
) -> list[Verdict]:
    """The same for charts or models, for which only some rules make sense: being known, and not being young."""
    verdicts = []
    for name in sorted(set(names)):
        entry = entries.get(name, Entry())
        verdicts += [
            replace(verdict, waiver=first_excuse(policy.waivers, verdict.rule, verdict.image))
            for verdict in [*_known(name, entry, policy), *_quarantine(name, entry, policy, today)]
        ]
    return sorted(verdicts)


def _verdicts(image: ImageRef, entry: Entry, policy: Policy, today: dt.date) -> Iterable[Verdict]:
    name = image.tagged
    for release in policy.denied:
        if fnmatch.fnmatchcase(image.name, release.image) and version_of(image.tag) in map(
            version_of, release.versions
        ):
            yield Verdict(name, "denylist", f"is known to be bad: {release.advisory}", "choose another release")
    for release in policy.floors:
        if fnmatch.fnmatchcase(image.name, release.image) and not has_since(version_of(image.tag), release.versions):
            fix = f"choose {' or '.join(release.versions)}, or newer"
            yield Verdict(name, "floor", f"lacks the fix of {release.advisory}", fix)
    if policy.registries and image.registry not in policy.registries:
        fix = f"use one of {', '.join(policy.registries)} or allow {image.registry}"
        yield Verdict(name, "registry", f"comes from {image.registry}, which is not allowed", fix)
    if _MUTABLE.match(image.tag or "latest"):
        yield Verdict(name, "mutable-tag", "has a tag that moves by design", "choose a release's tag")
    yield from _known(name, entry, policy)
    yield from _quarantine(name, entry, policy, today)
    if policy.demand_verified and entry.status == VERIFIED:
        problem, fix = judge_signature(image, entry.signature, policy.signatures)
        if problem:
            yield Verdict(name, "signature", problem, fix)


def _known(name: str, entry: Entry, policy: Policy) -> Iterable[Verdict]:
    if entry.status == UNRESOLVED:
        yield Verdict(name, "known", "has no digest in the lock", "run the playbook wmx.llm_platform.lock")
    elif policy.demand_verified and entry.status == COPIED:
        fix = "run the playbook wmx.llm_platform.lock, which asks where it comes from"
        yield Verdict(name, "known", "has a digest that was copied from a text, not read from its registry", fix)


def _quarantine(name: str, entry: Entry, policy: Policy, today: dt.date) -> Iterable[Verdict]:
    # A folder's content is kept with its role or made from modules with hashes of their own: nobody publishes it anew.
    if policy.quarantine_days <= 0 or not policy.demand_verified or entry.status != VERIFIED or entry.kind == "folder":
        return
    age = (today - entry.first_seen).days if entry.first_seen else None
    if age is None or age < policy.quarantine_days:
        seen = "of unknown age, which counts as young" if age is None else f"first seen here {max(age, 0)} day(s) ago"
        problem = f"has a digest {seen}; the quarantine is {policy.quarantine_days} day(s)"
        yield Verdict(name, "quarantine", problem, "wait, choose an older release, or write an exception")


def read_waivers(data: Iterable[Mapping[str, t.Any]], path: str) -> tuple[Waiver, ...]:
    """Exceptions as the inventory writes them; RulesError names the one that is incomplete."""
    return tuple(waivers_of(data, "image", RULES, path, RulesError))
