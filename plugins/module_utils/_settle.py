# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""After an apply took fields back: does their other writer write again? Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._compare import overruled

if t.TYPE_CHECKING:
    from concurrent.futures import Executor

    from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_one import Outcome, Patience
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient


def settle(client: KubeClient, outcomes: t.Iterable[Outcome], executor: Executor, patience: Patience) -> list[str]:
    """Sentences about fields that were taken back and then changed again; looks only at objects where that can be."""
    watched = [outcome for outcome in outcomes if outcome.taken]
    for pause in patience.settle if watched else ():
        patience.sleep(pause)
        lives = executor.map(lambda outcome: client.get(outcome.desired.ref), watched)
        fights = [line for outcome, live in zip(watched, lives, strict=True) if live for line in _fights(outcome, live)]
        if fights:
            return fights
    return []


def _fights(outcome: Outcome, live: dict[str, t.Any]) -> list[str]:
    taken = {item.path for item in outcome.taken}
    return [
        f"{outcome.desired.ref} ({outcome.desired.file}): {item.path} was taken back, and {item.manager} changed it "
        f"again at {item.time}. Leave the field out of the tree (an option of the role), or stop {item.manager}"
        for item in overruled(outcome.desired.object, live)
        if item.path in taken
    ]
