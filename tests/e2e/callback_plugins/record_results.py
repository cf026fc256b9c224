# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import pathlib
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: record_results
type: aggregate
short_description: Leaves what every task returned where a test can read it
description:
  - Appends one JSON line per task result to the file named by the environment variable C(RECORD_RESULTS).
options: {}
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """One line per result; results under no_log arrive here censored."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record_results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, outcome: str, result: t.Any) -> None:
        line = {
            "outcome": outcome,
            "task": result.task.get_name(),
            "action": result.task.action,
            "result": result.result,
        }
        with pathlib.Path(os.environ["RECORD_RESULTS"]).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._write("unreachable", result)
