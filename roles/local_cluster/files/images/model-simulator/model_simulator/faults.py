# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Failures on purpose: by flags from the start, or at run time through the keyed debug path."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import random
import typing as t

from .errors import ApiError

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Faults:
    error_rate: float = 0.0
    """Share of requests that end with `error_status`."""
    error_status: int = 500
    delay_seconds: float = 0.0
    """Added before every request."""
    stall_rate: float = 0.0
    """Share of requests that never get an answer."""
    unhealthy: bool = False
    """/health answers 503."""
    only_with: str = ""
    """Only requests with this text in their body are affected; those of others go on."""

    def change(self, wanted: object) -> None:
        """All of a change or nothing of it."""
        if not isinstance(wanted, dict):
            raise ApiError(400, "a JSON object with names of faults is expected")
        for name, value in wanted.items():
            self._check(name, value)
        for name, value in wanted.items():
            setattr(self, name, value)
        LOG.warning("faults are now %s", dataclasses.asdict(self))

    @staticmethod
    def _check(name: str, value: object) -> None:
        known = {field.name for field in dataclasses.fields(Faults)}
        if name not in known:
            raise ApiError(400, f"unknown fault '{name}': known are {', '.join(sorted(known))}, crash", param=name)
        if name == "only_with":
            valid, expected = isinstance(value, str), "a text"
        elif name == "unhealthy":
            valid, expected = isinstance(value, bool), "true or false"
        elif name == "error_status":
            valid, expected = (
                isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599,
                "an integer from 400 to 599",
            )
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            valid, expected = False, "a number"
        elif name.endswith("_rate"):
            valid, expected = 0 <= value <= 1, "a number from 0 to 1"
        else:
            valid, expected = 0 <= value <= 3600, "seconds from 0 to 3600"
        if not valid:
            raise ApiError(400, f"{name} is {value!r}, expected {expected}", param=name)


class FaultInjector:
    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self._random = random.Random(seed)  # noqa: S311 - nothing is secret

    async def before_request(self, body: object) -> None:
        if self.faults.only_with and self.faults.only_with not in json.dumps(body, ensure_ascii=False):
            return
        if self.faults.delay_seconds:
            await asyncio.sleep(self.faults.delay_seconds)
        if self._random.random() < self.faults.stall_rate:
            await asyncio.Event().wait()
        if self._random.random() < self.faults.error_rate:
            raise ApiError(self.faults.error_status, "injected failure", kind="InternalServerError")

    @staticmethod
    def crash() -> t.NoReturn:
        LOG.critical("crash was asked for")
        os._exit(70)
