# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about a gateway: reach its pods, make guests, probe. Private to the collection."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils import (
    _tenant_probe_access,
    _tenant_probe_budget,
    _tenant_probe_limits,
    _tenant_probe_revoked,
    _tenant_probe_spend,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check, Claim, Observation, run_probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import MODEL_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import UNREACHABLE, with_guests
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_reach import reach
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Effort, Stage

CLAIMS: t.Final[dict[str, Claim]] = {
    "answers": _tenant_probe_access.ANSWERS,
    "wrong_model": _tenant_probe_access.WRONG_MODEL,
    "expired_key": _tenant_probe_access.EXPIRED,
    "rate_limit": _tenant_probe_limits.LIMITED,
    "revoked_key": _tenant_probe_revoked.REVOKED,
    "over_budget": _tenant_probe_budget.OVER_BUDGET,
    "spend": _tenant_probe_spend.SPEND,
}
_PROBES: t.Final[dict[str, t.Callable[[Stage], Observation]]] = {
    "answers": _tenant_probe_access.observe_answers,
    "wrong_model": _tenant_probe_access.observe_wrong_model,
    "expired_key": _tenant_probe_access.observe_expired,
    "rate_limit": _tenant_probe_limits.observe_limits,
    "revoked_key": _tenant_probe_revoked.observe_revoked,
    "over_budget": _tenant_probe_budget.observe_over_budget,
}
PRICED_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    **MODEL_SPEC,
    "price": {
        "type": "dict",
        "options": {
            "input_per_token": {"type": "float", "default": 0.0, "no_log": False},
            "output_per_token": {"type": "float", "default": 0.0, "no_log": False},
        },
    },
    "max_output_tokens": {"type": "int", "default": 512, "no_log": False},
}
PRICED_MODELS_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "models": {"type": "list", "elements": "dict", "required": True, "options": PRICED_SPEC},
    "timeout": {"type": "float", "default": 60.0},
}
SERVING_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "namespace": {"type": "str", "required": True},
    "port": {"type": "int", "default": 8000},
    "api_key_secret": {
        "type": "dict",
        # It names a Secret; no value passes here.
        "no_log": False,
        "options": {
            "namespace": {"type": "str"},
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "default": "api-key", "no_log": False},
        },
    },
}


def probe(params: t.Mapping[str, t.Any]) -> tuple[list[Check], list[str]]:
    """All checks asked for, and warnings."""
    kinds = params["kinds"]
    effort = Effort(requests=params["requests"], cache_ttl=params["cache_ttl"], ledger_seconds=params["ledger_timeout"])
    claims = [CLAIMS[kind] for kind in kinds]
    return with_guests(claims, partial(reach, params, effort), lambda stage: carry_out(stage, kinds))


def carry_out(stage: Stage, kinds: t.Sequence[str]) -> list[Check]:
    """All at once, except that nobody else moves the models' counters while answers are bought."""
    quiet = threading.Event()
    if "spend" not in kinds:
        quiet.set()
    with ThreadPoolExecutor(len(kinds)) as pool:
        running = [pool.submit(_one, stage, kind, quiet) for kind in kinds]
        return [future.result() for future in running]


def _one(stage: Stage, kind: str, quiet: threading.Event) -> Check:
    if kind == "spend":
        observe = partial(_tenant_probe_spend.observe_spend, stage, quiet.set)
    else:
        quiet.wait()
        observe = partial(_PROBES[kind], stage)
    return run_probe(CLAIMS[kind], observe, UNREACHABLE)
