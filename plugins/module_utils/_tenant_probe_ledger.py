# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Compare what clients were told, what the ledger holds and what the models counted. Private to the collection.

Nothing here talks to anybody: the same comparison serves the probe and its tests.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import PROMPT_TOKENS, Key, Model

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import Counts, Outcome

COMPLETED: t.Final = "completed"
CANCELLED: t.Final = "cancelled"
FAILED: t.Final = "failed"
CLASSES: t.Final = (COMPLETED, CANCELLED, FAILED)
# Sums of binary fractions differ in their last digits by the order in which they were added.
_RELATIVE: t.Final = 1e-9
_ABSOLUTE: t.Final = 1e-15
_SHOWN: t.Final = 3
COLUMNS: t.Final = ("requests", "sent", "ledger rows", "prompt tokens", "generated tokens", "dollars", "bound, dollars")


@dataclass(frozen=True, slots=True)
class Purchase:
    """A request of ours. `told` are the tokens in the answer; who hung up or was refused was told none."""

    kind: str
    marker: str
    id: str
    key: Key
    model: Model
    max_tokens: int
    told: tuple[int, int] | None = None

    @property
    def dearest(self) -> float:
        """An answer as long as it may be."""
        return self.model.cost(PROMPT_TOKENS, self.max_tokens)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger."""

    id: str
    key: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    spend: float
    failed: bool

    @classmethod
    def of(cls, found: t.Mapping[str, t.Any]) -> Row:
        status = found.get("status") or (found.get("metadata") or {}).get("status") or ""
        return cls(
            str(found.get("request_id") or ""),
            str(found.get("api_key") or ""),
            str(found.get("model_group") or found.get("model") or ""),
            int(found.get("prompt_tokens") or 0),
            int(found.get("completion_tokens") or 0),
            float(found.get("spend") or 0.0),
            status == "failure",
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the gateway's database holds about our keys."""

    rows: t.Sequence[Row]
    key_spend: t.Mapping[str, float]
    team_spend: t.Mapping[str, float]


@dataclass(slots=True)
class Result:
    """`dollars`: the same money as each party counts it; `table`: a row for each class of requests."""

    faults: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    dollars: dict[str, float] = field(default_factory=dict)
    table: list[list[str | int | float]] = field(default_factory=list)

    def collect(self, label: str, faults: t.Sequence[str]) -> None:
        if faults:
            more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
            self.faults.append(f"{label}: {'; '.join(faults[:_SHOWN])}{more}")


def reconcile(
    purchases: t.Sequence[Purchase], ledger: Ledger, outcomes: t.Mapping[str, t.Sequence[Outcome]] | None
) -> Result:
    """The comparison request by request; without outcomes (None) the models' side is left to `counted`."""
    result = Result()
    by_id = {row.id: row for row in ledger.rows}
    for twice, count in Counter(row.id for row in ledger.rows).items():
        if count > 1:
            result.faults.append(f"request {twice} is in the ledger {count} times")
    for kind in CLASSES:
        mine = [item for item in purchases if item.kind == kind]
        rows = [by_id[item.id] for item in mine if item.id in by_id]
        if kind != FAILED:
            result.collect(f"{kind} in the ledger", _against_rows(mine, by_id))
        if outcomes is not None:
            result.collect(f"{kind} at the models", _against_outcomes(mine, by_id, outcomes))
        _report(result, kind, mine, rows if kind != FAILED else [row for row in ledger.rows if row.failed])
    known = {item.id for item in purchases if item.id}
    # A refusal has no id that its client learns; it must not cost anything.
    stray = [row for row in ledger.rows if row.id not in known and not row.failed]
    result.collect("rows without a request", [f"{row.id} of {row.model} for ${row.spend:.8f}" for row in stray])
    dear = [row for row in ledger.rows if row.failed and row.spend]
    result.collect("failed requests that cost", [f"{row.id} ${row.spend:.8f}" for row in dear])
    _sums(result, purchases, ledger)
    return result


def _against_rows(mine: t.Sequence[Purchase], by_id: t.Mapping[str, Row]) -> list[str]:
    faults = []
    for item in mine:
        row = by_id.get(item.id)
        if row is None:
            faults.append(f"{item.id or 'a request without id'} is missing")
            continue
        if (row.key, row.model) != (item.key.hash, item.model.name):
            faults.append(f"{item.id} is booked to another key or model ({row.model})")
        tokens = (row.prompt_tokens, row.completion_tokens)
        if item.told and tokens != item.told:
            faults.append(f"{item.id} has {tokens} tokens, its client was told {item.told}")
        price = item.model.cost(*tokens)
        if not same(row.spend, price):
            faults.append(f"{item.id} costs ${row.spend!r}, its tokens cost ${price!r}")
    return faults


