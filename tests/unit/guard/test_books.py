# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Closed books stand still, what they owe is what is reserved and not settled, and settling waits, but not for ever."""

from __future__ import annotations

import asyncio
import typing as t


def books(**more: t.Any) -> t.Any:
    from llm_platform_guard.books import Books

    return Books(60.0, **more)


def reservation(cost: float, *counters: str, **more: t.Any) -> dict[str, t.Any]:
    entries = [{"counter_key": name, "reserved_cost": cost, "applied_adjustment": 0.0} for name in counters]
    return {"reserved_cost": cost, "entries": entries, "finalized": False, **more}


def test_what_is_owed_is_summed_by_counter_until_it_is_settled() -> None:
    book = books()
    first, second = reservation(2.0, "key:a", "team:b"), reservation(1.0, "team:b")
    book.note(first)
    book.note(second)
    assert book.owed() == {"key:a": 2.0, "team:b": 3.0}
    first["finalized"] = True
    assert book.owed() == {"team:b": 1.0}


def test_what_was_settled_in_part_is_owed_in_part() -> None:
    book = books()
    held = reservation(2.0, "team:b")
    held["entries"][0]["applied_adjustment"] = -0.5
    book.note(held)
    assert book.owed() == {"team:b": 1.5}


def test_what_nobody_will_settle_any_more_is_not_owed() -> None:
    now = [0.0]
    book = books(clock=lambda: now[0])
    book.note(reservation(1.0, "team:b"))
    now[0] = 61.0
    assert book.owed() == {}


def test_settling_waits_for_closed_books_and_its_own_parts_do_not() -> None:
    async def play() -> list[str]:
        book, told = books(), list[str]()
        book.close()

        async def settle() -> None:
            async with book.settling():
                told.append("begun")
                book.close()
                async with book.settling():
                    told.append("inside")
                assert not book.quiet

        task = asyncio.create_task(settle())
        await asyncio.sleep(0.02)
        assert (told, book.quiet) == ([], True)
        book.reopen()
        await task
        assert book.quiet
        return told

    assert asyncio.run(play()) == ["begun", "inside"]


def test_books_that_could_not_stay_closed_get_another_stamp() -> None:
    async def play() -> tuple[str | None, str | None]:
        book = books(patience=0.01)
        book.close()
        before = book.stamp
        async with book.settling():
            pass
        return before, book.stamp

    before, after = asyncio.run(play())
    assert None not in {before, after}
    assert before != after


def test_each_closing_has_its_own_stamp_and_a_second_close_changes_nothing() -> None:
    book = books()
    assert book.stamp is None
    book.close()
    first = book.stamp
    book.close()
    assert book.stamp == first
    book.reopen()
    book.close()
    assert book.stamp not in {None, first}


def test_books_that_are_written_are_not_quiet() -> None:
    book = books()
    book.close()
    with book.writing():
        assert not book.quiet
    assert book.quiet
