# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan's tenants as the options of litellm_team and litellm_key. Private to the collection."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Options = dict[str, t.Any]

# Numbers as the schedulers of requests count: more goes first, below zero waits for all others.
PRIORITIES: t.Final = {"critical": 10, "standard": 0, "batch": -10}


def teams_of(tenants: Iterable[Mapping[str, t.Any]], deleted: Iterable[Mapping[str, t.Any]]) -> list[Options]:
    """One team for each tenant, and one that must not be for each former tenant that is to be deleted."""
    present = [
        {
            "alias": tenant["name"],
            "state": "blocked" if tenant["state"] == "blocked" else "present",
            "budget_usd": tenant["budget"]["usd"],
            "budget_period": tenant["budget"]["period"],
            "models": tenant["served_models"],
            **_limits(tenant["limits"]),
            "priority": PRIORITIES[tenant["priority"]],
            "metadata": {"namespace": tenant["namespace"]},
        }
        for tenant in tenants
    ]
    return [*present, *({"alias": tenant["name"], "state": "absent"} for tenant in deleted)]


def keys_of(tenants: Iterable[Mapping[str, t.Any]]) -> list[Options]:
    """All keys of all tenants, with the Secret that holds each."""
    return [
        {
            "team": tenant["name"],
            "name": key["name"],
            "state": "present" if key["state"] == "active" else key["state"],
            "secret": {"namespace": tenant["namespace"], "name": key["secret"]},
            "models": key["served_models"] if key["models"] != tenant["models"] else [],
            "budget_usd": key["budget"]["usd"],
            "budget_period": key["budget"]["period"],
            **{name: limit for name, limit in key["limits"].items() if limit is not None},
            "expires": key["expires"],
            "rotation": dict(key["rotate"]),
        }
        for tenant in tenants
        for key in tenant["keys"]
    ]


def _limits(limits: Mapping[str, int | None]) -> Options:
    """LiteLLM takes an absent limit for none, so the module wants to hear that none is meant."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    absent = [name for name in limits if name not in given]
    return {**given, "unlimited": absent} if absent else given
