# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What LiteLLM has, but no values of keys: models with prices, teams and keys with spend. Private to the collection."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLM, Row

_MODEL_INFO: t.Final = ("input_cost_per_token", "output_cost_per_token", "max_input_tokens", "max_output_tokens")
_TEAM: t.Final = (
    "team_id",
    "team_alias",
    "blocked",
    "models",
    "max_budget",
    "budget_duration",
    "budget_reset_at",
    "spend",
    "rpm_limit",
    "tpm_limit",
    "metadata",
)
_KEY: t.Final = (
    "token",
    "key_alias",
    "team_id",
    "blocked",
    "models",
    "max_budget",
    "budget_duration",
    "budget_reset_at",
    "spend",
    "rpm_limit",
    "tpm_limit",
    "max_parallel_requests",
    "allowed_routes",
    "expires",
    "created_at",
    "created_by",
    "last_active",
    "metadata",
)


def gather(llm: LiteLLM, include: t.Collection[str]) -> Row:
    """Only what is asked for: each has calls of its own."""
    readers: dict[str, t.Callable[[], t.Any]] = {
        "version": llm.version,
        "models": lambda: sorted((_model(row) for row in llm.models()), key=lambda item: str(item["model_name"])),
        "teams": lambda: _only(llm.teams(), _TEAM),
        "keys": lambda: _only(llm.keys(), _KEY),
    }
    return {name: read() for name, read in readers.items() if name in include}


def _only(rows: t.Iterable[Row], fields: t.Sequence[str]) -> list[Row]:
    return [{name: row.get(name) for name in fields} for row in rows]


def _model(row: Row) -> Row:
    """Not `litellm_params` as a whole: it may hold the key of the model's server."""
    params, info = row.get("litellm_params") or {}, row.get("model_info") or {}
    return {
        "model_name": row.get("model_name"),
        "model": params.get("model"),
        "api_base": params.get("api_base"),
        "model_info": {name: info.get(name, params.get(name)) for name in _MODEL_INFO},
    }
