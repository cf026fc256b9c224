# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Turns Helm's chart hooks into plain objects that are delivered in a phase. Private to the collection."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    ANNOTATION_PHASE,
    ANNOTATION_PHASE_WEIGHT,
    PHASE_AFTER,
    PHASE_BEFORE,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import dump

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

_HOOK = "helm.sh/hook"
_WEIGHT = "helm.sh/hook-weight"
_HOOK_ANNOTATIONS = (_HOOK, _WEIGHT, "helm.sh/hook-delete-policy", "helm.sh/hook-output-log-policy")
_PHASES = {
    "pre-install": PHASE_BEFORE,
    "pre-upgrade": PHASE_BEFORE,
    "post-install": PHASE_AFTER,
    "post-upgrade": PHASE_AFTER,
    "crd-install": "",
}
# Events that an apply never meets: tests are run by hand, the others belong to Helm's own life cycle.
_DROPPED = frozenset(
    {"test", "test-success", "test-failure", "pre-delete", "post-delete", "pre-rollback", "post-rollback"}
)
_MAX_NAME = 63
_HASH_LENGTH = 8


class HookError(Exception):
    """A hook that nobody can order: its event or weight is unknown."""


def is_hook(obj: Object) -> bool:
    return _HOOK in (obj["metadata"].get("annotations") or {})


def resolve_hook(obj: Object) -> Object | None:
    """The object as it is delivered, or None when an apply has no use for it; what is no hook passes unchanged."""
    if not is_hook(obj):
        return obj
    annotations = dict(obj["metadata"]["annotations"])
    events = [event.strip() for event in str(annotations[_HOOK]).split(",") if event.strip()]
    unknown = [event for event in events if event not in _PHASES and event not in _DROPPED]
    if unknown or not events:
        raise HookError(f"annotation {_HOOK}: {annotations[_HOOK]!r} names no event that Helm has")
    phases = [_PHASES[event] for event in events if event in _PHASES]
    if not phases:
        return None
    weight = str(annotations.get(_WEIGHT, "0"))
    if not re.fullmatch(r"[-+]?\d+", weight):
        raise HookError(f"annotation {_WEIGHT}: {weight!r} is no whole number")
    for name in _HOOK_ANNOTATIONS:
        annotations.pop(name, None)
    if phases[0]:
        annotations[ANNOTATION_PHASE] = phases[0]
        if int(weight):
            annotations[ANNOTATION_PHASE_WEIGHT] = str(int(weight))
    metadata = {**obj["metadata"], "annotations": annotations}
    if not annotations:
        del metadata["annotations"]
    resolved = {**obj, "metadata": metadata}
    if (obj.get("apiVersion"), obj.get("kind")) == ("batch/v1", "Job"):
        # A Job that cleans itself away would be made, and would run, again in every run.
        spec = {key: value for key, value in (obj.get("spec") or {}).items() if key != "ttlSecondsAfterFinished"}
        resolved["spec"] = spec
    return resolved


def name_by_content(job: Object) -> Object:
    """A Job cannot change: a new content gets a new name, the same content runs once."""
    metadata = dict(job["metadata"])
    base = metadata.pop("name", None) or metadata.pop("generateName", "hook").rstrip("-")
    metadata.pop("generateName", None)
    content = hashlib.sha256(dump({**job, "metadata": metadata}).encode()).hexdigest()[:_HASH_LENGTH]
    metadata["name"] = f"{base[: _MAX_NAME - _HASH_LENGTH - 1].rstrip('-.')}-{content}"
    return {**job, "metadata": metadata}
