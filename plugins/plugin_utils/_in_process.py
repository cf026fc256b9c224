# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The action plugin of modules whose main is `_cluster_module.run`: calls that main itself. Private to the collection.

A task for this machine and this Python runs here, which saves the start of another Python. Everything else runs as
usual: on another host or with another Python, as another user, with an environment of its own, in the background.
"""

from __future__ import annotations

import json
import sys
import typing as t
from importlib import import_module

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Read by the process that all tasks' processes come from, so that none of them has to.
from ansible_collections.wmx.llm_platform.plugins.module_utils import (  # pylint: disable=unused-import
    _apply,  # noqa: F401
    _portforward,  # noqa: F401
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import Here

_MODULES: t.Final = "ansible_collections.wmx.llm_platform.plugins.modules."


class ActionModule(ActionBase):
    """Runs the module of the task's name."""

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        variables = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, variables)
        background = bool(self._task.async_val)
        if background or not self._stays_here(variables):
            try:
                return result | self._execute_module(task_vars=variables, wrap_async=background)
            finally:
                if not background:
                    self._remove_tmp_path(self._connection._shell.tmpdir)  # type: ignore[no-untyped-call]  # noqa: SLF001
        name = str(self._task.action).rpartition(".")[2]
        # What a module reads is JSON: no tags, no lazy values, every vaulted string in the clear.
        args = json.loads(json.dumps(self._task.args, default=str))
        here = Here(str(self._task.action), args, check_mode=self._task.check_mode, diff=self._task.diff)
        result |= here.call(import_module(_MODULES + name).main)
        for warning in here.warnings:
            Display().warning(warning)
        return result

    def _stays_here(self, variables: dict[str, t.Any]) -> bool:
        interpreter = self._templar.template(variables.get("ansible_python_interpreter"))
        return (
            self._connection.transport == "local"
            and interpreter == sys.executable
            and not self._task.become
            and not any(self._task.environment or ())
        )
