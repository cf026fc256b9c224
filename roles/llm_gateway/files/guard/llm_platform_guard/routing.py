# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model's gateway and server are told about a request: whose it is, how urgent, whose cache it may share."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

Call = t.Mapping[str, t.Any]

FAIRNESS_HEADER: t.Final = "x-gateway-inference-fairness-id"
OBJECTIVE_HEADER: t.Final = "x-gateway-inference-objective"
SALT_FIELD: t.Final = "cache_salt"
ADMINISTRATION: t.Final = "llm-platform-admin"
NO_PRIORITY: t.Final = "0"
_POOL: t.Final = re.compile(r"/m/(?P<name>[a-z0-9-]+)/v1/?$")
# How LiteLLM's configuration names who serves the platform's own models; clients cannot choose it.
OWN: t.Final = "hosted_vllm"
_NAMING: t.Final = ("user", "safety_identifier", "prompt_cache_key")


def told(call: Call) -> dict[str, t.Any]:
    """The call as its model may see it: ours learn whose it is, everybody else must not."""
    return routed(call) if _is_own(call) else anonymous(call)


def _is_own(call: Call) -> bool:
    return call.get("custom_llm_provider") == OWN or str(call.get("model") or "").startswith(f"{OWN}/")


def anonymous(call: Call) -> dict[str, t.Any]:
    """The call without anything that says who asks. A fallback may have come from a model of ours."""
    extras = {
        "extra_headers": _without(call.get("extra_headers"), {FAIRNESS_HEADER, OBJECTIVE_HEADER}),
        "extra_body": _without(call.get("extra_body"), {SALT_FIELD, *_NAMING}),
    }
    kept = {name: value for name, value in call.items() if name not in (*_NAMING, *extras)}
    # An empty one would be sent as a field of its own, which providers refuse.
    return {**kept, **{name: value for name, value in extras.items() if value}}


def routed(call: Call) -> dict[str, t.Any]:
    """The call with our headers and salt. Whatever it had under their names, a deployment's own included, is replaced.

    LiteLLM asks for it again at each retry and each fallback, so they hold for every model that a request reaches.
    """
    team, priority = _owner(call)
    pool = _POOL.search(str(call.get("api_base") or ""))
    return {
        **call,
        "extra_headers": {
            **_without(call.get("extra_headers"), {FAIRNESS_HEADER, OBJECTIVE_HEADER}),
            FAIRNESS_HEADER: team,
            # An objective belongs to one pool, so the name of the pool is a part of its own.
            OBJECTIVE_HEADER: f"{pool['name']}-{priority}" if pool else priority,
        },
        "extra_body": {**(call.get("extra_body") or {}), SALT_FIELD: team},
    }


def _owner(call: Call) -> tuple[str, str]:
    """The team, else the key, as LiteLLM noted them when it knew the key; clients cannot send these fields."""
    for name in ("litellm_metadata", "metadata"):
        noted = call.get(name)
        if isinstance(noted, dict) and ("user_api_key_team_id" in noted or "user_api_key_hash" in noted):
            metadata = noted.get("user_api_key_team_metadata") or {}
            priority = metadata.get("priority") if isinstance(metadata, dict) else None
            return _team(noted), _plain(priority) if priority is not None else NO_PRIORITY
    return ADMINISTRATION, NO_PRIORITY


def _team(noted: Call) -> str:
    if team := noted.get("user_api_key_team_id"):
        return _plain(team)
    # The start of a hash tells keys apart and is no secret.
    key = noted.get("user_api_key_hash") or noted.get("user_api_key")
    return f"key-{_plain(key)[:16]}" if key else ADMINISTRATION


def _plain(value: object) -> str:
    """Fit for a header."""
    return quote(str(value), safe="")[:128]


def _without(values: object, names: t.Collection[str]) -> dict[str, t.Any]:
    if not isinstance(values, dict):
        return {}
    return {name: value for name, value in values.items() if str(name).lower() not in names}
