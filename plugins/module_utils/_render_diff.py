# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What changes in the tree, as Ansible shows it, without the values of Secrets. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import TreeError, key_of_file
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, dump, load_documents

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import FileChange

_BLOCKS = ("data", "stringData")


def _is_secret(path: str) -> bool:
    try:
        return key_of_file(path.rpartition("/")[2])[:2] == ("", "Secret")
    except TreeError:  # a stray file, about to be removed
        return False


def _secret(text: str | None) -> dict[str, t.Any]:
    try:
        value = load_documents(text)[0][1] if text else {}
    except (YamlError, IndexError):
        return {}
    return value if isinstance(value, dict) else {}


def _masked(obj: dict[str, t.Any], other: dict[str, t.Any], turn: str) -> str:
    """Says of every value only whether it is the same on both sides."""
    shown = dict(obj)
    for block in _BLOCKS:
        values, others = obj.get(block), other.get(block)
        if isinstance(values, dict):
            others = others if isinstance(others, dict) else {}
            shown[block] = {
                key: "<masked>" if others.get(key, value) == value else f"<masked, {turn}>"
                for key, value in values.items()
            }
    return dump(shown) if shown else ""


def diff_of(changes: Iterable[FileChange]) -> list[dict[str, str]]:
    """One entry a file; an empty side is a file that is not there."""
    shown: list[dict[str, str]] = []
    for change in changes:
        before, after = change.before or "", change.after or ""
        if _is_secret(change.path):
            old, new = _secret(change.before), _secret(change.after)
            before, after = _masked(old, new, "before"), _masked(new, old, "after")
        shown.append({"before_header": change.path, "after_header": change.path, "before": before, "after": after})
    return shown
