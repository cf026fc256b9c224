# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Mends what a tenant is told while the database takes another password than a replica has, or keeps the process from
starting.

That is so for seconds when the password is replaced. LiteLLM takes the database's refusal for the tenant's key's and
answers 401, which makes clients throw a good key away; it must be 503.
"""

from __future__ import annotations

import re
import typing as t

from .accounting import demand

# As Prisma says it, and as PostgreSQL does.
_REFUSED: t.Final = re.compile(
    r"authentication failed against (the )?database server|password authentication failed for user", re.IGNORECASE
)
_JUDGE: t.Final = "is_database_service_unavailable_error"


class Handler(t.Protocol):
    """What is used of litellm.proxy.db.exception_handler.PrismaDBExceptionHandler."""

    is_database_service_unavailable_error: t.Callable[[Exception], bool]


def mend() -> None:
    from litellm.proxy.db.exception_handler import PrismaDBExceptionHandler

    mend_judgement(t.cast("Handler", PrismaDBExceptionHandler))


def mend_judgement(handler: Handler) -> None:
    """A second call changes nothing."""
    demand(handler, _JUDGE)
    original = handler.is_database_service_unavailable_error
    if getattr(original, "mended", False):
        return

    def unavailable(e: Exception) -> bool:
        return original(e) or bool(_REFUSED.search(str(e)))

    unavailable.mended = True  # type: ignore[attr-defined]
    setattr(handler, _JUDGE, staticmethod(unavailable))
