# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A database that refuses the gateway's own password is an outage, not the tenant's fault."""

from __future__ import annotations

import types
import typing as t

import pytest

REFUSED = [
    "Authentication failed against database server, the provided database credentials for `litellm` are not valid.",
    "Authentication failed against the database server, the provided database credentials are not valid",
    'password authentication failed for user "litellm"',
]


def handler() -> t.Any:
    """LiteLLM's class, which is never instantiated; it knows a lost connection and nothing else."""

    class Handler:
        @staticmethod
        def is_database_service_unavailable_error(e: Exception) -> bool:
            return isinstance(e, ConnectionError)

    return Handler


@pytest.mark.parametrize("message", REFUSED)
def test_a_refused_login_is_an_outage(message: str) -> None:
    from llm_platform_guard.outages import mend_judgement

    known = handler()
    assert not known.is_database_service_unavailable_error(ValueError(message))
    mend_judgement(known)
    assert known.is_database_service_unavailable_error(ValueError(message))


def test_what_was_an_outage_stays_one_and_a_wrong_key_is_none() -> None:
    from llm_platform_guard.outages import mend_judgement

    known = handler()
    mend_judgement(known)
    once = known.is_database_service_unavailable_error
    mend_judgement(known)
    assert known.is_database_service_unavailable_error is once
    assert known.is_database_service_unavailable_error(ConnectionError())
    assert not known.is_database_service_unavailable_error(ValueError("Invalid proxy server token"))


def test_an_unknown_litellm_does_not_start() -> None:
    from llm_platform_guard import accounting, outages

    with pytest.raises(accounting.NotMendedError, match="does not know this LiteLLM"):
        outages.mend_judgement(t.cast("t.Any", types.SimpleNamespace()))
