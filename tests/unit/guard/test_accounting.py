# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is reserved for a prompt is never less than it can cost, and a budget that was reset stays reset."""

from __future__ import annotations

import asyncio
import json
import types
import typing as t

import pytest

PROMPT = "Name the seven colours. \U0001f9ff!?;"


class Cache:
    def __init__(self, **entries: float) -> None:
        self.entries = dict(entries)

    def delete_cache(self, key: str) -> None:
        self.entries.pop(key, None)


class Ledger:
    """The database's row of one counter."""

    def __init__(self, spend: float | None) -> None:
        self.spend = spend

    async def from_db(self, prisma_client: t.Any, counter_key: str) -> float | None:
        assert (prisma_client, counter_key) == ("prisma", "spend:team:a")
        return self.spend


def proxy(spend: float | None) -> tuple[t.Any, list[float]]:
    raised: list[float] = []

    async def repair(counter_key: str, db_spend: float) -> None:
        assert counter_key == "spend:team:a"
        raised.append(db_spend)

    module = types.SimpleNamespace(
        prisma_client="prisma",
        spend_counter_cache=types.SimpleNamespace(in_memory_cache=Cache(**{"spend_db_floor:spend:team:a": 5.0})),
        SpendCounterReseed=Ledger(spend),
        _repair_stale_spend_counter=repair,
    )
    return module, raised


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": PROMPT}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]},
        {"prompt": PROMPT},
        {"input": [PROMPT, "more"]},
        {"input": "short", "instructions": PROMPT},
        {"messages": [], "tools": [{"type": "function", "function": {"description": PROMPT}}]},
    ],
)
def test_a_text_is_reserved_by_its_bytes_wherever_it_stands(body: dict[str, t.Any]) -> None:
    from llm_platform_guard.accounting import most_tokens

    assert most_tokens({"model": "chat", **body}) >= len(PROMPT.encode())


def test_tokens_that_come_as_numbers_are_one_each() -> None:
    from llm_platform_guard.accounting import most_tokens

    assert most_tokens({"prompt": [100_000, 2, 3]}) - most_tokens({}) == 3
    assert most_tokens({"prompt": [[100_000, 2], [3]]}) - most_tokens({}) == 3


def test_tools_are_reserved_as_they_are_written_out() -> None:
    from llm_platform_guard.accounting import most_tokens

    schema = {"enum": [123_456_789] * 50, "properties": {f"p{number}": {} for number in range(50)}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    assert most_tokens({"tools": tools}) >= len(json.dumps(tools))


def test_what_is_no_prompt_is_not_reserved() -> None:
    from llm_platform_guard.accounting import most_tokens

    assert most_tokens({"model": "x" * 500, "stream": True, "max_tokens": 512}) == most_tokens({})


def test_the_reservation_counts_bytes_for_every_model_that_may_answer() -> None:
    from llm_platform_guard.accounting import mend_reservation, most_tokens

    async def tokenizer(**_arguments: t.Any) -> t.Mapping[str, int]:
        return {"a": 1}

    module: t.Any = types.SimpleNamespace(
        count_request_input_tokens=tokenizer, _get_request_models=lambda **_arguments: ("a", "b")
    )
    mend_reservation(module)
    once = module.count_request_input_tokens
    mend_reservation(module)
    assert module.count_request_input_tokens is once
    body = {"prompt": PROMPT}
    counts = asyncio.run(module.count_request_input_tokens(request_body=body, route="/v1/completions", llm_router=None))
    assert counts == {"a": most_tokens(body), "b": most_tokens(body)}


def test_a_counter_is_not_raised_to_what_the_database_no_longer_says() -> None:
    from llm_platform_guard.accounting import mend_turn

    module, raised = proxy(spend=0.0)
    mend_turn(module)
    asyncio.run(module._repair_stale_spend_counter(counter_key="spend:team:a", db_spend=5.0))
    assert raised == [0.0]
    assert module.spend_counter_cache.in_memory_cache.entries == {}


@pytest.mark.parametrize("spend", [5.0, 7.0, None], ids=["the same", "more", "no answer"])
def test_a_counter_that_forgot_is_raised_as_before(spend: float | None) -> None:
    from llm_platform_guard.accounting import mend_turn

    module, raised = proxy(spend)
    mend_turn(module)
    mend_turn(module)
    asyncio.run(module._repair_stale_spend_counter(counter_key="spend:team:a", db_spend=5.0))
    assert raised == [5.0]
    assert module.spend_counter_cache.in_memory_cache.entries == {"spend_db_floor:spend:team:a": 5.0}


@pytest.mark.parametrize("name", ["mend_reservation", "mend_turn"])
def test_an_unknown_litellm_does_not_start(name: str) -> None:
    from llm_platform_guard import accounting

    with pytest.raises(accounting.NotMendedError, match="does not know this LiteLLM"):
        getattr(accounting, name)(types.SimpleNamespace())
