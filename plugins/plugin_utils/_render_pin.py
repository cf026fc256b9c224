# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Pins what render has made, by the lock and the rules of the plan. Private to the collection."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin_options import policy_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import LockError, read_locks
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import RulesError, Verdict, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import PinError, pin
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import RenderError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._render import Rendered


def demands_digests(images: Mapping[str, t.Any]) -> bool:
    """Whether images must have digests: the plan says so, and what the local cluster is made of has been built."""
    return bool(images.get("pin")) and (not images["built_lock"] or Path(images["built_lock"]).exists())


def lock_paths(images: Mapping[str, t.Any]) -> list[Path]:
    return [Path(path).expanduser() for path in (*images["locks"], images["lock_file"])]


def pin_rendered(rendered: Sequence[Rendered], images: Mapping[str, t.Any]) -> tuple[list[Rendered], list[Verdict]]:
    """The objects with a digest at every image, and the rules that an exception excuses.

    `images` is that of the plan: {pin, built_lock, lock_file, locks, paths, rules}. RenderError lists each image that
    the lock does not know, contradicts, or that breaks a rule.
    """
    if not demands_digests(images):
        return list(rendered), []
    locks = lock_paths(images)
    try:
        lock = read_locks(locks)
        result = pin([item.object for item in rendered], lock, images["paths"])
        result.demand_all(" under ".join(str(path) for path in reversed(locks)))
        names = {use.image.tagged for use in result.uses if use.image.tag}
        verdicts = judge(names, lock, policy_of(images["rules"]), dt.datetime.now(dt.UTC).date())
    except (LockError, PinError, RulesError) as exc:
        raise RenderError(str(exc).splitlines()) from exc
    refused = [str(verdict) for verdict in verdicts if verdict.waiver is None]
    if refused:
        raise RenderError(refused)
    return [replace(item, object=obj) for item, obj in zip(rendered, result.objects, strict=True)], verdicts
