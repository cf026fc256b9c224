# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The allow-list: the only paths and methods that anyone but the holder of the master key may use.

LiteLLM serves most of them under several paths. Only these forms are open: what is not listed does not exist.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .refusal import RefusalError


class Kind(enum.Enum):
    """What happens to a request."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    MODELS = "models"
    PROBE = "probe"
    """Answered without a key, by a status alone."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    kind: Kind


READINESS: t.Final = "/health/readiness"
ROUTES: t.Final = (
    Route("POST", "/v1/chat/completions", Kind.CHAT),
    Route("POST", "/v1/completions", Kind.COMPLETIONS),
    Route("POST", "/v1/embeddings", Kind.EMBEDDINGS),
    Route("POST", "/v1/responses", Kind.RESPONSES),
    Route("GET", "/v1/models", Kind.MODELS),
    Route("GET", "/health/liveliness", Kind.PROBE),
    Route("GET", READINESS, Kind.PROBE),
)


def find(method: str, path: str) -> Route:
    """The route of a request. A path that is not there and a method that a path does not take are told apart."""
    at_path = [route for route in ROUTES if route.path == path]
    if not at_path:
        raise RefusalError(404, f"Unknown request URL: {method} {path[:200]}", code="unknown_url")
    for route in at_path:
        if route.method == method:
            return route
    allowed = ", ".join(route.method for route in at_path)
    raise RefusalError(
        405, f"{path} takes {allowed}, not {method}", code="method_not_allowed", headers={"allow": allowed}
    )


def unknown_model() -> RefusalError:
    return RefusalError(
        404, "The model does not exist or you do not have access to it", param="model", code="model_not_found"
    )
