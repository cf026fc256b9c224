# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs inside a pod of the gateway, so that nothing but the gateway is between this and the model.

Reads what to do as JSON, with the keys in it, from its standard input; writes milliseconds and counts as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import sys
import time
import typing as t

import aiohttp  # type: ignore[import-not-found,unused-ignore]  # a dependency of the gateway


class LoadError(Exception):
    """A request was not answered: nothing that is timed may fail."""


async def one(session: t.Any, side: dict[str, str], *, stream: bool) -> float:
    body: dict[str, t.Any] = {
        "model": side["model"],
        "messages": [{"role": "user", "content": "Name a colour."}],
        "max_tokens": 1,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    began = time.perf_counter()
    headers = {"Authorization": f"Bearer {side['key']}"}
    async with session.post(f"{side['url']}/v1/chat/completions", json=body, headers=headers) as response:
        text = await response.text()
        if response.status != 200 or (stream and "[DONE]" not in text):
            raise LoadError(f"{side['url']} answered {response.status}: {text[:200]}")
    return (time.perf_counter() - began) * 1000


def cpu_seconds() -> float:
    """What the gateway has used so far: it is the container's first process."""
    fields = pathlib.Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def latency(session: t.Any, side: dict[str, str], count: int, *, stream: bool) -> list[float]:
    return [await one(session, side, stream=stream) for _turn in range(count)]


async def rate(session: t.Any, side: dict[str, str], parallel: int, seconds: float) -> float:
    """Finished requests a second with that many on their way all the time."""
    began = time.perf_counter()
    until = began + seconds

    async def worker() -> int:
        done = 0
        while time.perf_counter() < until:
            await one(session, side, stream=False)
            done += 1
        return done

    done = sum(await asyncio.gather(*(worker() for _number in range(parallel))))
    return done / (time.perf_counter() - began)


async def main() -> None:
    wanted = json.load(sys.stdin)
    sides = wanted["sides"]
    results: dict[str, dict[str, list[t.Any]]] = {
        name: {side: [] for side in sides} for name in ("plain", "streamed", "rate", "cpu")
    }
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for side in sides.values():
            await latency(session, side, 5, stream=False)
        for pair in range(wanted["pairs"]):
            # The side that goes first changes with every pair.
            for name, side in list(sides.items())[:: 1 if pair % 2 == 0 else -1]:
                for form in ("plain", "streamed"):
                    before = cpu_seconds()
                    found = await latency(session, side, wanted["requests"], stream=form == "streamed")
                    results[form][name].append(found)
                    if form == "plain":
                        results["cpu"][name].append((cpu_seconds() - before) * 1000 / wanted["requests"])
                results["rate"][name].append(await rate(session, side, wanted["parallel"], wanted["seconds"]))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
