# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Buy answers with several keys, then see that clients, ledger and models agree on them. Private to the collection."""

from __future__ import annotations

import itertools
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_ledger import (
    CANCELLED,
    COLUMNS,
    COMPLETED,
    FAILED,
    Ledger,
    Purchase,
    Result,
    Row,
    counted,
    reconcile,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    Admin,
    Key,
    Model,
    Replica,
    Stage,
    ask,
    good,
    marked,
    spent_by,
    verdict,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import (
    Counts,
    Outcome,
    new_marker,
)

SPEND: t.Final = Claim(
    "spend-reconciles",
    "live",
    "The ledger agrees with what clients were told and what the models counted.",
    "tokens x price of each completed request exact in the ledger, in what its client was told, in what its key and"
    " team spent and in what the model counted; cancelled requests cost what the model did, failed ones nothing",
)
# Fewer than a simulator's log holds, so that nothing of a round is lost before it is read.
_ROUND: t.Final = 100
_LEAVE_AFTER: t.Final = 2
# Every engine refuses to stop at an empty word.
_REFUSED: t.Final = {"stop": [""]}


@dataclass(frozen=True, slots=True)
class _Order:
    kind: str
    stream: bool
    replica: Replica
    model: Model
    key: Key


@dataclass(slots=True)
class _Book:
    """What was bought, and what the models say about it."""

    purchases: list[Purchase] = field(default_factory=list)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    deltas: dict[str, Counts] = field(default_factory=dict)
    logged: bool = True
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def observe_spend(stage: Stage, bought: t.Callable[[], None] = lambda: None) -> Observation:
    """`bought` is called when the models' counters may move again."""
    seen = stage.observation()
    try:
        book = _buy(stage)
    finally:
        bought()
    seen.faults += book.faults
    ended = time.monotonic()
    until = ended + stage.effort.ledger_seconds
    agreed: float | None = None
    while True:
        ledger = _fetch(stage, {item.key for item in book.purchases})
        result = _compare(book, ledger)
        now = time.monotonic()
        # What is booked twice may come after what is booked once.
        agreed = None if result.faults else agreed or now
        if now >= until or (agreed is not None and now - agreed >= stage.effort.confirm):
            break
        time.sleep(stage.effort.pause)
    seen.faults += result.faults
    seen.facts += result.facts
    if agreed is not None:
        seen.facts.append(f"bought in {book.seconds:.1f} s, the ledger agreed {agreed - ended:.1f} s later")
    seen.table = {"columns": list(COLUMNS), "rows": result.table}
    seen.series["ledger_usd"] = {name: round(value, 12) for name, value in result.dollars.items()}
    return seen


def _compare(book: _Book, ledger: Ledger) -> Result:
    result = reconcile(book.purchases, ledger, book.outcomes if book.logged else None)
    by_counters = counted(book.purchases, ledger, book.deltas)
    result.facts += by_counters.facts
    if book.logged:
        # The log tells whose request it was, so that others' requests do no harm.
        result.facts += by_counters.faults
    else:
        result.facts.append("the models keep no log of requests, so their counters are compared, not each request")
        result.faults += by_counters.faults
    return result


def _buy(stage: Stage) -> _Book:
    orders = _orders(stage)
    book = _Book()
    began = time.monotonic()
    before = {model.name: model.witness.counts() for model in stage.models}
    with ThreadPoolExecutor(stage.effort.parallel) as pool:
        for batch in itertools.batched(orders, _ROUND):
            for order, (purchase, fault) in zip(
                batch, pool.map(lambda item: _carry_out(stage, item), batch), strict=True
            ):
                book.purchases.append(purchase)
                if fault:
                    book.faults.append(f"{order.replica.name}, {order.model.name}: {fault}")
            _ask_witnesses(stage, book, len(batch))
    for model in stage.models:
        first, last = before[model.name], model.witness.settled() if not book.logged else model.witness.counts()
        if first is not None and last is not None:
            book.deltas[model.name] = last - first
    book.seconds = time.monotonic() - began
    return book


def _ask_witnesses(stage: Stage, book: _Book, count: int) -> None:
    for model in stage.models:
        markers = {item.marker for item in book.purchases[-count:] if item.model is model}
        found = model.witness.finished(markers)
        if found is None:
            book.logged = False
        else:
            book.outcomes |= found


def _orders(stage: Stage) -> list[_Order]:
    """Both forms, every replica, every model and every key in turn; some hang up, some are refused by the model."""
    names = [model.name for model in stage.models]
    team, other = stage.guests.team(names), stage.guests.team(names)
    keys = [stage.guests.key(team), stage.guests.key(team), stage.guests.key(other)]
    ways = itertools.cycle(
        [
            (stream, replica, model, key)
            for model in stage.models
            for key in keys
            for replica in stage.replicas
            for stream in (False, True)
        ]
    )
    requests = stage.effort.requests
    made = [_Order(COMPLETED, *next(ways)) for _turn in range(requests)]
    ends = itertools.cycle(
        [(replica, model, key) for replica in stage.replicas for model in stage.models for key in keys]
    )
    made += [_Order(CANCELLED, True, *next(ends)) for _turn in range(max(4, requests // 10))]
    made += [_Order(FAILED, False, *next(ends)) for _turn in range(max(2, requests // 20))]
    return made


def _carry_out(stage: Stage, order: _Order) -> tuple[Purchase, str]:
    marker = new_marker()
    length = stage.effort.max_tokens
    more: dict[str, t.Any] = {}
    if order.kind == CANCELLED:
        more["leave_after"] = _LEAVE_AFTER
    if order.kind == FAILED:
        more["extra"] = _REFUSED
    answer = ask(order.replica, order.model.name, order.key.value, marked(marker), length, stream=order.stream, **more)
    told = (answer.prompt_tokens, answer.completion_tokens) if good(answer) and order.kind != CANCELLED else None
    fault = ""
    if order.kind == COMPLETED and told is None:
        fault = f"a request that had to be answered: {verdict(answer)} {answer.error if answer.status == 200 else ''}"
    elif order.kind == CANCELLED and answer.status != 200:
        fault = f"a request that was to be cancelled: {verdict(answer)}"
    elif order.kind == FAILED and answer.status == 200:
        fault = "a request that the model had to refuse was answered"
    return Purchase(order.kind, marker, answer.id, order.key, order.model, length, told), fault.strip()


def rows_of(admin: Admin, key: Key) -> list[Row]:
    """What the ledger has of the requests of a key."""
    found = admin.checked("GET", "/spend/logs", query={"api_key": key.hash})
    if not isinstance(found, list):
        raise ProbeError(f"GET /spend/logs answered {type(found).__name__}, not a list of rows")
    return [Row.of(item) for item in found]


def _fetch(stage: Stage, keys: t.Collection[Key]) -> Ledger:
    admin = stage.replicas[0].admin
    rows: list[Row] = []
    key_spend: dict[str, float] = {}
    team_spend: dict[str, float] = {}
    for key in keys:
        rows += rows_of(admin, key)
        key_spend[key.hash] = spent_by(admin, key)
    for team in {key.team.id for key in keys}:
        info = admin.checked("GET", "/team/info", query={"team_id": team})
        team_spend[team] = float(info["team_info"].get("spend") or 0.0)
    return Ledger(rows, key_spend, team_spend)
