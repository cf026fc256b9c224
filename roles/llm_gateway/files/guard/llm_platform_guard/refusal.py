# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A refusal, worded as OpenAI's API words it, so that every client library understands it."""

from __future__ import annotations

import json
import typing as t

INTERNAL: t.Final = 500
"""From here on it is not the client's fault."""

_SOON: t.Final = {"retry-after": "1"}
_KINDS: t.Final = {401: "authentication_error"}


class RefusalError(Exception):
    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        kind = "server_error" if self.status >= INTERNAL else _KINDS.get(self.status, "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode()


def unavailable() -> RefusalError:
    return RefusalError(
        503, "The gateway cannot let requests in at the moment, try again", code="unavailable", headers=_SOON
    )


def broken(status: int) -> RefusalError:
    """Instead of an error whose text was not meant for clients."""
    said = {
        502: "The model did not answer",
        503: "The model or the gateway is not available at the moment, try again",
        504: "The model did not answer in time",
    }
    return RefusalError(
        status,
        said.get(status, "The request could not be answered"),
        code="unavailable" if status == 503 else None,
        headers=_SOON if status == 503 else None,
    )


def wrong(param: str, expected: str, given: object) -> RefusalError:
    """A value that is not what it must be. Only its type is quoted: what clients send is not echoed to logs."""
    shown = given if isinstance(given, (bool, int, float)) else type(given).__name__
    return RefusalError(400, f"{param} must be {expected}, got {shown}", param=param, code="invalid_value")
