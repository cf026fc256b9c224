# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs inside a pod of the cluster: the same requests to each of some sides in turn, a new one when one is answered.

Reads what to do as JSON, with the keys in it, from its standard input; writes milliseconds and counts as JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
import typing as t

import aiohttp

# A side of `sides`: urls, which take turns, path, key, model; `host` where TLS and routes go by it.
Side = dict[str, t.Any]
COUNTED = re.compile(r"^vllm:request_success_total(?:\{[^}]*\})? (\S+)", re.MULTILINE)


class LoadError(Exception):
    """A request was not answered: nothing that is timed may fail."""


async def one(session: t.Any, side: Side, *, stream: bool = False) -> float:
    body: dict[str, t.Any] = {
        "model": side["model"],
        "messages": [{"role": "user", "content": "Name a colour."}],
        "max_tokens": 1,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    headers = {"Authorization": f"Bearer {side['key']}"}
    options: dict[str, t.Any] = {}
    if side.get("host"):
        headers["Host"] = side["host"]
        # Whether the certificate is the right one is not what is timed here.
        options = {"ssl": False, "server_hostname": side["host"]}
    url = f"{next(side['turns'])}{side['path']}/v1/chat/completions"
    began = time.perf_counter()
    async with session.post(url, json=body, headers=headers, **options) as response:
        text = await response.text()
        if response.status != 200 or (stream and "[DONE]" not in text):
            raise LoadError(f"{url} answered {response.status}: {text[:200]}")
    return (time.perf_counter() - began) * 1000


async def latency(session: t.Any, side: Side, count: int, *, stream: bool) -> list[float]:
    return [await one(session, side, stream=stream) for _turn in range(count)]


async def rate(session: t.Any, side: Side, parallel: int, seconds: float) -> float:
    """Finished requests a second with that many on their way all the time."""
    began = time.perf_counter()
    until = began + seconds

    async def worker() -> int:
        done = 0
        while time.perf_counter() < until:
            await one(session, side)
            done += 1
        return done

    done = sum(await asyncio.gather(*(worker() for _number in range(parallel))))
    return done / (time.perf_counter() - began)


async def answered(session: t.Any, url: str) -> float:
    """How many requests the model itself says that it has answered."""
    async with session.get(f"{url}/metrics") as response:
        return sum(float(found) for found in COUNTED.findall(await response.text()))


async def warm(session: t.Any, sides: dict[str, Side], model: str, patience: float) -> None:
    """Every side answers, and it is this model that does."""
    for name, side in sides.items():
        for turn in itertools.count():
            try:
                await one(session, side)
                break
            # Until policies and routes are known everywhere.
            except (LoadError, OSError, aiohttp.ClientError):
                if turn > patience:
                    raise
                await asyncio.sleep(1)
        before = await answered(session, model)
        await latency(session, side, 10, stream=False)
        if (found := await answered(session, model) - before) != 10:
            raise LoadError(f"of 10 requests to {name} the model answered {found:g}")


async def main() -> None:
    wanted = json.load(sys.stdin)
    sides: dict[str, Side] = wanted["sides"]
    for side in sides.values():
        side["turns"] = itertools.cycle(side["urls"])
    results: dict[str, dict[str, list[t.Any]]] = {
        form: {name: [] for name in sides} for form in ("plain", "streamed", "rate")
    }
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        await warm(session, sides, wanted["counted"], wanted["patience"])
        names = list(sides)
        for turn in range(wanted["rounds"]):
            # Everybody comes first, and everybody last, in one of so many rounds.
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                for form in ("plain", "streamed"):
                    found = await latency(session, sides[name], wanted["requests"], stream=form == "streamed")
                    results[form][name].append(found)
                results["rate"][name].append(await rate(session, sides[name], wanted["parallel"], wanted["seconds"]))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
