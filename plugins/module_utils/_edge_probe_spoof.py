# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Can a client at an entrance choose what a model is told? Private to the collection."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.wmx.llm_platform.plugins.module_utils import _gateway_probe_spoof
from ansible_collections.wmx.llm_platform.plugins.module_utils import _gateway_probe_stage as gateway_stage
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_entrance import Entrance
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_stage import Stage

CLAIM: t.Final = Claim(
    "header-spoof-ignored",
    "live",
    "Headers and body fields sent through an entrance choose neither upstream nor identity nor priority.",
    "through each entrance, each alone and all together on every route: the request is answered, and the model received"
    " it from the team of the key, with the team's priority and salt, and nothing of what was slipped in",
)


def observe(stage: Stage) -> Observation:
    seen = stage.observation()
    with ThreadPoolExecutor() as pool:
        for name, found in pool.map(lambda entrance: (entrance.name, _at(entrance, stage)), stage.entrances):
            seen.facts += [f"{name}: {fact}" for fact in found.facts]
            seen.faults += [f"{name}: {fault}" for fault in found.faults]
    return seen


def _at(entrance: Entrance, stage: Stage) -> Observation:
    replica = gateway_stage.Replica(entrance.name, t.cast("gateway_stage.Gateway", entrance))
    return _gateway_probe_spoof.observe(gateway_stage.Stage([replica], stage.models, stage.guests))
