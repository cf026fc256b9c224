# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_state import keys_of, teams_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Tenants = Sequence[dict[str, t.Any]]


def tenant_teams(tenants: Tenants, deleted: Tenants = ()) -> list[dict[str, t.Any]]:
    """The option teams of the module litellm_team."""
    return teams_of(tenants, deleted)


def tenant_keys(tenants: Tenants) -> list[dict[str, t.Any]]:
    """The option keys of the module litellm_key."""
    return keys_of(tenants)


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"tenant_teams": tenant_teams, "tenant_keys": tenant_keys}
