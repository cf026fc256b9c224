# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which headers pass, in both directions.

LiteLLM takes keys, identities, tags, timeouts and retries from many request headers, and tells upstream addresses in
those of its answers: a list of what may pass outlives its next invention, a list of what may not does not.
"""

from __future__ import annotations

import re
import typing as t

from .refusal import RefusalError

Headers = t.Iterable[tuple[bytes, bytes]]

REQUEST: t.Final = frozenset({b"host", b"accept"})
RESPONSE: t.Final = frozenset(
    {
        b"cache-control",
        b"content-length",
        b"content-type",
        b"date",
        b"retry-after",
        b"server",
        b"vary",
        b"www-authenticate",
        b"x-accel-buffering",
        b"x-litellm-attempted-fallbacks",
        b"x-litellm-attempted-retries",
        b"x-litellm-call-id",
        b"x-litellm-key-max-budget",
        b"x-litellm-key-spend",
        b"x-litellm-model-group",
        b"x-litellm-overhead-duration-ms",
        b"x-litellm-response-cost",
        b"x-litellm-response-duration-ms",
    }
)
RESPONSE_PREFIXES: t.Final = (b"x-ratelimit-",)
RETRY: t.Final = b"retry-after"
UPSTREAM_RETRY: t.Final = b"llm_provider-retry-after"
LONGEST_KEY: t.Final = 512

_BEARER = re.compile(rb"(?i:bearer) +(?P<key>[\x21-\x7e]{1,%d})" % LONGEST_KEY)


def bearer(headers: Headers) -> bytes | None:
    """The key of a request. Two of them would let one component check what another one does not use."""
    given = [value for name, value in headers if name.lower() == b"authorization"]
    if len(given) > 1:
        raise RefusalError(400, "There is more than one Authorization header", code="invalid_header")
    if not given:
        return None
    found = _BEARER.fullmatch(given[0].strip())
    if not found:
        raise RefusalError(401, "The Authorization header must be: Bearer <key>", code="invalid_api_key")
    return found["key"]


def request(headers: Headers, key: bytes | None, length: int | None) -> list[tuple[bytes, bytes]]:
    """What LiteLLM may see; length is that of the body as it was written anew."""
    kept = [(name.lower(), value) for name, value in headers if name.lower() in REQUEST]
    if key is not None:
        kept.append((b"authorization", b"Bearer " + key))
    if length is not None:
        kept += [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    return kept


def demand_json(headers: Headers) -> None:
    kinds = [value for name, value in headers if name.lower() == b"content-type"]
    plain = {value.partition(b";")[0].strip().lower() for value in kinds}
    if plain != {b"application/json"}:
        raise RefusalError(415, "The body must be JSON: Content-Type: application/json", code="unsupported_media_type")
    codings = {value.strip().lower() for name, value in headers if name.lower() == b"content-encoding"}
    if codings - {b"identity", b""}:
        raise RefusalError(415, "A compressed body is not accepted", code="unsupported_media_type")


def declared_length(headers: Headers) -> int:
    values = {value.strip() for name, value in headers if name.lower() == b"content-length"}
    if not values:
        return 0
    if len(values) > 1 or not (value := values.pop()).isdigit():
        raise RefusalError(400, "Content-Length must be one number", code="invalid_header")
    return int(value)


def response(headers: Headers) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    kept = [
        (name, value) for name, value in given if name.lower() in RESPONSE or name.lower().startswith(RESPONSE_PREFIXES)
    ]
    if all(name.lower() != RETRY for name, _value in kept):
        # LiteLLM passes on what a model's gateway says of it under a name that no client knows.
        kept += [(RETRY, value) for name, value in given if name.lower() == UPSTREAM_RETRY and value.isdigit()][:1]
    return kept