def _against_outcomes(
    mine: t.Sequence[Purchase], by_id: t.Mapping[str, Row], outcomes: t.Mapping[str, t.Sequence[Outcome]]
) -> list[str]:
    faults = []
    for item in mine:
        done = outcomes.get(item.marker, ())
        counted = (sum(one.prompt_tokens for one in done), sum(one.completion_tokens for one in done))
        row = by_id.get(item.id)
        billed = (row.prompt_tokens, row.completion_tokens) if row and not row.failed else (0, 0)
        if counted != billed:
            faults.append(f"{item.id or item.marker}: the model counted {counted} tokens, the ledger {billed}")
    return faults


def _report(result: Result, kind: str, mine: t.Sequence[Purchase], rows: t.Sequence[Row]) -> None:
    spend = math.fsum(row.spend for row in rows)
    exact = math.fsum(item.model.cost(*item.told) for item in mine if item.told)
    bound = {COMPLETED: exact, CANCELLED: math.fsum(item.dearest for item in mine), FAILED: 0.0}[kind]
    tokens = [sum(row.prompt_tokens for row in rows), sum(row.completion_tokens for row in rows)]
    result.table.append([kind, len(mine), len(rows), *tokens, round(spend, 12), round(bound, 12)])
    result.facts.append(f"{len(mine)} {kind}: {len(rows)} rows, {sum(tokens)} tokens, ${spend:.8f}")
    if kind != COMPLETED:
        result.facts[-1] += f" (bound ${bound:.8f})"
    if spend > bound and not same(spend, bound):
        result.faults.append(f"{kind} requests cost ${spend:.8f}, the bound is ${bound:.8f}")


def _sums(result: Result, purchases: t.Sequence[Purchase], ledger: Ledger) -> None:
    by_key: dict[str, list[float]] = {}
    by_team: dict[str, list[float]] = {}
    teams = {item.key.hash: item.key.team.id for item in purchases}
    for row in ledger.rows:
        by_key.setdefault(row.key, []).append(row.spend)
        by_team.setdefault(teams.get(row.key, ""), []).append(row.spend)
    for label, kept, rows in (("key", ledger.key_spend, by_key), ("team", ledger.team_spend, by_team)):
        faults = [
            f"${kept.get(name, 0.0)!r} kept, its rows sum up to ${math.fsum(spends)!r}"
            for name, spends in rows.items()
            if not same(kept.get(name, 0.0), math.fsum(spends))
        ]
        result.collect(f"spend of a {label}", faults)
    result.dollars = {
        "told to clients": math.fsum(item.model.cost(*item.told) for item in purchases if item.told),
        "ledger, completed": math.fsum(
            row.spend for row in ledger.rows if row.id in {item.id for item in purchases if item.told}
        ),
        "ledger, all": math.fsum(row.spend for row in ledger.rows),
        "kept by keys": math.fsum(ledger.key_spend.values()),
        "kept by teams": math.fsum(ledger.team_spend.values()),
    }


def counted(purchases: t.Sequence[Purchase], ledger: Ledger, deltas: t.Mapping[str, Counts]) -> Result:
    """The models' side by their counters alone: exact where nobody else asked meanwhile, else a reason."""
    result = Result()
    for name, delta in deltas.items():
        rows = [row for row in ledger.rows if row.model == name and not row.failed]
        tokens = (sum(row.prompt_tokens for row in rows), sum(row.completion_tokens for row in rows))
        theirs = (delta.prompt_tokens, delta.completion_tokens)
        if delta.requests != len(rows):
            result.faults.append(
                f"{name} finished {delta.requests} requests, {len(rows)} are in the ledger of our keys: others used it"
                " meanwhile, or something is not booked"
            )
        elif tokens != theirs:
            result.faults.append(f"{name} counted {theirs} tokens, the ledger {tokens}")
        else:
            result.facts.append(f"{name}'s counters agree: {delta.requests} requests, {sum(theirs)} tokens")
    missing = {item.model.name for item in purchases} - set(deltas)
    result.collect("models that could not be asked what they counted", sorted(missing))
    return result


def same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
