# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which models a probe is tried on."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_checks import Model
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_probe import _fit

SMALL, LARGE = (Model(f"m{slots}", t.cast("t.Any", None), None, "1", False, slots) for slots in (8, 256))


@pytest.mark.parametrize(
    ("kind", "max_slots", "names"),
    [
        ("queues", 64, ["m8"]),
        ("queues", 8, ["m8"]),
        ("queues", 7, []),
        ("queues", None, ["m8", "m256"]),
        ("answers", 64, ["m8", "m256"]),
        ("requires_key", 0, ["m8", "m256"]),
    ],
)
def test_only_the_queues_of_small_models_are_filled_and_every_model_is_asked(
    kind: str, max_slots: int | None, names: list[str]
) -> None:
    assert [model.name for model in _fit(kind, [SMALL, LARGE], max_slots)] == names
