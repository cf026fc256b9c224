# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Do tenants share a prefix cache? Asked of the model's own counters. Private to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import new_marker

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import Model
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import Stage
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Key

CLAIM: t.Final = Claim(
    "cache-isolated",
    "live",
    "Two tenants that send the same prompt do not share a prefix cache.",
    "the same long prompt is found in the cache when its own team sends it again, never when another team sends it",
)
WORDS: t.Final = 400
"""Many blocks of a cache, however tokens are counted."""
OTHERS: t.Final = 3
ATTEMPTS: t.Final = 5


def observe(stage: Stage) -> Observation:
    model = stage.logged()
    for _attempt in range(ATTEMPTS):
        seen = _observe_once(stage, model)
        if seen is not None:
            return seen
        time.sleep(1)
    raise ProbeError(f"others used model {model.name!r} all the time, so that its counters were not ours alone")


def _observe_once(stage: Stage, model: Model) -> Observation | None:
    """None when somebody else used the cache meanwhile: then the counters say nothing."""
    seen = stage.observation()
    marker = new_marker()
    prompt = " ".join(f"{marker}-{number}" for number in range(WORDS))
    owner = stage.guest([model.name])
    before = model.cache_hits()
    # A Service spreads requests: the owner's prompt must be in the cache of every pod, or others would miss by luck.
    own = [_cached(stage, model, owner, prompt) for _turn in range(_turns(model))]
    within = model.cache_hits() - before
    before = model.cache_hits()
    turns = range(OTHERS * len(model.pods))
    others = [_cached(stage, model, stage.guest([model.name]), prompt) for _turn in turns]
    across = model.cache_hits() - before
    if sum(own) != within or sum(others) != across:
        return None
    if own[0]:
        seen.faults.append(f"a prompt that nobody had sent was found in the cache ({own[0]} tokens)")
    if not own[-1]:
        raise ProbeError(f"model {model.name!r} does not cache prefixes even for one team; nothing is shown by that")
    if any(others) or across:
        seen.faults.append(f"other teams found {int(across)} tokens of the owner's prompt in the cache")
    seen.facts.append(
        f"{model.name}: the owner sent its prompt {len(own)} times and found {int(within)} tokens in the cache,"
        f" {len(others)} other teams sent it and found {int(across)}"
    )
    return seen


def _turns(model: Model) -> int:
    return 2 if len(model.pods) == 1 else 6 * len(model.pods)


def _cached(stage: Stage, model: Model, key: Key, prompt: str) -> int:
    """How many tokens of the prompt the answer says were in the cache."""
    body = {"model": model.name, "max_tokens": 1, "messages": [{"role": "user", "content": prompt}]}
    reply = stage.replica.ask(key, "/v1/chat/completions", body)
    if reply.status != 200:
        raise ProbeError(f"a good request to model {model.name!r} gave status {reply.status}")
    details = (reply.json.get("usage") or {}).get("prompt_tokens_details") or {}
    return int(details.get("cached_tokens") or 0)
