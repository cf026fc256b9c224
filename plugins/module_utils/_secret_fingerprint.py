# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Remembers a value that must never change, without keeping the value. Private to the collection."""

from __future__ import annotations

import hashlib
import hmac
import os
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import PLATFORM, Ref

# A Secret, although what it holds gives nothing away: data is kept by prune and teardown until it is named.
NAME: t.Final = f"{PLATFORM}-fingerprints"
# 16 MiB and some 50 ms a guess; a generated value has 256 bits and needs none of it, a chosen one may.
_COST, _BLOCK, _LANES = 2**14, 8, 1
_MEMORY = 64 * 2**20


class FingerprintError(Exception):
    """What is remembered cannot be read."""


def ref_in(home: str) -> Ref:
    return Ref("", "v1", "Secret", home, NAME)


def fingerprint(value: bytes, salt: bytes | None = None) -> bytes:
    """`scrypt$<cost>$<block>$<lanes>$<salt>$<digest>`; differs each time unless the salt is given."""
    salt = salt if salt is not None else os.urandom(16)
    return "$".join(["scrypt", str(_COST), str(_BLOCK), str(_LANES), salt.hex(), _digest(value, salt)]).encode()


def matches(recorded: bytes, value: bytes) -> bool:
    """Whether this is the value that was remembered."""
    try:
        kind, cost, block, lanes, salt, digest = recorded.decode().split("$")
        if kind != "scrypt":
            raise ValueError(kind)
        computed = _digest(value, bytes.fromhex(salt), int(cost), int(block), int(lanes))
    except (ValueError, UnicodeDecodeError) as exc:
        raise FingerprintError(f"Secret {NAME} holds a fingerprint of another form; restore it from a backup") from exc
    return hmac.compare_digest(computed, digest)


def _digest(value: bytes, salt: bytes, cost: int = _COST, block: int = _BLOCK, lanes: int = _LANES) -> str:
    return hashlib.scrypt(value, salt=salt, n=cost, r=block, p=lanes, maxmem=_MEMORY, dklen=32).hex()
