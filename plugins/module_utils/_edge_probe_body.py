# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Is a body beyond the limit refused before LiteLLM has it? Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_stage import Stage

CLAIM: t.Final = Claim(
    "oversized-body-refused",
    "live",
    "A body beyond the limit is refused by each entrance with 413, whether its length was told or not.",
    "a good request gets 200, a body just within the limit is read by the guard, which finds no JSON in it; one byte"
    " more gets 413 from the entrance, with and without Content-Length",
)
_CHAT: t.Final = "/v1/chat/completions"
_CHUNK: t.Final = 1 << 16


def observe(stage: Stage) -> Observation:
    seen = stage.observation()
    model, most = stage.models[0].name, stage.limits.body_bytes
    key = stage.guests.guest([model]).value
    good = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    for entrance in stage.entrances:
        answered = entrance.send("POST", _CHAT, good, key=key)
        if answered.status != 200:
            seen.faults.append(f"{entrance.name}: control gave {answered.status} {answered.error.get('code', '')}")
        within = entrance.send("POST", _CHAT, b"x" * most, key=key)
        # Both may have the same limit, but only the guard looks into a body.
        if (within.status, within.error.get("code")) != (400, "invalid_json"):
            seen.faults.append(f"{entrance.name}: {most} bytes gave {within.status} {within.error.get('code', '')}")
        told = {}
        for how, headers, body in (
            ("told", {}, b"x" * (most + 1)),
            ("not told", {"transfer-encoding": "chunked"}, _chunked(most + 1)),
        ):
            reply = entrance.send("POST", _CHAT, body, key=key, headers=headers)
            told[how] = reply.status
            if reply.status != 413 or reply.error.get("code") != "request_too_large":
                code = reply.error.get("code", "")
                seen.faults.append(f"{entrance.name}: {most + 1} bytes, length {how}, gave {reply.status} {code}")
        seen.facts.append(
            f"{entrance.name}: a good request {answered.status}; {most} bytes of no JSON {within.status}; one more"
            f" {told['told']}, without its length {told['not told']}"
        )
    return seen


def _chunked(count: int) -> bytes:
    whole = [_CHUNK] * (count // _CHUNK) + ([count % _CHUNK] if count % _CHUNK else [])
    return b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in whole) + b"0\r\n\r\n"
