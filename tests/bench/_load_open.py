# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs inside a pod of the cluster: requests that arrive when they were planned to, whatever became of those before.

Reads its runs as JSON, with the key in it, from its standard input; writes for each of them a row of milliseconds a
request: to the first token and to the end, both since the planned time, and how late it was sent.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import typing as t

import aiohttp

Row = tuple[float, float, float]
# The machine has this long to forget the run before.
PAUSE = 1.0


class LoadError(Exception):
    """A request was not answered: nothing that is timed may fail."""


def words(seed: str, count: int) -> str:
    """Each is one token to the simulator."""
    draw = random.Random(seed)  # noqa: S311 - the same text for the same seed
    return " ".join(f"{draw.getrandbits(16):04x}" for _word in range(count))


def body(run: dict[str, t.Any], number: int) -> bytes:
    """Runs share no text, so that none finds what another one left in a cache."""
    _at, prefix, prefix_tokens, tokens, answer = run["arrivals"][number]
    beginning = words(f"{run['name']}-prefix-{prefix}", prefix_tokens)
    own = words(f"{run['name']}-{number}", tokens)
    return json.dumps(
        {
            "model": run["model"],
            "messages": [{"role": "user", "content": f"{beginning} {own}".strip()}],
            "max_tokens": answer,
            "ignore_eos": True,
            "stream": True,
        }
    ).encode()


def speaks(line: bytes) -> bool:
    """Whether an event has a token in it: the first one only opens the answer."""
    if not line.startswith(b"data: {"):
        return False
    choices = json.loads(line[6:]).get("choices") or [{}]
    return bool((choices[0].get("delta") or {}).get("content"))


async def one(session: t.Any, run: dict[str, t.Any], number: int, due: float, payload: bytes) -> Row:
    await asyncio.sleep(max(0.0, due - time.perf_counter()))
    late = time.perf_counter() - due
    headers = {"Authorization": f"Bearer {run['key']}", "Content-Type": "application/json"}
    first, last = 0.0, b""
    async with session.post(f"{run['url']}/v1/chat/completions", data=payload, headers=headers) as response:
        if response.status != 200:
            raise LoadError(f"{run['url']} answered {response.status}: {(await response.text())[:200]}")
        while not first and (line := await response.content.readline()):
            if speaks(line):
                first = time.perf_counter()
        async for chunk in response.content.iter_any():
            last = (last + chunk)[-64:]
    if not first or (b"[DONE]" not in last):
        raise LoadError(f"{run['url']}: the answer of request {number} has no end: {last!r}")
    return (first - due) * 1000, (time.perf_counter() - due) * 1000, late * 1000


async def carry_out(session: t.Any, run: dict[str, t.Any]) -> list[Row]:
    payloads = [body(run, number) for number in range(len(run["arrivals"]))]
    await asyncio.sleep(PAUSE)
    began = time.perf_counter()
    tasks = [
        asyncio.create_task(one(session, run, number, began + arrival[0], payloads[number]))
        for number, arrival in enumerate(run["arrivals"])
    ]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def warm(session: t.Any, run: dict[str, t.Any], patience: float) -> None:
    """Until policies and routes are known everywhere; and each replica is connected to."""
    until = time.perf_counter() + patience
    good = 0
    short = {**run, "name": f"warm-{run['name']}", "arrivals": [[0.0, -1, 0, 8, 4]]}
    while good < 12:
        try:
            await one(session, short, 0, time.perf_counter(), body(short, 0))
            good += 1
        except (LoadError, OSError, aiohttp.ClientError):
            if time.perf_counter() > until:
                raise
            await asyncio.sleep(1)


async def main() -> None:
    wanted = json.load(sys.stdin)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        for run in {run["url"]: run for run in wanted["runs"]}.values():
            await warm(session, run, wanted["patience"])
        json.dump([await carry_out(session, run) for run in wanted["runs"]], sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
