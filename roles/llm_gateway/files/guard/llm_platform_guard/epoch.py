# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the replicas tell each other through Redis.

The epoch is a key beside the counters that says that they are whole: it goes when they go. It never expires, and with
it stands which replicas' books were in the counters when it began.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

EPOCH: t.Final = "llm-platform:epoch"
MEMBERS: t.Final = "llm-platform:epoch-members"
REPLICAS: t.Final = "llm-platform:replicas"
# Those that LiteLLM reads again from the database.
COUNTERS: t.Final = tuple(f"spend:{kind}:*" for kind in ("key", "team", "team_member", "user", "org", "project"))


@dataclass(frozen=True, slots=True)
class Word:
    """What a replica says of itself. `beat` grows as long as it lives, `stamp` is that of its books once they are
    closed and all they had to write is in the database; `owed` is then what is still reserved in them."""

    beat: int
    stamp: str | None = None
    owed: t.Mapping[str, float] = field(default_factory=dict)

    def text(self) -> str:
        return json.dumps({"beat": self.beat, "stamp": self.stamp, "owed": dict(self.owed)})


def _word(text: str | bytes) -> Word:
    return Word(**json.loads(text))


def _plain(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Shared:
    """`client` gives the client of redis-py for the running loop, `named` a key's whole name."""

    def __init__(self, client: t.Callable[[], t.Any], named: t.Callable[[str], str]) -> None:
        self._client = client
        self._named = named

    async def current(self) -> str | None:
        found = await self._client().get(self._named(EPOCH))
        return None if found is None else _plain(found)

    async def exchange(self, me: str, word: Word) -> tuple[str | None, dict[str, Word]]:
        """Say one's word; hear the epoch and everybody's words."""
        async with self._client().pipeline(transaction=False) as pipe:
            pipe.hset(self._named(REPLICAS), me, word.text())
            pipe.get(self._named(EPOCH))
            pipe.hgetall(self._named(REPLICAS))
            _set, epoch, words = await pipe.execute()
        return (
            None if epoch is None else _plain(epoch),
            {_plain(name): _word(text) for name, text in words.items()},
        )

    async def members(self) -> dict[str, str]:
        found = await self._client().hgetall(self._named(MEMBERS))
        return {_plain(name): _plain(stamp) for name, stamp in found.items()}

    async def forget(self, names: t.Collection[str]) -> None:
        await self._client().hdel(self._named(REPLICAS), *names)

    async def revoke(self) -> None:
        await self._client().delete(self._named(EPOCH))

    async def begin(
        self, epoch: str, members: t.Mapping[str, str], counters: t.Mapping[str, float], seconds: int | None
    ) -> bool:
        """Make the counters anew and the epoch with them, at once and only if nobody else did.

        What the replicas said goes too: nobody may take it for what they say of the next epoch.
        """
        client = self._client()
        stale = [key for pattern in COUNTERS async for key in client.scan_iter(match=self._named(pattern), count=1000)]
        async with client.pipeline(transaction=True) as pipe:
            await pipe.watch(self._named(EPOCH))
            if await pipe.get(self._named(EPOCH)) is not None:
                return False
            words = {_plain(name): _word(text) for name, text in (await pipe.hgetall(self._named(REPLICAS))).items()}
            if {name: words[name].stamp for name in members if name in words} != dict(members):
                return False
            pipe.multi()
            pipe.delete(self._named(MEMBERS), self._named(REPLICAS), *stale)
            for name, value in counters.items():
                pipe.set(self._named(name), repr(value), ex=seconds)
            pipe.hset(self._named(MEMBERS), mapping=dict(members))
            pipe.set(self._named(EPOCH), epoch)
            await pipe.execute()
        return True
