# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Who gets in: a tenant's key does, for the tenant's models and until it expires. Private to the collection."""

from __future__ import annotations

import json
import secrets
import time
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_checks import answer_faults
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    Key,
    Replica,
    Stage,
    ask,
    control_faults,
    good,
    marked,
    verdict,
)

ANSWERS: t.Final = Claim(
    "tenant-key-answers",
    "live",
    "A tenant's key gets answers from every model it may use, streamed and plain, with usage counted.",
    "on every replica: both forms of every model 200 with usage, its models listed, no key and an unknown key 401",
)
WRONG_MODEL: t.Final = Claim(
    "wrong-model-refused",
    "live",
    "A key is refused for a model its tenant may not use.",
    "403 where the key's or the team's models lack it, 4xx for a model nobody has; the allowed key 200",
)
EXPIRED: t.Final = Claim(
    "expired-key-refused",
    "live",
    "A key stops working when it expires.",
    "on every replica: 200 before, 401 within a second after; its lasting twin still 200",
)
UNKNOWN_KEY: t.Final = 401
_NO_MODEL: t.Final = "llm-platform-probe-no-model"


def observe_answers(stage: Stage) -> Observation:
    seen = stage.observation()
    names = [model.name for model in stage.models]
    key = stage.guests.guest(names)
    times: dict[str, list[float]] = {}
    for replica in stage.replicas:
        for model in names:
            for form, stream in (("plain", False), ("streamed", True)):
                answer = ask(replica, model, key.value, marked(), 32, stream=stream)
                seen.faults += [f"{replica.name}, {model}, {form}: {fault}" for fault in _faults(answer, stream=stream)]
                times.setdefault(form, []).append(answer.seconds)
        listed = _listed(replica, key)
        if listed != sorted(names):
            seen.faults.append(f"{replica.name} lists {listed or 'no models'}, not {sorted(names)}")
        for label, wrong in (("no key", None), ("an unknown key", f"sk-{secrets.token_hex(16)}")):
            answer = ask(replica, names[0], wrong, marked(), 1)
            if answer.status != UNKNOWN_KEY:
                seen.faults.append(f"{replica.name}: {label} gave {verdict(answer)}, not {UNKNOWN_KEY}")
    spread = ", ".join(f"{form} {min(values):.2f} to {max(values):.2f} s" for form, values in times.items())
    seen.facts.append(
        f"{len(stage.replicas)} replica(s) with {', '.join(names)}: {sum(map(len, times.values()))} asked, {spread};"
        " no key and an unknown key tried on each"
    )
    return seen


def _faults(answer: Answer, *, stream: bool) -> list[str]:
    if answer.status != 200:
        return [verdict(answer)]
    # A whole answer has no gaps between pieces.
    return [fault for fault in answer_faults(answer) if stream or "one piece" not in fault]


def _listed(replica: Replica, key: Key) -> list[str]:
    try:
        status, text = replica.client.get("/v1/models", key=key.value)
    except ChatError as exc:
        raise ProbeError(f"{replica.name}: {exc}") from exc
    return sorted(item["id"] for item in json.loads(text)["data"]) if status == 200 else []


def observe_wrong_model(stage: Stage) -> Observation:
    seen = stage.observation()
    names = [model.name for model in stage.models]
    wanted, other = names[0], names[1] if len(names) > 1 else _NO_MODEL
    allowed = stage.guests.guest([wanted])
    narrow_key = stage.guests.guest([wanted, other], models=[other])
    narrow_team = stage.guests.guest([other])
    cases: tuple[tuple[str, Key, str, t.Collection[int]], ...] = (
        ("not among the key's models", narrow_key, wanted, (403,)),
        ("not among the team's models", narrow_team, wanted, (403,)),
        ("a model nobody has", allowed, f"{_NO_MODEL}-{secrets.token_hex(4)}", range(400, 500)),
    )
    got: dict[str, set[str]] = {}
    for replica in stage.replicas:
        control = {f"of the allowed key on {replica.name}": ask(replica, wanted, allowed.value, marked(), 8)}
        seen.faults += control_faults(control)
        for label, key, model, statuses in cases:
            answer = ask(replica, model, key.value, marked(), 8)
            got.setdefault(label, set()).add(verdict(answer))
            if answer.status not in statuses:
                seen.faults.append(f"{replica.name}: {label}: {verdict(answer)}")
    if len(names) > 1:
        answer = ask(stage.replicas[0], other, narrow_key.value, marked(), 8)
        seen.faults += control_faults({"of the narrow key for its own model": answer})
    tried = "; ".join(f"{label}: {', '.join(sorted(values))}" for label, values in got.items())
    seen.facts.append(f"{len(stage.replicas)} replica(s), allowed key 200; {tried}")
    return seen


def observe_expired(stage: Stage) -> Observation:
    seen = stage.observation()
    model = stage.models[0].name
    life, grace = stage.effort.key_seconds, stage.effort.grace
    team = stage.guests.team([model])
    lasting = stage.guests.key(team)
    brief = stage.guests.key(team, duration=f"{life:g}s")
    # It expires so long after the gateway made it, which was before its answer came.
    expires = time.monotonic() + life
    for replica in stage.replicas:
        answer = ask(replica, model, brief.value, marked(), 1)
        if time.monotonic() < expires:
            seen.faults += control_faults({f"before it expires on {replica.name}": answer})
        else:
            raise ProbeError(f"the gateway took longer than {life:g} s to answer, so the key expired untried")
    time.sleep(max(0.0, expires - time.monotonic()))
    for replica in stage.replicas:
        late = _seconds_until_refused(replica, model, brief, (expires, grace))
        if late is None:
            seen.faults.append(f"{replica.name} still answered {grace:g} s after the key had expired")
        else:
            seen.facts.append(f"{replica.name} refused what was sent {late:.1f} s after expiry")
        control = {f"of the lasting key on {replica.name}": ask(replica, model, lasting.value, marked(), 1)}
        seen.faults += control_faults(control)
    return seen


def _seconds_until_refused(replica: Replica, model: str, key: Key, moment: tuple[float, float]) -> float | None:
    expires, grace = moment
    began = max(expires, time.monotonic())
    while True:
        sent = time.monotonic()
        answer = ask(replica, model, key.value, marked(), 1)
        if answer.status == UNKNOWN_KEY:
            return sent - expires
        if not good(answer):
            raise ProbeError(f"{replica.name} answered the expired key with {verdict(answer)}")
        if sent - began > grace:
            return None
        time.sleep(0.1)
