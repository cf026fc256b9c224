# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Is a client that asks too often refused, and nobody else? Private to the collection."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import ask

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_entrance import Entrance
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_stage import Stage

CLAIM: t.Final = Claim(
    "edge-rate-limit-refused",
    "live",
    "An address that asks more often than it may is refused by the entrance with 429 and Retry-After, others are not.",
    "of a flood from one address as many requests pass as the limit has, the rest gets 429, Retry-After and an error in"
    " OpenAI's form; a pod with another address is answered meanwhile, and the first one again afterwards",
)
# Refused by the entrance itself, so that a flood costs nobody anything; it counts as any other request does.
_NOWHERE: t.Final = "/no-such-path"
THREADS: t.Final = 8
LONGEST_FLOOD: t.Final = 60.0
# Clocks of refills, and pods: each has a bucket of its own.
TOLERANCE: t.Final = 1.25


@dataclass
class Flood:
    """Requests from one address for as long as it is not stopped."""

    entrance: Entrance
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:
            for counted in pool.map(self._one, range(THREADS)):
                self.statuses += counted
        self.seconds = time.monotonic() - began

    def stop(self) -> None:
        self._stop.set()

    def _one(self, _number: int) -> Counter[int]:
        counted: Counter[int] = Counter()
        connection, until = self.entrance.connect(), time.monotonic() + LONGEST_FLOOD
        while not self._stop.is_set() and time.monotonic() < until:
            counted[ask(connection, "", ("GET", _NOWHERE, None), 0)[0]] += 1
        connection.close()
        return counted


def observe(stage: Stage) -> Observation:
    seen, limits = stage.observation(), stage.limits
    entrance = stage.internal
    model = stage.models[0].name
    key = stage.guests.guest([model]).value
    before = entrance.send("GET", "/v1/models", key=key)
    if before.status != 200:
        raise ProbeError(f"{entrance.name}: a good request gave {before.status} before the flood")

    flood = Flood(entrance)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(flood.run)
        try:
            refused = _first_refusal(entrance, limits.burst)
            other = stage.inside(0).ask(key, [("GET", "/v1/models", None)] * 5)
        finally:
            flood.stop()
            running.result()
    passed, stopped = flood.statuses[404], flood.statuses[429]
    most = (limits.burst + limits.requests * (flood.seconds / limits.seconds + 1)) * TOLERANCE
    if not stopped and passed <= limits.burst + limits.requests * flood.seconds / limits.seconds:
        raise ProbeError(f"{passed} requests in {flood.seconds:.1f} s were too few to reach the limit")
    if refused is None:
        seen.faults.append(f"{entrance.name}: nothing was refused in {flood.seconds:.1f} s")
    elif not refused[1] or refused[0].get("code") != "rate_limit_exceeded":
        seen.faults.append(f"{entrance.name}: the refusal says {dict(refused[0])}, Retry-After {refused[1]!r}")
    if passed > most:
        seen.faults.append(
            f"{entrance.name}: {passed} requests passed in {flood.seconds:.1f} s, {most:.0f} at most may"
        )
    if strange := {status: count for status, count in flood.statuses.items() if status not in (404, 429)}:
        seen.faults.append(f"{entrance.name}: the flood got {strange}")
    if [verdict[0] for verdict in other] != [200] * 5:
        seen.faults.append(f"another address was not answered meanwhile: {other}")
    time.sleep(limits.seconds)
    after = entrance.send("GET", "/v1/models", key=key)
    if after.status != 200:
        seen.faults.append(f"{entrance.name}: after the flood a good request gave {after.status}")
    seen.facts.append(
        f"{entrance.name}: of {passed + stopped} requests in {flood.seconds:.1f} s {passed} passed, {stopped} got 429"
        f" with Retry-After {refused[1] if refused else 'none'}; another address got"
        f" {', '.join(str(verdict[0]) for verdict in other)} meanwhile; afterwards {after.status}"
    )
    return seen


def _first_refusal(entrance: Entrance, burst: int) -> tuple[t.Mapping[str, t.Any], str] | None:
    """Beside the flood: the error and when to come again."""
    for _attempt in range(burst * 2):
        reply = entrance.send("GET", _NOWHERE, patience=0)
        if reply.status == 429:
            return reply.error, reply.headers.get("retry-after", "")
    return None
