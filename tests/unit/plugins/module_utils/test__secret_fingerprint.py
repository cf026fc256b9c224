# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is remembered tells this value from any other, and does not tell the value."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_fingerprint import (
    FingerprintError,
    fingerprint,
    matches,
)


def test_only_the_same_value_matches() -> None:
    recorded = fingerprint(b"sk-first")
    assert matches(recorded, b"sk-first")
    assert not matches(recorded, b"sk-second")
    assert not matches(recorded, b"")


def test_the_same_value_looks_different_each_time() -> None:
    assert fingerprint(b"sk-first") != fingerprint(b"sk-first")


def test_no_plain_hash_of_the_value_is_in_it() -> None:
    recorded = fingerprint(b"sk-first").decode()
    assert hashlib.sha256(b"sk-first").hexdigest() not in recorded
    assert "sk-first" not in recorded


def test_the_cost_it_was_made_with_is_the_one_it_is_checked_with() -> None:
    salt = bytes(16)
    cheap = hashlib.scrypt(b"sk-first", salt=salt, n=2**4, r=8, p=1, dklen=32).hex()
    assert matches(f"scrypt$16$8$1${salt.hex()}${cheap}".encode(), b"sk-first")


@pytest.mark.parametrize("recorded", [b"", b"plain$1", b"scrypt$x$8$1$00$00", b"md5$1$1$1$00$00", b"\xff"])
def test_what_cannot_be_read_is_an_error_and_no_match(recorded: bytes) -> None:
    with pytest.raises(FingerprintError, match="restore it from a backup"):
        matches(recorded, b"sk-first")
