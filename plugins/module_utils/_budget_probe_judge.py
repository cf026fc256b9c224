# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Did a budget hold? Recorded numbers in, faults out; nothing here talks to anybody. Private to the collection."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field

# Sums of binary fractions differ in their last digits by the order in which they were added.
_DUST: t.Final = 1e-12
GOOD: t.Final = "200"
LEFT: t.Final = "left"
BUDGET: t.Final = "budget"
# Refusals as they are told to clients; 503 is how the gateway fails closed.
_REFUSALS: t.Final = ("4", "503")


def refused(verdict: str) -> bool:
    return verdict.startswith(_REFUSALS)


def by_budget(verdict: str) -> bool:
    return refused(verdict) and BUDGET in verdict


@dataclass(frozen=True, slots=True)
class Row:
    """What an attack did. `one` is what the dearest single request of it can cost.

    `real` is what the model says it did for the team's requests times the prices, `worst` what it would have cost had
    every request that came through been as long as it was allowed to be, `billed` what the ledger holds.
    """

    attack: str
    budget: float
    one: float
    control: t.Sequence[str]
    verdicts: t.Mapping[str, int]
    admitted: int
    real: float
    worst: float
    billed: float | None
    unfinished: int = 0

    @property
    def overshoot(self) -> float:
        return max(0.0, self.real - self.budget)

    @property
    def overshoot_requests(self) -> float:
        return self.overshoot / self.one

    @property
    def refused(self) -> int:
        return sum(count for verdict, count in self.verdicts.items() if refused(verdict))

    @property
    def answered(self) -> int:
        return sum(count for verdict, count in self.verdicts.items() if verdict in (GOOD, LEFT))


def row_faults(row: Row) -> list[str]:
    faults = [f"control: {verdict} instead of {GOOD}" for verdict in row.control if verdict != GOOD]
    if not row.control:
        faults.append("control: nobody tried whether the allowed way works")
    if row.admitted < len(row.control):
        faults.append(f"the model's log shows {row.admitted} requests, fewer than were answered before the attack")
    if row.overshoot > row.one + _DUST:
        faults.append(
            f"overdrawn by ${row.overshoot:.8f} ({row.overshoot_requests:.1f} requests): the model worked for"
            f" ${row.real:.8f}, the budget is ${row.budget:.8f}"
        )
    if not row.refused:
        faults.append("nothing was refused, so the budget was never tried")
    elif row.verdicts.get(GOOD) and not any(by_budget(verdict) for verdict in row.verdicts):
        faults.append("requests were answered, and none was refused because of the budget")
    strange = {verdict: count for verdict, count in row.verdicts.items() if not _expected(verdict)}
    if strange:
        faults.append("unexpected: " + ", ".join(f"{count} x {verdict}" for verdict, count in sorted(strange.items())))
    if row.unfinished:
        faults.append(f"the model still worked on {row.unfinished} requests when the row was judged")
    if row.billed is None:
        faults.append("the ledger could not be read")
    elif row.billed < row.real - max(_DUST, row.real * 1e-6):
        faults.append(f"the ledger holds ${row.billed:.8f}, the model worked for ${row.real:.8f}")
    return faults


def _expected(verdict: str) -> bool:
    return verdict in (GOOD, LEFT) or refused(verdict)


COLUMNS: t.Final = [
    "Attack",
    "Budget, µ$",
    "Really cost, µ$",
    "Worst case let in, µ$",
    "Ledger, µ$",
    "Overshoot, µ$",
    "Overshoot, requests",
    "Answered",
    "Refused",
    "Answers",
]


def table_row(row: Row) -> list[str | float]:
    return [
        row.attack,
        micro(row.budget),
        micro(row.real),
        micro(row.worst),
        micro(row.billed) if row.billed is not None else "not read",
        micro(row.overshoot),
        round(row.overshoot_requests, 2),
        row.answered,
        row.refused,
        ", ".join(f"{count} x {verdict}" for verdict, count in sorted(row.verdicts.items())),
    ]


def micro(dollars: float) -> float:
    """Millionths of a dollar, which is the size of the budgets that are attacked."""
    return round(dollars * 1e6, 1)


@dataclass(frozen=True, slots=True)
class Period:
    """From one reset to the next: what requests that came in it cost really, and how they ended."""

    real: float
    answered: int
    refused: int


TURNS: t.Final = 2


def rollover_faults(periods: t.Sequence[Period], budget: float, one: float, spend: float | None) -> list[str]:
    """`spend` is what the ledger holds for the last period. A period that ends before its budget is used up tells
    nothing, and some do: a period ends when the gateway looks, not when it is due."""
    faults = []
    used_up = sum(bool(period.answered and period.refused) for period in periods)
    if used_up < TURNS:
        faults.append(f"{used_up} period(s) were used up, {TURNS} are needed: the budget was not reset in time")
    for number, period in enumerate(periods, 1):
        if period.refused and not period.answered:
            faults.append(f"period {number}: nothing was answered, so the reset did not give the budget back")
        if period.real > budget + one + _DUST:
            faults.append(
                f"period {number}: overdrawn by ${period.real - budget:.8f}"
                f" ({(period.real - budget) / one:.1f} requests)"
            )
    if spend is None:
        faults.append("the ledger could not be read")
    elif spend > budget + one + _DUST:
        faults.append(f"after the reset the ledger holds ${spend:.8f}, more than a budget of ${budget:.8f}")
    return faults


