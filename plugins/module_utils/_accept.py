# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a registry's answer must pass before a lock learns it. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._cosign import Cosign, Wanted
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import resolve, resolve_all
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import Signature, rule_for
from ansible_collections.wmx.llm_platform.plugins.module_utils._waivers import first_excuse

if t.TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import Lock
    from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import Policy
    from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved
    from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access


@dataclass(slots=True)
class Accepted:
    """Answers that may be written; `signatures` is None where nobody demands any."""

    answers: dict[str, Resolved]
    signatures: dict[str, Signature] | None = None
    failures: dict[str, str] = field(default_factory=dict)


def accept(
    answers: Mapping[str, Resolved], lock: Lock, policy: Policy, access: Access, *, cosign: str, today: dt.date
) -> Accepted:
    """The answers without those of images that lost a digest they had, or are not signed as the rules say."""
    accepted = Accepted(dict(answers), failures=_lost(answers, lock, access))
    # Where nothing can be lost, what was built here a minute ago is good enough, and nobody has signed that.
    if policy.demand_verified:
        accepted.signatures = {}
        wanted = _wanted(answers, policy)
        if wanted:
            found, failed = Cosign(cosign, access).look_at(wanted)
            accepted.signatures = {
                name: Signature(status, wanted[name].rule.signer, today) for name, status in found.items()
            }
            accepted.failures |= {name: str(error) for name, error in failed.items()}
    for name in accepted.failures:
        accepted.answers.pop(name, None)
    return accepted


def _lost(answers: Mapping[str, Resolved], lock: Lock, access: Access) -> dict[str, str]:
    """A tag may move; that the digest which it had is gone means that the lock or the registry was tampered with."""
    moved = {
        parse_image(name).pinned(entry.digest): name
        for name, answer in answers.items()
        if (entry := lock.images.get(name)) and entry.status == VERIFIED and entry.digest != answer.digest
    }
    _found, failed = resolve_all(moved, access, resolve)
    fix = "the lock has it as verified; find out who changed it, then take the entry out of the lock"
    return {moved[image]: f"{error}; {fix}" for image, error in failed.items()}


def _wanted(answers: Mapping[str, Resolved], policy: Policy) -> dict[str, Wanted]:
    wanted = {}
    for name, answer in answers.items():
        image = parse_image(name)
        rule = rule_for(image, policy.signatures)
        if rule is not None and first_excuse(policy.waivers, "signature", name) is None:
            wanted[name] = Wanted(image.pinned(answer.digest), rule)
    return wanted
