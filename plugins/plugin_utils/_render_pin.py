# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Pins what render has made, by the lock and the rules of the plan. Private to the collection."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin_options import policy_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import CHARTS, MODELS, LockError, read_locks
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import (
    RulesError,
    Verdict,
    judge,
    judge_artifacts,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import mirror_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import PinError, pin
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import (
    Access,
    RegistryError,
    endpoint_of,
    pull_secret_credentials,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import RenderError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._render import Rendered
    from ansible_collections.wmx.llm_platform.plugins.plugin_utils._chart import Chart


def demands_digests(images: Mapping[str, t.Any]) -> bool:
    """Whether images must have digests: the plan says so, and what the local cluster is made of has been built."""
    return bool(images.get("pin")) and (not images["built_lock"] or Path(images["built_lock"]).exists())


def lock_paths(images: Mapping[str, t.Any]) -> list[Path]:
    return [Path(path).expanduser() for path in (*images["locks"], images["lock_file"])]


def pin_rendered(rendered: Sequence[Rendered], images: Mapping[str, t.Any]) -> tuple[list[Rendered], list[Verdict]]:
    """The objects with a digest at every image, and the rules that an exception excuses.

    `images` is that of the plan: {pin, built_lock, lock_file, locks, paths, rules, mirror}. RenderError lists each
    image that the lock does not know, contradicts, or that breaks a rule.
    """
    if not demands_digests(images):
        return list(rendered), []
    locks = lock_paths(images)
    try:
        lock = read_locks(locks)
        result = pin([item.object for item in rendered], lock, images["paths"], mirror_of(images.get("mirror")))
        result.demand_all(" under ".join(str(path) for path in reversed(locks)))
        names = {use.image.tagged for use in result.uses if use.image.tag}
        verdicts = judge(names, lock, policy_of(images["rules"]), dt.datetime.now(dt.UTC).date())
    except (LockError, PinError, RulesError) as exc:
        raise RenderError(str(exc).splitlines()) from exc
    refused = [str(verdict) for verdict in verdicts if verdict.waiver is None]
    if refused:
        raise RenderError(refused)
    return [replace(item, object=obj) for item, obj in zip(rendered, result.objects, strict=True)], verdicts


def pin_charts(charts: Sequence[Chart], images: Mapping[str, t.Any]) -> tuple[list[Chart], list[Verdict]]:
    """The charts with what the lock says of them, and the rules that an exception excuses."""
    if not charts or not demands_digests(images):
        return list(charts), []
    try:
        lock = read_locks(lock_paths(images))
        verdicts = judge_artifacts(
            (str(chart.lock_name) for chart in charts),
            lock.section(CHARTS),
            policy_of(images["rules"]),
            dt.datetime.now(dt.UTC).date(),
        )
    except (LockError, RulesError) as exc:
        raise RenderError(str(exc).splitlines()) from exc
    refused = [str(verdict) for verdict in verdicts if verdict.waiver is None]
    if refused:
        raise RenderError(refused)
    # An exception from being known lets a chart pass that has no digest to compare.
    entries = {name: entry for name, entry in lock.charts.items() if entry.digest}
    return [replace(chart, locked=entries.get(str(chart.lock_name))) for chart in charts], verdicts


def pin_model(name: str, images: Mapping[str, t.Any]) -> str:
    """The commit of a model; RulesError when it is not known or breaks a rule that no exception excuses."""
    entries = read_locks(lock_paths(images)).section(MODELS)
    verdicts = judge_artifacts([name], entries, policy_of(images["rules"]), dt.datetime.now(dt.UTC).date())
    refused = [str(verdict) for verdict in verdicts if verdict.waiver is None]
    if refused:
        raise RulesError("; ".join(refused))
    entry = entries.get(name)
    # An exception from being known leaves the revision as the inventory names it.
    return entry.digest if entry and entry.digest else name.rpartition("@")[2]


def registry_access(images: Mapping[str, t.Any], credentials: str) -> Access:
    """How registries of charts are reached: as those of images are."""
    try:
        return Access(
            endpoints={name: endpoint_of(name, value) for name, value in (images.get("endpoints") or {}).items()},
            credentials=pull_secret_credentials(credentials) if credentials else {},
            mirror=mirror_of(images.get("mirror")),
        )
    except RegistryError as exc:
        raise RenderError([str(exc)]) from exc