def boundary_faults(period: Period, budget: float, one: float, on_the_way: float) -> list[str]:
    """The new period when requests were on their way as the old one ended. `on_the_way` is what was reserved for them.

    The gateway drops the counter with their reservations, and takes back from the new one what they did not need.
    """
    faults = []
    if not period.answered or not period.refused:
        faults.append(f"{period.answered} answered and {period.refused} refused after the turn, both are needed")
    if period.real > budget + one + on_the_way + _DUST:
        faults.append(
            f"overdrawn by ${period.real - budget:.8f} ({(period.real - budget) / one:.1f} requests) with"
            f" ${on_the_way:.8f} on their way at the turn"
        )
    return faults


@dataclass(frozen=True, slots=True)
class Shot:
    """One request of the load during an outage, in seconds since the load began."""

    kind: str
    replica: str
    began: float
    ended: float
    verdict: str

    @property
    def good(self) -> bool:
        return self.verdict == GOOD


@dataclass(frozen=True, slots=True)
class Outage:
    """`gone`: nothing of it ran any more. `start`: it was asked to come back. `ready`: it said it was."""

    gone: float
    start: float
    ready: float


TENANT: t.Final = "tenant"
EXHAUSTED: t.Final = "exhausted key"
UNKNOWN: t.Final = "unknown key"
FRESH: t.Final = "key never used before"
RECOVERY_SECONDS: t.Final = 30.0


@dataclass(slots=True)
class Verdict:
    """What an outage showed. `passed` and `recovered`: seconds by replica."""

    faults: list[str] = field(default_factory=list)
    passed: dict[str, float] = field(default_factory=dict)
    recovered: dict[str, float | None] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)


def outage_verdict(shots: t.Sequence[Shot], outage: Outage, allowed: float) -> Verdict:
    """A tenant may still be answered for `allowed` seconds; the others never, before, during or after."""
    found = Verdict()
    for replica in sorted({shot.replica for shot in shots}):
        mine = [shot for shot in shots if shot.replica == replica]
        tenant = [shot for shot in mine if shot.kind == TENANT]
        if not any(shot.good and shot.ended < outage.gone for shot in tenant):
            found.faults.append(f"{replica}: control: the tenant was not answered before the outage")
        # What had begun before was let in when all was well, and what ended later may have waited for the end.
        late = [shot for shot in tenant if shot.good and outage.gone <= shot.began and shot.ended < outage.start]
        found.passed[replica] = max((shot.began - outage.gone for shot in late), default=0.0)
        if found.passed[replica] > allowed:
            found.faults.append(
                f"{replica}: the tenant was let in {found.passed[replica]:.1f} s into the outage,"
                f" {allowed:.0f} s are allowed"
            )
        if not any(not shot.good and outage.gone <= shot.began and shot.ended < outage.start for shot in tenant):
            found.faults.append(f"{replica}: no refusal was seen during the outage")
        found.recovered[replica] = recovery(tenant, outage)
    for kind in (EXHAUSTED, UNKNOWN, FRESH):
        mine = [shot for shot in shots if shot.kind == kind]
        during = [shot for shot in mine if outage.gone <= shot.began and shot.ended < outage.start]
        found.counted[kind] = len(during)
        passed = [shot for shot in (during if kind == FRESH else mine) if shot.good]
        if not during:
            found.faults.append(f"{kind}: no answer of any kind was seen during the outage")
        if passed:
            found.faults.append(f"{kind}: {len(passed)} of {len(mine)} requests were answered")
    return found


def recovery(tenant: t.Sequence[Shot], outage: Outage) -> float | None:
    """From ready to the first answer that is followed by no refusal for lack of the backend."""
    after = sorted((shot for shot in tenant if shot.began >= outage.start), key=lambda shot: shot.began)
    first: float | None = None
    for shot in after:
        if shot.good and first is None:
            first = shot.ended
        elif not shot.good and not by_budget(shot.verdict):
            first = None
    return None if first is None else max(0.0, first - outage.ready)


def recovery_faults(what: str, recovered: t.Mapping[str, float | None]) -> list[str]:
    faults = [] if recovered else [f"{what}: no replica was watched"]
    for replica, seconds in recovered.items():
        if seconds is None:
            faults.append(f"{what}: {replica} did not answer again")
        elif seconds > RECOVERY_SECONDS:
            faults.append(f"{what}: {replica} took {seconds:.1f} s, {RECOVERY_SECONDS:.0f} s are allowed")
    return faults


def forgotten_faults(what: str, budget: float, real: float, one: float, verdicts: t.Collection[str]) -> list[str]:
    faults = []
    if real - budget > one + _DUST:
        faults.append(f"{what}: overdrawn by ${real - budget:.8f}, ${one:.8f} are the bound")
    if GOOD not in verdicts:
        faults.append(f"{what}: control: nothing was answered")
    if not any(by_budget(verdict) for verdict in verdicts):
        faults.append(f"{what}: nothing was refused because of the budget")
    return faults


def ledger_faults(what: str, real: float, billed: float | None, bound: float = 0.0) -> list[str]:
    """The ledger may miss at most `bound` dollars of what the model did, and may not invent any."""
    if billed is None:
        return [f"{what}: the ledger could not be read"]
    if real - billed > bound + max(_DUST, real * 1e-6):
        return [f"{what}: the ledger holds ${billed:.8f} of ${real:.8f}; ${bound:.8f} may be missing"]
    if billed - real > max(_DUST, real * 1e-6) and not math.isclose(billed, real):
        return [f"{what}: the ledger holds ${billed:.8f}, more than the ${real:.8f} that the model worked for"]
    return []
