# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def finding_line(finding: Mapping[str, t.Any]) -> str:
    """One finding of preflight as a line for people."""
    mark = "ok" if finding["ok"] else "FAILED"
    fix = f"; {finding['fix']}" if finding["fix"] else ""
    return f"{mark} {finding['id']}: {finding['message']}{fix}"


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"finding_line": finding_line}
