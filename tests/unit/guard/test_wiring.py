# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The keeper runs in the loop that serves, and what was imported is put aside once the process serves."""

from __future__ import annotations

import asyncio
import gc
import typing as t


class Keeper:
    began = False
    ran = 0

    async def run(self) -> None:
        self.ran += 1


def test_the_keeper_runs_once_and_only_where_a_loop_runs() -> None:
    from llm_platform_guard import wiring

    keeper = Keeper()
    wiring.start(t.cast("t.Any", keeper))

    async def serve() -> tuple[int, bool, bool]:
        before = gc.get_freeze_count()
        wiring.start(t.cast("t.Any", keeper))
        wiring.start(t.cast("t.Any", keeper))
        await asyncio.sleep(0.15)
        early = gc.get_freeze_count() > before
        keeper.began = True
        await asyncio.sleep(0.3)
        return keeper.ran, early, gc.get_freeze_count() > before

    try:
        assert asyncio.run(serve()) == (1, False, True)
    finally:
        gc.unfreeze()
        wiring._TASKS.clear()
