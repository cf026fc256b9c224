# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The turn of a budget's period: who asks on and on over it, and what is on its way. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_judge import (
    TURNS,
    Period,
    boundary_faults,
    by_budget,
    micro,
    refused,
    rollover_faults,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_load import Load, at_once
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Scene, counted
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_table import Attack

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Team

_PERIOD: t.Final = "10s"
_MOST_TURNS: t.Final = 5
_LOOK: t.Final = 0.4
_TURN: t.Final = "turn of the period"
_CROSS: t.Final = "on the way at the turn"
# Long enough to be on its way for seconds, and most of them end before they have used it up.
_LONG: t.Final = Attack("long", tokens=256)


@dataclass(frozen=True, slots=True)
class Turned:
    name: str
    periods: t.Sequence[Period]
    budget: float
    one: float
    faults: t.Sequence[str]
    verdicts: t.Mapping[str, int]
    billed: float | None
    fact: str

    def tell(self, seen: Observation) -> None:
        seen.faults += [f"{self.name}: {fault}" for fault in self.faults]
        seen.facts.append(f"{self.name}: {self.fact}")
        answers = ", ".join(f"{count} x {verdict}" for verdict, count in sorted(self.verdicts.items()))
        for number, period in enumerate(self.periods, 1):
            name = f"{self.name}, period {number}" if len(self.periods) > 1 else self.name
            over = max(0.0, period.real - self.budget)
            billed = self.billed if number == len(self.periods) else None
            seen.table["rows"].append(
                [
                    name,
                    micro(self.budget),
                    micro(period.real),
                    "",
                    "" if billed is None else micro(billed),
                    micro(over),
                    round(over / self.one, 2),
                    period.answered,
                    period.refused,
                    answers if number == 1 else "",
                ]
            )
            seen.series["budget_use"][name] = [round(period.real / self.budget, 4)]


def turn(scene: Scene) -> Turned:
    """Ask on and on until two periods were used up; the model's log tells what each cost."""
    one = scene.one()
    budget = 4 * scene.reserved()
    team = scene.team(budget, budget_duration=_PERIOD)
    key = scene.guests.key(team)
    begins = [time.time()]
    with Load() as load:
        for client in scene.clients:
            load.add(_TURN, client.name, partial(scene.plain, client, key), pause=_LOOK)
        known = _reset_at(scene, team)
        used_up = 0
        for _turn in range(_MOST_TURNS):
            since = load.now()
            known, at = _next_turn(scene, team, known)
            used_up += _refused_since(load, since)
            if at is None or used_up >= TURNS:
                break
            begins.append(at)
    shots = load.shots()
    work = scene.log.settled(team.id)
    periods = []
    for begin, end in zip(begins, [*begins[1:], time.time() if at is None else at], strict=True):
        mine = [shot for shot in shots if begin <= shot.ended + begins[0] < end]
        periods.append(
            Period(
                scene.real(item for item in work if begin <= item.time < end),
                sum(shot.good for shot in mine),
                sum(refused(shot.verdict) for shot in mine),
            )
        )
    spend = scene.spend(team)
    faults = rollover_faults(periods, budget, one, spend)
    fact = ", ".join(f"${period.real:.8f}" for period in periods) + f" of ${budget:.8f} a period"
    return Turned(_TURN, periods, budget, one, faults, counted(shot.verdict for shot in shots), spend, fact)


def _refused_since(load: Load, since: float) -> bool:
    return any(shot.began >= since and by_budget(shot.verdict) for shot in load.shots())


def cross(scene: Scene) -> Turned:
    """Long requests are on their way when the period turns; then as many as possible come at once."""
    budget = 8 * scene.reserved(_LONG)
    team = scene.team(budget, budget_duration=_PERIOD)
    key = scene.guests.key(team)
    began = time.time()
    known = _reset_at(scene, team)
    with Load() as load:
        for client in scene.clients:
            load.add(_CROSS, client.name, partial(scene.plain, client, key, max_tokens=_LONG.tokens), pause=0.1)
        known, at = _next_turn(scene, team, known)
        sends = [
            partial(scene.plain, client, key, max_tokens=_LONG.tokens)
            for client in scene.clients
            for _number in range(15)
        ]
        late = at_once(sends, len(sends))
        end = time.time()
        # Again: what was on its way at the turn is settled in between. The next period is none of it.
        more = at_once(sends, len(sends))
        if _reset_at(scene, team) == known:
            late, end = late + more, time.time()
    turned = time.time() if at is None else at
    waiting = sum(shot.began + began < turned < shot.ended + began for shot in load.shots())
    work = scene.log.settled(team.id)
    mine = [item for item in work if turned <= item.time < end]
    period = Period(scene.real(mine), late.count("200"), sum(refused(one) for one in late))
    one = scene.one(_LONG, work)
    faults = boundary_faults(period, budget, one, waiting * scene.reserved(_LONG))
    if at is None:
        faults.append("the budget was not reset in time")
    if not waiting:
        faults.append("nothing was on its way at the turn")
    over = max(0.0, period.real - budget)
    fact = f"{waiting} requests on their way, then ${period.real:.8f} of ${budget:.8f}, overdrawn by ${over:.8f}"
    return Turned(_CROSS, [period], budget, one, faults, counted(late), None, fact)


def _next_turn(scene: Scene, team: Team, known: str) -> tuple[str, float | None]:
    """When the period turned: the last moment it had surely not, for nothing was answered just before."""
    until = time.monotonic() + scene.timing.reset + 30.0
    while time.monotonic() < until:
        before = time.time()
        found = _reset_at(scene, team)
        if found != known:
            return found, before
        time.sleep(_LOOK)
    return known, None


def _reset_at(scene: Scene, team: Team) -> str:
    found = scene.admin.checked("GET", "/team/info", query={"team_id": team.id})
    return str((found.get("team_info") or {}).get("budget_reset_at"))
