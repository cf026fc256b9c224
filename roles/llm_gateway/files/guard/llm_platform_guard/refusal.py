# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A refusal, worded as OpenAI's API words it, so that every client library understands it."""

from __future__ import annotations

import json
import typing as t


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
        kind = "authentication_error" if self.status == 401 else "invalid_request_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode()


def wrong(param: str, expected: str, given: object) -> RefusalError:
    """A value that is not what it must be. Only its type is quoted: what clients send is not echoed to logs."""
    shown = given if isinstance(given, (bool, int, float)) else type(given).__name__
    return RefusalError(400, f"{param} must be {expected}, got {shown}", param=param, code="invalid_value")
