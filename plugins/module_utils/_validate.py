# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks values against Ansible argument specs and reports every problem with its path. Private to the collection."""

from __future__ import annotations

import difflib
import json
import math
import re
import typing as t
from collections.abc import Iterable, Mapping

from ansible.module_utils.common.validation import check_type_bool

Spec = Mapping[str, t.Any]

# Stands for a value whose template failed: the problem is reported already.
UNREADABLE: t.Final = object()

# Stands for a value that nobody may see.
HIDDEN: t.Final = "********"

# One part of a name in DNS, as a namespace's name is.
DNS_LABEL: t.Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

_SHOWN = 60
_FREE_TEXT = ("args", "env", "provider.ca")


class Problem(t.NamedTuple):
    """One thing that is wrong with the inventory, and how to put it right."""

    path: str
    value: object
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path} = {show(self.value)}: {self.what}; {self.fix}"


def show(value: object) -> str:
    """One line, short, unambiguous about the type: `"yes"` is a string, `true` is not."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def nearest(name: str, known: Iterable[str]) -> str:
    """The fix for a name that does not exist: the nearest one that does, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 30 else "remove it"


class Validator:
    """Walks values along a spec; collects problems instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, path: str, value: object, what: str, fix: str) -> None:
        self.problems.append(Problem(path, value, what, fix))

    def check(self, spec: Spec, value: object, path: str) -> t.Any:
        """The value as the spec types it, defaults filled in below the top level; None where it is wrong."""
        if value is UNREADABLE:
            return None
        if spec.get("no_log") and value is not None:
            return self._hidden(spec, value, path)
        if value is None:
            return self._absent(spec, path)
        checked = self._typed(spec, value, path)
        choices = spec.get("choices")
        # A list's choices are those of its entries.
        if choices and checked is not None and not isinstance(checked, list) and checked not in choices:
            fix = difflib.get_close_matches(str(checked), map(str, choices), n=1, cutoff=0.6)
            hint = f"did you mean {fix[0]}? " if fix else ""
            self.add(path, value, "is no valid choice", f"{hint}choose one of: {', '.join(map(str, choices))}")
            return None
        return checked

    def options(self, options: Mapping[str, Spec], value: Mapping[str, t.Any], path: str) -> dict[str, t.Any]:
        """A dict with typed options: unknown keys are problems, absent ones get their default."""
        for key in value:
            if str(key) not in options:
                self.add(f"{path}.{key}", value[key], "is no option here", nearest(str(key), options))
        return {name: self.check(spec, value.get(name), f"{path}.{name}") for name, spec in options.items()}

    def _hidden(self, spec: Spec, value: object, path: str) -> t.Any:
        """As any other value, but what is said about it does not show it."""
        inner = Validator()
        checked = inner.check({**spec, "no_log": False}, value, path)
        for problem in inner.problems:
            fix = "put it in quotes" if problem.fix.startswith("put it in quotes") else problem.fix
            self.problems.append(problem._replace(value=HIDDEN, fix=fix))
        return checked

    def _absent(self, spec: Spec, path: str) -> t.Any:
        if spec.get("required"):
            self.add(path, None, "is required", "set it")
            return None
        default = spec.get("default")
        if spec.get("type") == "dict" and "options" in spec:
            return self.options(spec["options"], default or {}, path)
        if spec.get("type") == "list" and default is None:
            return []
        return default

    def _typed(self, spec: Spec, value: object, path: str) -> t.Any:
        kind = spec.get("type", "str")
        if kind in ("str", "path"):
            return self._string(value, path)
        if kind == "bool":
            return self._bool(value, path)
        if kind in ("int", "float"):
            return self._number(value, path, whole=kind == "int")
        if kind == "list":
            return self._list(spec, value, path)
        if kind == "dict":
            return self._dict(spec, value, path)
        return value

    def _string(self, value: object, path: str) -> str | None:
        if not isinstance(value, str):
            self.add(path, value, f"is {_a(value)}, a string is needed", f"put it in quotes: {show(_quoted(value))}")
            return None
        free = any(f".{part}" in path for part in _FREE_TEXT)
        if any(not char.isprintable() and not (free and (char in "\n\t" or ord(char) > 127)) for char in value):
            self.add(path, value, "holds a line break or a control character", "write it on one line")
            return None
        return str(value)

    def _bool(self, value: object, path: str) -> bool | None:
        # Extra variables given as `-e name=true` arrive as strings.
        if isinstance(value, (bool, str)):
            try:
                return bool(check_type_bool(value))
            except TypeError:
                pass
        self.add(path, value, f"is {_a(value)}, a boolean is needed", "write true or false")
        return None

    def _number(self, value: object, path: str, *, whole: bool) -> int | float | None:
        wanted = "a whole number" if whole else "a number"
        number: int | float | None = None
        # YAML reads 1e-7 as a string, and `-e name=3` is one as well.
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                number = int(value) if isinstance(value, (int, str)) and whole else float(value)
            except (ValueError, OverflowError):
                number = None
        if number is None or (whole and isinstance(value, float)):
            self.add(
                path, value, f"is {_a(value)}, {wanted} is needed", f"write {wanted} such as {1 if whole else 0.5}"
            )
            return None
        if not math.isfinite(number):
            self.add(path, str(value), "is not finite", f"write {wanted} such as {1 if whole else 0.5}")
            return None
        return number

    def _list(self, spec: Spec, value: object, path: str) -> list[t.Any] | None:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            self.add(path, value, f"is {_a(value)}, a list is needed", "write one `- entry` a line")
            return None
        entry: dict[str, t.Any] = {key: spec[key] for key in ("options", "choices") if key in spec}
        entry["type"] = spec.get("elements", "raw")
        return [self._entry(entry, item, f"{path}[{index}]") for index, item in enumerate(value)]

    def _entry(self, spec: Spec, item: object, path: str) -> t.Any:
        if item is None:
            self.add(path, None, "is empty", "fill it in or remove it")
            return None
        return self.check(spec, item, path)

    def _dict(self, spec: Spec, value: object, path: str) -> dict[str, t.Any] | None:
        if not isinstance(value, Mapping):
            self.add(path, value, f"is {_a(value)}, a dictionary is needed", "write `key: value` lines below it")
            return None
        if "options" in spec:
            return self.options(spec["options"], value, path)
        for key in value:
            if not isinstance(key, str):
                self.add(f"{path}.{key}", value[key], f"has {_a(key)} as its key", "put the key in quotes")
        return {str(key): item for key, item in value.items()}


def _quoted(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _a(value: object) -> str:
    names: tuple[tuple[t.Any, str], ...] = (
        (bool, "a boolean"),
        (int, "a whole number"),
        (float, "a number"),
        (str, "a string"),
        (Mapping, "a dictionary"),
        (list, "a list"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), f"a {type(value).__name__}")
