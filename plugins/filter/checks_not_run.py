# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import CheckError, not_run

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Dict = Mapping[str, t.Any]


def checks_not_run(claims: Sequence[Dict], checks: Sequence[Dict], reason: str) -> list[dict[str, t.Any]]:
    """A failed check for every claim that has no check yet."""
    known = {check["id"] for check in checks}
    try:
        return [not_run(claim, reason) for claim in claims if claim.get("id") not in known]
    except CheckError as exc:
        raise AnsibleFilterError(f"checks_not_run: {exc}") from exc


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"checks_not_run": checks_not_run}
