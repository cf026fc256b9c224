# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Compares desired and live: equal or not, who overruled us, before and after. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._fields import (
    ABSENT,
    Fields,
    UnreadableFieldsError,
    entries_of,
    extract,
    has_keys,
    parse_step,
    without_absent,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    BUILT_IN_GROUPS,
    FIELD_MANAGER,
    split_api_version,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._quantity import QuantityError, parse_quantity

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

# In built-in kinds the values below these keys are quantities, which the server always stores in canonical form.
_QUANTITY_PARENTS: t.Final = frozenset(
    {
        "limits",
        "requests",
        "capacity",
        "hard",
        "overhead",
        "default",
        "defaultRequest",
        "max",
        "min",
        "maxLimitRequestRatio",
    }
)
_QUANTITY_FIELDS: t.Final = frozenset({"sizeLimit", "divisor", "averageValue"})


@dataclass(frozen=True)
class Overruled:
    """A field of ours that another manager has set to another value."""

    path: str
    manager: str
    time: str


def is_current(desired: Object, live: Object) -> bool:
    """Whether applying `desired` would change nothing. When in doubt the answer is no, and the server decides."""
    try:
        owned = extract(live)
    except UnreadableFieldsError:
        return False
    return owned is not None and same(desired, owned, quantities=_has_quantities(desired))


def _has_quantities(desired: Object) -> bool:
    return split_api_version(desired["apiVersion"])[0] in BUILT_IN_GROUPS


def same(desired: t.Any, owned: t.Any, *, quantities: bool = False, parent: str = "") -> bool:
    """Equal, but for what the server drops (zero and empty values) and, in built-in kinds, how it writes quantities."""
    if owned is ABSENT:
        return not desired
    if isinstance(desired, dict):
        if not isinstance(owned, dict) or desired.keys() != owned.keys():
            return False
        if quantities and parent in _QUANTITY_PARENTS:
            return all(
                _same_quantity(value, owned[name]) or same(value, owned[name]) for name, value in desired.items()
            )
        return all(
            same(value, owned[name], quantities=quantities, parent=name)
            or (quantities and name in _QUANTITY_FIELDS and _same_quantity(value, owned[name]))
            for name, value in desired.items()
        )
    if isinstance(desired, list):
        return (
            isinstance(owned, list)
            and len(desired) == len(owned)
            and all(same(*pair, quantities=quantities) for pair in zip(desired, owned, strict=True))
        )
    return isinstance(desired, bool) == isinstance(owned, bool) and bool(desired == owned)


def _same_quantity(desired: t.Any, owned: t.Any) -> bool:
    if not all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in (desired, owned)):
        return False
    try:
        return parse_quantity(str(desired)) == parse_quantity(str(owned))
    except QuantityError:
        return False


def overruled(desired: Object, live: Object) -> list[Overruled]:
    """Fields of `desired` that somebody else owns now with another value, and who."""
    quantities = _has_quantities(desired)
    found = {
        path: Overruled(path, entry.manager, entry.time)
        for entry in entries_of(live)
        if entry.manager != FIELD_MANAGER and entry.subresource != "status"
        for path in _differing(entry.fields, desired, live, "", quantities)
    }
    return [found[path] for path in sorted(found)]


def _differing(fields: Fields, desired: t.Any, live: t.Any, path: str, quantities: bool) -> t.Iterator[str]:
    for step, below in fields.items():
        if step == ".":
            continue
        want, have, here = _follow(step, desired, live, path)
        if want is ABSENT:
            continue
        if below.keys() - {"."} and isinstance(want, dict | list):
            yield from _differing(below, want, have, here, quantities)
        elif not step.startswith("v:") and (have is ABSENT or not _same_leaf(step, want, have, path, quantities)):
            yield here


def _same_leaf(step: str, want: t.Any, have: t.Any, path: str, quantities: bool) -> bool:
    parent = path.rsplit(".", 1)[-1]
    return same({step[2:]: want}, {step[2:]: have}, quantities=quantities, parent=parent)


def _follow(step: str, desired: t.Any, live: t.Any, path: str) -> tuple[t.Any, t.Any, str]:
    """What is wanted and what is there one step down, and how to call the place."""
    if step.startswith("f:"):
        name = step[2:]
        here = f'{path}["{name}"]' if "/" in name or "." in name else f"{path}.{name}".lstrip(".")
        return _item(desired, name), _item(live, name), here
    if step.startswith("k:") and isinstance(desired, list):
        keys = parse_step(step)
        want = next((item for item in desired if has_keys(item, keys, lenient=True)), ABSENT)
        have = next((item for item in live if has_keys(item, keys)), ABSENT) if isinstance(live, list) else ABSENT
        return want, have, f"{path}[{','.join(f'{name}={value}' for name, value in keys.items())}]"
    return ABSENT, ABSENT, path


def _item(value: t.Any, name: str) -> t.Any:
    return value.get(name, ABSENT) if isinstance(value, dict) else ABSENT


def owned_view(desired: Object, live: Object) -> Object:
    """For a diff: the fields we own or want, with the values they have now."""
    try:
        owned = extract(live)
    except UnreadableFieldsError:
        owned = None
    view = _project(desired, live)
    return t.cast("Object", without_absent(_union(owned, view) if owned is not None else view))


def _project(desired: t.Any, live: t.Any) -> t.Any:
    """The live values at the places that `desired` names."""
    if isinstance(desired, dict) and isinstance(live, dict):
        return {name: _project(value, live[name]) for name, value in desired.items() if name in live}
    if isinstance(desired, list) and isinstance(live, list) and _are_named(desired) and _are_named(live):
        wanted = {item["name"]: item for item in desired}
        return [_project(wanted[item["name"]], item) for item in live if item["name"] in wanted]
    return live


def _are_named(items: list[t.Any]) -> bool:
    return all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items)


def _union(owned: t.Any, view: t.Any) -> t.Any:
    if isinstance(owned, dict) and isinstance(view, dict):
        return {
            name: _union(owned.get(name, view.get(name)), view.get(name, owned.get(name)))
            for name in [*owned, *(name for name in view if name not in owned)]
        }
    if isinstance(owned, list) and isinstance(view, list) and _are_named(owned) and _are_named(view):
        seen = {item["name"]: item for item in view}
        rest = [item for item in view if item["name"] not in {entry["name"] for entry in owned}]
        return [_union(item, seen.get(item["name"], item)) for item in owned] + rest
    return view
