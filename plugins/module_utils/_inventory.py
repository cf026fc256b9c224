# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which variables an inventory may set: the documented options of the roles. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, load_documents
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Problem, Validator, nearest

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Facts that the playbooks themselves set; an inventory has no business with them.
RUN_FACTS = frozenset({"llm_plan", "llm_checks", "llm_engines"})


class InventoryError(Exception):
    """The collection's own files cannot be read."""


class RoleOptions(t.NamedTuple):
    """The options a role documents, over all its entry points."""

    role: str
    options: dict[str, dict[str, t.Any]]


def options_of(values: Mapping[str, t.Any], roles: Iterable[RoleOptions], *names: str) -> dict[str, t.Any]:
    """The options of the roles with these names, with the roles' own defaults where the inventory says nothing."""
    quiet = Validator()
    return {
        name: quiet.check(spec, None, name) if values.get(name) is None else values[name]
        for role in roles
        if role.role in names
        for name, spec in role.options.items()
    }


def read_roles(roles_dir: Path) -> list[RoleOptions]:
    """The documented options of every role of the collection."""
    found = []
    for path in sorted(roles_dir.glob("*/meta/argument_specs.yml")):
        try:
            document = next((value for _line, value in load_documents(path.read_text(encoding="utf-8"))), None) or {}
            options: dict[str, dict[str, t.Any]] = {}
            for entry_point in document.get("argument_specs", {}).values():
                options.update(entry_point.get("options") or {})
        except (OSError, YamlError, AttributeError) as exc:
            raise InventoryError(
                f"reading {path} failed: {exc}; the installed collection is damaged, install it again"
            ) from exc
        found.append(RoleOptions(path.parent.parent.name, options))
    return found


def ours(name: str, roles: Iterable[RoleOptions]) -> bool:
    """Whether a variable's name lies in the name space of the collection."""
    return name.startswith("llm_") or any(name.startswith(f"{role.role}_") for role in roles)


def check_inventory(
    variables: Mapping[str, object], roles: list[RoleOptions], validator: Validator
) -> dict[str, t.Any]:
    """Every variable of ours checked against its role's spec; names nobody documents are problems."""
    specs = {name: spec for role in roles for name, spec in role.options.items()}
    checked = {}
    for name, value in sorted(variables.items()):
        if name in specs:
            checked[name] = validator.check(specs[name], value, name)
        elif name not in RUN_FACTS:
            validator.problems.append(_unknown(name, value, specs))
    return checked


def _unknown(name: str, value: object, specs: Mapping[str, object]) -> Problem:
    prefix = name.split("_", 1)[0]
    close = nearest(name, specs)
    fix = (
        close
        if close.startswith("did")
        else nearest(name, (known for known in specs if known.startswith(f"{prefix}_")))
    )
    return Problem(name, value, "is no option of this collection", fix)
