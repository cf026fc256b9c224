# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a key that was taken away still works, on each replica, while it is being used. Private to the collection.

The key is kept busy all the time: a cache whose entries live on while they are used would never let go of it.
"""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    Admin,
    Effort,
    Key,
    Replica,
    Stage,
    ask,
    control_faults,
    good,
    marked,
    verdict,
)

REVOKED: t.Final = Claim(
    "revoked-key-refused",
    "live",
    "A revoked key stops working on every replica within the key cache's time to live.",
    "key deleted, blocked or both, team blocked: through one replica, then 401 or 403 on each within the TTL",
)
REFUSED: t.Final = (401, 403)


def _delete(admin: Admin, key: Key) -> None:
    admin.checked("POST", "/key/delete", {"keys": [key.hash]})


def _block(admin: Admin, key: Key) -> None:
    admin.checked("POST", "/key/block", {"key": key.hash})


def _block_and_delete(admin: Admin, key: Key) -> None:
    _block(admin, key)
    _delete(admin, key)


def _block_team(admin: Admin, key: Key) -> None:
    admin.checked("POST", "/team/block", {"team_id": key.team.id})


def _update_team(admin: Admin, key: Key) -> None:
    admin.checked("POST", "/team/update", {"team_id": key.team.id, "blocked": True})


# LiteLLM tells its replicas of some of these and lets their caches run out for others; the last of a kind is what the
# modules litellm_key and litellm_team do.
_WAYS: t.Final[dict[str, t.Callable[[Admin, Key], None]]] = {
    "key deleted": _delete,
    "key blocked": _block,
    "key blocked, then deleted": _block_and_delete,
    "team blocked": _block_team,
    "team updated to blocked": _update_team,
}


@dataclass(slots=True)
class _Case:
    """A key on its way out; the times are those of the answer to the taking away."""

    key: Key
    begun: threading.Event = field(default_factory=threading.Event)
    taken: threading.Event = field(default_factory=threading.Event)
    at: float = 0.0


def observe_revoked(stage: Stage) -> Observation:
    seen = stage.observation()
    model = stage.models[0].name
    cases = {way: _Case(stage.guests.guest([model])) for way in _WAYS}
    bystander = stage.guests.guest([model])
    with ThreadPoolExecutor(len(cases) * len(stage.replicas)) as pool:
        pairs = {(way, replica.name): (case, replica) for way, case in cases.items() for replica in stage.replicas}
        controls = pool.map(lambda pair: ask(pair[1], model, pair[0].key.value, marked(), 1), pairs.values())
        for (way, name), answer in zip(pairs, controls, strict=True):
            seen.faults += control_faults({f"before '{way}' on {name}": answer})
        if seen.faults:
            return seen
        watched = {
            names: pool.submit(_watch, replica, model, case, stage.effort) for names, (case, replica) in pairs.items()
        }
        try:
            for way, case in cases.items():
                case.begun.set()
                _WAYS[way](stage.replicas[0].admin, case.key)
                case.at = time.monotonic()
                case.taken.set()
        finally:
            # Watchers must not outlive a failure here.
            for case in cases.values():
                case.at = case.at or time.monotonic()
                case.begun.set()
                case.taken.set()
        seconds: dict[str, dict[str, float]] = {}
        for (way, name), future in watched.items():
            late, fault = future.result()
            if fault:
                seen.faults.append(f"{way}: {name} {fault}")
            if late is not None:
                seconds.setdefault(way, {})[name] = round(late, 2)
    for replica in stage.replicas:
        answer = ask(replica, model, bystander.value, marked(), 1)
        seen.faults += control_faults({f"of another key afterwards on {replica.name}": answer})
    for way, by_replica in seconds.items():
        spread = ", ".join(f"{late:.1f} s on {name}" for name, late in by_replica.items())
        seen.facts.append(f"{way}: refused after {spread}")
    seen.facts.append(f"bound {stage.effort.cache_ttl:.0f} s, taken away through {stage.replicas[0].name}")
    seen.series["revoked_seconds"] = {way: list(by_replica.values()) for way, by_replica in seconds.items()}
    return seen


def _watch(replica: Replica, model: str, case: _Case, effort: Effort) -> tuple[float | None, str]:
    """Seconds until the first refusal, and what speaks against it."""
    refused: float | None = None
    while True:
        sent = time.monotonic()
        # Answers to what was sent before belong to the past.
        taken = case.taken.is_set()
        answer = ask(replica, model, case.key.value, marked(), 1)
        if answer.status in REFUSED:
            if not case.begun.is_set():
                return None, f"refused with {verdict(answer)} before it was taken away"
            case.taken.wait()
            refused = max(0.0, sent - case.at) if refused is None else refused
            if sent - case.at - refused > effort.grace:
                return refused, ""
        elif not good(answer):
            return refused, f"neither answered nor refused: {verdict(answer)}"
        elif refused is not None:
            return refused, f"answered again {sent - case.at:.1f} s after it was taken away"
        elif taken and sent - case.at > effort.cache_ttl + effort.grace:
            return None, f"still answered {sent - case.at:.1f} s after it was taken away"
        time.sleep(effort.pause)
