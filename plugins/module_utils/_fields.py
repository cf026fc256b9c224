# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads managedFields: what one manager owns of a live object, and its values. Private to the collection."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import FIELD_MANAGER

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

Fields = dict[str, t.Any]


class UnreadableFieldsError(Exception):
    """The field set does not fit the object; only the server can tell whether something changed."""


class _Absent:
    """Stands for a field that is owned but that the server does not store: it was applied as zero or empty."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: t.Final = _Absent()


@dataclass(frozen=True)
class ManagerEntry:
    """One entry of metadata.managedFields."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    time: str
    fields: Fields


def entries_of(live: Object) -> list[ManagerEntry]:
    return [
        ManagerEntry(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", ""),
            subresource=entry.get("subresource", ""),
            api_version=entry.get("apiVersion", ""),
            time=entry.get("time", ""),
            fields=entry.get("fieldsV1") or {},
        )
        for entry in live["metadata"].get("managedFields") or []
    ]


def own_entry(live: Object) -> ManagerEntry | None:
    """What we applied last, if we ever did."""
    for entry in entries_of(live):
        if entry.manager == FIELD_MANAGER and entry.operation == "Apply" and not entry.subresource:
            return entry
    return None


def extract(live: Object) -> Object | None:
    """The object as we applied it last, with the values it has now; None when we do not own any of it.

    What the server stores in another form (a quantity) comes back in the server's form.
    """
    entry = own_entry(live)
    if entry is None:
        return None
    if entry.api_version != live["apiVersion"]:
        raise UnreadableFieldsError(f"we applied {entry.api_version}, the server gave {live['apiVersion']}")
    owned = _extract_map(live, entry.fields)
    metadata = dict(owned.get("metadata") or {})
    for name in ("name", "namespace"):
        if name in live["metadata"]:
            metadata[name] = live["metadata"][name]
    return {**owned, "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def _extract(value: t.Any, fields: Fields) -> t.Any:
    if not fields:
        return value
    if isinstance(value, dict):
        return _extract_map(value, fields)
    if isinstance(value, list):
        return _extract_list(value, fields)
    if value is None:
        return ABSENT
    raise UnreadableFieldsError(f"fields {sorted(fields)[:3]} below a {type(value).__name__}")


def _extract_map(value: dict[str, t.Any], fields: Fields) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {}
    for step, below in fields.items():
        if step.startswith("f:"):
            name = step[2:]
            result[name] = _extract(value[name], below) if name in value else ABSENT
        elif step != ".":
            raise UnreadableFieldsError(f"step {step!r} in a mapping")
    return result


@lru_cache(maxsize=4096)
def parse_step(step: str) -> t.Any:
    """The value in `k:{...}` or `v:...`."""
    try:
        return json.loads(step[2:])
    except ValueError as exc:
        raise UnreadableFieldsError(f"step {step!r} is not JSON") from exc


def has_keys(item: t.Any, keys: dict[str, t.Any], *, lenient: bool = False) -> bool:
    """Whether a list item is the one these keys name; `lenient` lets keys that the server defaults be missing."""
    if not isinstance(item, dict):
        return False
    if lenient:
        keys = {name: value for name, value in keys.items() if name in item}
        return bool(keys) and all(item[name] == value for name, value in keys.items())
    return all(name in item and item[name] == value for name, value in keys.items())


def _extract_list(value: list[t.Any], fields: Fields) -> list[t.Any]:
    """Items keep the order they have in the live list: a changed order is a change."""
    steps = [step for step in fields if step != "."]
    if all(step.startswith("v:") for step in steps):
        wanted = [parse_step(step) for step in steps]
        found = [item for item in value if item in wanted]
        if len(found) != len(wanted):
            raise UnreadableFieldsError("an owned item is not in the live set")
        return found
    if not all(step.startswith("k:") for step in steps):
        raise UnreadableFieldsError(f"steps {steps[:3]} in a list")
    selectors = [(parse_step(step), fields[step]) for step in steps]
    result = []
    for item in value:
        for keys, below in selectors:
            if has_keys(item, keys):
                result.append(_extract(item, below))
                break
    if len(result) != len(selectors):
        raise UnreadableFieldsError("an owned item is not in the live list")
    return result


def without_absent(value: t.Any) -> t.Any:
    """For people: fields that the server does not store are left out."""
    if isinstance(value, dict):
        return {key: without_absent(item) for key, item in value.items() if item is not ABSENT}
    if isinstance(value, list):
        return [without_absent(item) for item in value if item is not ABSENT]
    return value
