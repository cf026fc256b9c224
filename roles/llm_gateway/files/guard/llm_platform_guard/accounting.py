# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Mends two things in how LiteLLM keeps budgets, or keeps the process from starting.

What a request may cost is reserved before the model is asked. LiteLLM counts the prompt with a tokenizer that is not
the model's: a text that it counts shorter is let in too often while many come at once. No tokenizer makes more tokens
than the text has bytes, so the bytes are reserved; what was too much is given back with the answer.

When a budget's period turns, LiteLLM drops the counter, but every process remembers for some seconds what the
database said before, and raises the new counter to it: the tenant stays refused in a period that has just begun. Before
a counter is raised, the database is asked again.
"""

from __future__ import annotations

import json
import typing as t

Counts = t.Mapping[str, int]
# A chat template may put words of its own before the first message and after the last one.
_AROUND: t.Final = 64
# What a request says about itself is in no prompt.
_SETTINGS: t.Final = frozenset(
    {"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature"}
)
_REMEMBERED: t.Final = "spend_db_floor:"


class NotMendedError(Exception):
    """This LiteLLM is not the one that the guard knows."""


class Reservation(t.Protocol):
    """What is used of litellm.proxy.spend_tracking.budget_reservation."""

    count_request_input_tokens: t.Callable[..., t.Awaitable[Counts]]
    _get_request_models: t.Callable[..., t.Sequence[str]]


class Proxy(t.Protocol):
    """What is used of litellm.proxy.proxy_server."""

    prisma_client: t.Any
    spend_counter_cache: t.Any
    SpendCounterReseed: t.Any
    _repair_stale_spend_counter: t.Callable[..., t.Awaitable[None]]


def mend() -> None:
    from litellm.proxy import proxy_server
    from litellm.proxy.spend_tracking import budget_reservation

    mend_reservation(t.cast("Reservation", budget_reservation))
    mend_turn(t.cast("Proxy", proxy_server))


def mend_reservation(module: Reservation) -> None:
    """A second call changes nothing."""
    demand(module, "count_request_input_tokens", "_get_request_models")
    if getattr(module.count_request_input_tokens, "mended", False):
        return

    async def count(
        request_body: dict[str, t.Any], route: str, llm_router: object, raw_body: bytes | None = None
    ) -> Counts:
        del raw_body
        models = module._get_request_models(request_body=request_body, route=route, llm_router=llm_router)  # noqa: SLF001
        return dict.fromkeys(models, most_tokens(request_body))

    count.mended = True  # type: ignore[attr-defined]
    module.count_request_input_tokens = count


def most_tokens(body: t.Mapping[str, t.Any]) -> int:
    """More tokens than any tokenizer makes of this request's prompt."""
    return _AROUND + sum(_tokens(value) for name, value in body.items() if name not in _SETTINGS)


def _tokens(value: object) -> int:
    """The bytes of its JSON: a template writes tools out as JSON, and around a message less than JSON does."""
    if isinstance(value, list) and value:
        if all(isinstance(one, int) for one in value):
            return len(value)
        if all(isinstance(one, list) for one in value):
            return sum(_tokens(one) for one in value)
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def mend_turn(module: Proxy) -> None:
    """A second call changes nothing."""
    demand(module, "prisma_client", "spend_counter_cache", "SpendCounterReseed", "_repair_stale_spend_counter")
    original = module._repair_stale_spend_counter  # noqa: SLF001
    if getattr(original, "mended", False):
        return

    async def repair(counter_key: str, db_spend: float) -> None:
        now = await module.SpendCounterReseed.from_db(prisma_client=module.prisma_client, counter_key=counter_key)
        if now is not None and now < db_spend:
            module.spend_counter_cache.in_memory_cache.delete_cache(key=_REMEMBERED + counter_key)
            db_spend = now
        await original(counter_key=counter_key, db_spend=db_spend)

    repair.mended = True  # type: ignore[attr-defined]
    module._repair_stale_spend_counter = repair  # noqa: SLF001


def demand(module: object, *names: str) -> None:
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        raise NotMendedError(f"{module} has no {', '.join(missing)}: this guard does not know this LiteLLM")
