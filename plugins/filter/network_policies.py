# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Filter `network_policies`."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Flow, FlowsError
from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import network_policies as derived

if t.TYPE_CHECKING:
    from collections.abc import Callable


def network_policies(flows: list[Flow], component: str) -> list[dict[str, t.Any]]:
    """The NetworkPolicies of a component's pods."""
    try:
        return derived(flows, component)
    except FlowsError as exc:
        raise AnsibleFilterError(f"wmx.llm_platform.network_policies: {exc}") from exc


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"network_policies": network_policies}
