# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Takes PostgreSQL and Redis away under load, lets Redis forget, and watches who is still let in. Private to the
collection."""

from __future__ import annotations

import secrets
import time
import typing as t
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_judge import (
    EXHAUSTED,
    FRESH,
    RECOVERY_SECONDS,
    TENANT,
    UNKNOWN,
    Outage,
    Shot,
    Verdict,
    by_budget,
    forgotten_faults,
    ledger_faults,
    outage_verdict,
    recovery,
    recovery_faults,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_load import Client, Load, at_once
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Scene, Workload, counted
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Key

POSTGRES: t.Final = Claim(
    "budget-holds-without-postgres",
    "destructive",
    "Budgets hold and no unknown key passes while PostgreSQL is away.",
    "killed under load: a cached key ends within the key cache's time to live on every replica, a key that was never"
    " used, an unknown one and one whose budget is spent never pass, and the ledger holds all that was answered",
)
REDIS: t.Final = Claim(
    "budget-holds-without-redis",
    "destructive",
    "Budgets hold while Redis is away, and when it forgets everything.",
    "killed under load: keys with a budget are refused until it is back, and the budget holds over the restart; emptied"
    " under load: nobody is let in until the counters are made anew, and nothing is overdrawn by more than one request",
)
RECOVERS: t.Final = Claim(
    "recovers-after-outage",
    "destructive",
    "The gateway answers again within 30 seconds after PostgreSQL or Redis is back, by itself.",
    f"every replica answers at most {RECOVERY_SECONDS:.0f} s after each is ready again, and after Redis was emptied",
)
# A check of the key, and of the clock, comes later than the moment of the kill.
_SLACK: t.Final = 4.0
_BEFORE: t.Final = 20.0
_REFUSED_FOR: t.Final = 5.0
_PAUSE: t.Final = 0.25
_FRESH_KEYS: t.Final = 4


@dataclass(slots=True)
class Recovered:
    """By what was away: seconds by replica, or why it is not known."""

    seconds: dict[str, dict[str, float | None]] = field(default_factory=dict)
    simulated: bool | None = None


def observe_postgres(scene: Scene, database: Workload, recovered: Recovered) -> Observation:
    made = time.monotonic()
    tenant, exhausted, fresh = _cast(scene)
    with Load() as load:
        _begin(load, scene, tenant, exhausted)
        _wait_for_control(load, scene)
        _grown_old(scene, made)
        allowed = scene.timing.cache_ttl + _SLACK
        outage = _away(load, scene, database, fresh, allowed + _REFUSED_FOR)
        _wait_for_answers(load, scene, outage)
    shots = load.shots()
    found = outage_verdict(shots, outage, allowed)
    recovered.seconds["PostgreSQL"] = found.recovered
    seen = _observation(scene, found, shots, "PostgreSQL", outage)
    real = scene.real(scene.log.settled(tenant.team.id))
    billed = scene.ledgers({tenant.team: real})[tenant.team]
    seen.faults += ledger_faults("spend around the outage", real, billed)
    seen.facts.append(f"around the outage the model worked for ${real:.8f}, the ledger holds ${billed or 0.0:.8f}")
    return seen


def observe_redis(scene: Scene, redis: Workload, forget: t.Callable[[], None], recovered: Recovered) -> Observation:
    tenant, exhausted, fresh = _cast(scene)
    # About half of it is spent when Redis goes.
    budget = 12 * scene.reserved()
    spender = scene.guests.key(scene.team(budget))
    at_once([partial(scene.plain, client, spender) for client in scene.clients for _number in range(6)], 6)
    with Load() as load:
        _begin(load, scene, tenant, exhausted)
        for client in scene.clients:
            load.add("spender", client.name, partial(scene.plain, client, spender), pause=0.05)
        _wait_for_control(load, scene)
        outage = _away(load, scene, redis, fresh, _SLACK + _REFUSED_FOR)
        _wait_for_answers(load, scene, outage)
        _until(lambda: any(by_budget(shot.verdict) for shot in load.shots() if shot.kind == "spender"), 20.0)
    shots = load.shots()
    found = outage_verdict(shots, outage, _SLACK)
    recovered.seconds["Redis"] = found.recovered
    seen = _observation(scene, found, shots, "Redis", outage)
    _spent_across(seen, scene, spender, budget, shots)
    recovered.seconds["emptied Redis"] = _forgetful(seen, scene, forget, tenant)
    return seen


def _spent_across(seen: Observation, scene: Scene, spender: Key, budget: float, shots: t.Sequence[Shot]) -> None:
    mine = [shot.verdict for shot in shots if shot.kind == "spender"]
    real = scene.real(scene.log.settled(spender.team.id))
    seen.faults += forgotten_faults("over the restart", budget, real, scene.one(), mine)
    seen.facts.append(f"over the restart ${real:.8f} of ${budget:.8f} were spent")


def _forgetful(seen: Observation, scene: Scene, forget: t.Callable[[], None], tenant: Key) -> dict[str, float | None]:
    """Emptied while it serves: no moment without Redis makes the gateway careful. How long each replica took."""
    one = scene.one()
    budget = 40 * one
    spender = scene.guests.key(scene.team(budget))
    with Load() as load:
        for client in scene.clients:
            load.add("spender", client.name, partial(scene.plain, client, spender), pause=0.0, workers=4)
            load.add(TENANT, client.name, partial(scene.plain, client, tenant), pause=_PAUSE)
        _until(lambda: sum(shot.good for shot in load.shots() if shot.kind == "spender") >= 16, 20.0)
        forget()
        at = load.now()
        _until(lambda: _spent(load, at), RECOVERY_SECONDS + _SLACK)
    shots = load.shots()
    mine = [shot for shot in shots if shot.kind == "spender"]
    real = scene.real(scene.log.settled(spender.team.id))
    seen.faults += forgotten_faults("emptied", budget, real, one, {shot.verdict for shot in mine})
    seen.faults += ledger_faults("emptied", real, scene.ledgers({spender.team: real})[spender.team])
    over = max(0.0, real - budget)
    seen.facts.append(
        f"emptied under load: ${real:.8f} of ${budget:.8f} were spent, overdrawn by ${over:.8f}"
        f" ({over / one:.1f} requests)"
    )
    answered = sum(shot.good for shot in mine)
    found = f"overdrawn by {over / one:.1f} requests, bound 1"
    seen.table["rows"].append(["emptied", "spender", answered, len(mine) - answered, found])
    emptied = Outage(at, at, at)
    tenants = [shot for shot in shots if shot.kind == TENANT]
    return {
        client.name: recovery([shot for shot in tenants if shot.replica == client.name], emptied)
        for client in scene.clients
    }


def _spent(load: Load, at: float) -> bool:
    """Of the spender nothing was answered lately, because of its budget, and everybody else is answered again."""
    lately = max(at, load.now() - 2.0)
    late = [shot for shot in load.shots() if shot.began >= lately]
    mine = [shot for shot in late if shot.kind == "spender"]
    others = [shot for shot in late if shot.kind == TENANT]
    return (
        bool(mine)
        and all(by_budget(shot.verdict) for shot in mine)
        and bool(others)
        and all(shot.good for shot in others)
    )


def observe_recovery(recovered: Recovered) -> Observation:
    seen = Observation(simulated=recovered.simulated)
    for what in ("PostgreSQL", "Redis", "emptied Redis"):
        seconds = recovered.seconds.get(what, {})
        seen.faults += recovery_faults(what, seconds)
        told = ", ".join(f"{name} {'never' if value is None else f'{value:.1f} s'}" for name, value in seconds.items())
        if told:
            seen.facts.append(f"after {what}: {told}")
    return seen


def _cast(scene: Scene) -> tuple[Key, Key, t.Sequence[Key]]:
    """A tenant with plenty of budget, one whose budget is spent, and keys that nobody has used yet."""
    plenty = 1e6 * scene.one()
    tenant = scene.guests.key(scene.team(plenty))
    exhausted = scene.guests.key(scene.team(1.5 * scene.reserved()))
    fresh = [scene.guests.key(scene.team(plenty)) for _number in range(_FRESH_KEYS)]
    scene.exhaust(exhausted)
    return tenant, exhausted, fresh


def _grown_old(scene: Scene, made: float) -> None:
    """The replica that made a key knows it for a while without the database."""
    time.sleep(max(0.0, scene.timing.cache_ttl + 1.0 - (time.monotonic() - made)))


def _begin(load: Load, scene: Scene, tenant: Key, exhausted: Key) -> None:
    for client in scene.clients:
        load.add(TENANT, client.name, partial(scene.plain, client, tenant), pause=_PAUSE, workers=2)
        load.add(EXHAUSTED, client.name, partial(scene.plain, client, exhausted), pause=_PAUSE)
        load.add(UNKNOWN, client.name, partial(_unknown, scene, client, tenant), pause=_PAUSE)


def _unknown(scene: Scene, client: Client, tenant: Key) -> str:
    """A new invention every time, so that no cache of what is unknown answers."""
    return scene.plain(client, Key(tenant.team, f"sk-{secrets.token_hex(16)}", ""))


def _away(load: Load, scene: Scene, workload: Workload, fresh: t.Sequence[Key], seconds: float) -> Outage:
    with workload.away():
        workload.wait_gone()
        gone = load.now()
        for number, key in enumerate(fresh):
            client = scene.clients[number % len(scene.clients)]
            load.add(FRESH, client.name, partial(scene.plain, client, key), pause=1.0)
        time.sleep(seconds)
        start = load.now()
    workload.wait_ready(scene.timing.back)
    return Outage(gone, start, load.now())


def _wait_for_control(load: Load, scene: Scene) -> None:
    """Until every replica has answered the tenant and refused the others, or the time for it is over."""
    wanted = {(client.name, kind) for client in scene.clients for kind in (TENANT, EXHAUSTED, UNKNOWN)}
    _until(lambda: wanted <= {(shot.replica, shot.kind) for shot in load.shots()}, _BEFORE)


def _wait_for_answers(load: Load, scene: Scene, outage: Outage) -> None:
    """Until every replica has answered the tenant for a while, or the time for it is over."""

    def answered() -> bool:
        late = [shot for shot in load.shots() if shot.kind == TENANT and shot.began > load.now() - 2.0]
        return load.now() > outage.ready + 2.0 and all(
            (mine := [shot.good for shot in late if shot.replica == client.name]) and all(mine)
            for client in scene.clients
        )

    _until(answered, RECOVERY_SECONDS + _SLACK)


def _until(done: t.Callable[[], bool], seconds: float) -> None:
    """Or not: what was seen is judged afterwards."""
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.2)


def _observation(scene: Scene, found: Verdict, shots: t.Sequence[Shot], what: str, outage: Outage) -> Observation:
    seen = Observation(faults=list(found.faults), simulated=scene.model.witness.simulated)
    length = outage.start - outage.gone
    for replica, seconds in found.passed.items():
        back = found.recovered[replica]
        seen.facts.append(
            f"{replica}: let the tenant in for {seconds:.1f} s of {length:.0f} s without {what}, answered"
            f" {'never' if back is None else f'{back:.1f} s'} after it was ready"
        )
    told = ", ".join(f"{count} x {kind}" for kind, count in found.counted.items())
    seen.facts.append(f"refused during the outage: {told}")
    phases: dict[str, list[Shot]] = {"before": [], "away": [], "across": [], "after": []}
    for shot in shots:
        phases[_phase(shot, outage)].append(shot)
    rows: list[list[str | float]] = []
    for phase, mine in phases.items():
        for kind in dict.fromkeys(shot.kind for shot in mine):
            some = [shot for shot in mine if shot.kind == kind]
            good = sum(shot.good for shot in some)
            answers = ", ".join(f"{n} x {name}" for name, n in sorted(counted(one.verdict for one in some).items()))
            rows.append([phase, kind, good, len(some) - good, answers])
    seen.table = {"columns": ["When", "Who", "Answered", "Not answered", "Answers"], "rows": rows}
    seen.series["outage"] = {what: _timeline(shots, outage)}
    return seen


def _phase(shot: Shot, outage: Outage) -> str:
    if shot.ended < outage.gone:
        return "before"
    if shot.began >= outage.start:
        return "after"
    return "away" if outage.gone <= shot.began and shot.ended < outage.start else "across"


def _timeline(shots: t.Sequence[Shot], outage: Outage) -> list[dict[str, float]]:
    """What the tenant got, second by second; `away` is 1 while the backend was."""
    tenant = [shot for shot in shots if shot.kind == TENANT]
    last = max((shot.began for shot in tenant), default=0.0)
    return [
        {
            "seconds": second,
            "answered": sum(shot.good and second <= shot.began < second + 1 for shot in tenant),
            "refused": sum(not shot.good and second <= shot.began < second + 1 for shot in tenant),
            "away": int(outage.gone <= second + 0.5 < outage.ready),
        }
        for second in range(int(last) + 1)
    ]
