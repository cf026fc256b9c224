# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The keeper is where LiteLLM reserves, settles and writes, or LiteLLM does not start."""

from __future__ import annotations

import asyncio
import types
import typing as t

import pytest

from .world import RefusedError


class Keeper:
    """One that says what it is told to."""

    def __init__(self, admits: bool = True, confirms: bool = True, loses: bool = False) -> None:
        from llm_platform_guard.books import Books

        self.books = Books(60.0)
        self.admits = admits
        self.confirms = confirms
        self.loses = loses

    async def confirm(self) -> None:
        from llm_platform_guard.keeper import ForgottenError

        if not self.confirms:
            self.admits = not self.loses
            raise ForgottenError


def reserving(reservation: t.Any) -> tuple[t.Any, list[t.Any]]:
    released: list[t.Any] = []

    async def reserve(**_request: t.Any) -> t.Any:
        return reservation

    async def release(budget_reservation: t.Any) -> None:
        released.append(budget_reservation)

    return types.SimpleNamespace(reserve_budget_for_request=reserve, release_budget_reservation=release), released


def reserve(keeper: Keeper, reservation: t.Any) -> tuple[t.Any, list[t.Any]]:
    from llm_platform_guard.hooks import keep_reserving

    module, released = reserving(reservation)
    keep_reserving(module, t.cast("t.Any", keeper), RefusedError)
    try:
        return asyncio.run(module.reserve_budget_for_request(route="/v1/chat/completions")), released
    except RefusedError:
        return "refused", released


def held() -> dict[str, t.Any]:
    return {"reserved_cost": 1.0, "entries": [{"counter_key": "team:a", "reserved_cost": 1.0}], "finalized": False}


def test_what_was_reserved_in_counters_that_live_is_noted() -> None:
    keeper, reservation = Keeper(), held()
    assert reserve(keeper, reservation) == (reservation, [])
    assert keeper.books.owed() == {"team:a": 1.0}


def test_nobody_reserves_while_nobody_is_let_in() -> None:
    keeper = Keeper(admits=False)
    assert reserve(keeper, held()) == ("refused", [])
    assert keeper.books.owed() == {}


def test_what_was_reserved_in_counters_that_are_gone_is_refused_and_forgotten() -> None:
    keeper = Keeper(confirms=False, loses=True)
    assert reserve(keeper, held()) == ("refused", [])
    assert keeper.books.owed() == {}


def test_what_was_reserved_in_counters_that_do_not_answer_is_given_back() -> None:
    keeper, reservation = Keeper(confirms=False), held()
    assert reserve(keeper, reservation) == ("refused", [reservation])
    assert keeper.books.owed() == {}


def test_who_has_no_budget_reserves_nothing_and_is_asked_nothing() -> None:
    assert reserve(Keeper(confirms=False), None) == (None, [])


@pytest.mark.parametrize("missing", ["reserving", "settling", "counting", "writer", "lock"])
def test_an_unknown_litellm_does_not_start(missing: str) -> None:
    from llm_platform_guard import hooks
    from llm_platform_guard.accounting import NotMendedError

    async def call(*_given: t.Any) -> None:
        """Something of LiteLLM."""

    def has(name: str, *attributes: str) -> t.Any:
        return types.SimpleNamespace(**({} if name == missing else dict.fromkeys(attributes, call)))

    keeper: t.Any = Keeper()
    reserving = has(
        "reserving", "reserve_budget_for_request", "release_budget_reservation", "reconcile_budget_reservation"
    )

    def wire() -> None:
        hooks.keep_reserving(reserving, keeper, RefusedError)
        hooks.keep_settling(
            reserving,
            has("settling", "_update_database_and_spend_counters"),
            has("counting", "_settle_spend_counter_increment"),
            keeper,
        )
        hooks.keep_writing(
            has("writer", "db_update_spend_transaction_handler", "_batch_database_updates"),
            t.cast("t.Any", type("Buffer", (), {})),
            has("lock", "acquire_lock", "release_lock"),
            keeper=keeper,
            ledger=t.cast("t.Any", None),
            kept=t.cast("t.Any", None),
            job="spend",
        )

    with pytest.raises(NotMendedError, match="does not know this LiteLLM"):
        wire()


def test_only_the_lock_of_the_sums_is_not_waited_for() -> None:
    from llm_platform_guard.hooks import keep_writing

    class Lock:
        async def acquire_lock(self, cronjob_id: str, ttl: int | None = None) -> str:
            return f"asked Redis for {cronjob_id} {ttl}"

        async def release_lock(self, cronjob_id: str) -> str:
            return f"released {cronjob_id}"

    class Writer:
        async def db_update_spend_transaction_handler(self) -> None: ...

        async def _batch_database_updates(self) -> None: ...

    keep_writing(
        t.cast("t.Any", Writer),
        t.cast("t.Any", type("Buffer", (), {})),
        t.cast("t.Any", Lock),
        keeper=t.cast("t.Any", Keeper()),
        ledger=t.cast("t.Any", types.SimpleNamespace(turn=asyncio.Lock())),
        kept=t.cast("t.Any", None),
        job="sums",
    )
    lock = Lock()

    async def ask() -> list[t.Any]:
        return [
            await lock.acquire_lock("sums"),
            await lock.release_lock("sums"),
            await lock.acquire_lock("other", ttl=5),
            await lock.release_lock("other"),
        ]

    assert asyncio.run(ask()) == [True, None, "asked Redis for other 5", "released other"]
