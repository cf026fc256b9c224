# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for how requests queue for a model: whose go first, how many may wait and how long.

Private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_state import PRIORITIES

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Options = t.Mapping[str, t.Any]

NAME: t.Final = "gateway_flow_control"
WAIT_SECONDS: t.Final = 10
MAX_WAITING: t.Final = 10_000
MAX_QUEUED: t.Final = 100_000


def check_objectives(options: Options, request_timeout: int, validator: Validator) -> dict[str, t.Any]:
    """The classes of tenants, the most urgent first, with their numbers, and how many seconds a request may wait."""
    given = options.get(NAME) or {}
    rules = _Rules(validator)
    rules.between("waiting", given.get("waiting"), 1, MAX_WAITING)
    rules.share("kv_cache", given.get("kv_cache"))
    seconds = rules.wait(given.get("wait_seconds") or 0, request_timeout)
    for name, count in (given.get("queues") or {}).items():
        rules.between(f"queues.{name}", count, 1, MAX_QUEUED)
    ordered = sorted(PRIORITIES.items(), key=lambda item: -item[1])
    return {
        "objectives": [{"name": name, "priority": priority} for name, priority in ordered],
        "wait_seconds": seconds,
    }


class _Rules:
    def __init__(self, validator: Validator) -> None:
        self.add = validator.add

    def between(self, key: str, value: int | None, low: int, high: int) -> None:
        if value is not None and not low <= value <= high:
            self.add(f"{NAME}.{key}", value, "is out of range", f"use at least {low} and at most {high}")

    def share(self, key: str, value: float | None) -> None:
        if value is not None and not 0 < value <= 1:
            self.add(f"{NAME}.{key}", value, "is no share", "use more than 0 and at most 1, such as 0.9")

    def wait(self, value: int, request_timeout: int) -> int:
        if not value:
            return max(1, min(WAIT_SECONDS, request_timeout // 2))
        if value < 0 or value >= request_timeout > 0:
            what = f"does not end before a request does, after {request_timeout} s"
            fix = f"use at most {max(1, request_timeout - 1)}, or 0 to have it chosen"
            self.add(f"{NAME}.wait_seconds", value, what, fix)
        return value
