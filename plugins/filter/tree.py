# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Filters that read the tree of rendered objects."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import tree_hash as hash_of
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._tree_overlay import rendered_tree as tree_of_this_run

if t.TYPE_CHECKING:
    from collections.abc import Callable


def _path(name: str, value: t.Any) -> str:
    if not isinstance(value, str) or not value:
        raise AnsibleFilterError(f"{name} needs the path of a tree, not {value!r}")
    return value


def tree_hash(tree: t.Any) -> str:
    """The identity of the plan that a tree holds."""
    return hash_of(_path("tree_hash", tree))


def rendered_tree(tree: t.Any, check_mode: bool = False) -> str:
    """The folder to deliver from in this run."""
    return str(tree_of_this_run(_path("rendered_tree", tree), check_mode))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"rendered_tree": rendered_tree, "tree_hash": tree_hash}
