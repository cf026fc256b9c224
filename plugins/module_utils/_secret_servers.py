# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Tells PostgreSQL and Redis their new password, by their own clients inside their pods. Private to the collection."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import ExecError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import Done, Runner
    from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Pods

_ITERATIONS = 4096
# The password comes as the first line; what follows is the client's own input, so many bytes and then its end.
_PSQL = (
    'read -r PGPASSWORD && export PGPASSWORD && head -c "$2" | '
    'psql -X -q -w -v ON_ERROR_STOP=1 -h 127.0.0.1 -U "$1" -d postgres'
)
_REDIS = 'read -r REDISCLI_AUTH && export REDISCLI_AUTH && head -c "$1" | redis-cli -h 127.0.0.1 --no-auth-warning'


def scram_verifier(password: bytes, salt: bytes | None = None) -> str:
    """What PostgreSQL stores of a password (RFC 5803); from it nobody can log in, so a log may hold it."""
    salt = salt if salt is not None else os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def change_postgresql(run: Runner, pods: Pods, user: str, known: Sequence[bytes], new: bytes) -> None:
    """The role's new password; `known` are those it may have now, of which one must be right."""
    statement = f"ALTER ROLE CURRENT_USER PASSWORD '{scram_verifier(new)}';\n"
    done: Done | None = None
    for password in known:
        done = run(pods, _PSQL, [user, str(len(statement))], f"{password.decode()}\n{statement}")
        if done.code == 0:
            return
        if "password authentication failed" not in done.errors:
            break
    raise ExecError(f"PostgreSQL did not take the new password of {user}: {_said(done, [*known, new])}")


def add_redis_password(run: Runner, pods: Pods, known: bytes, new: bytes) -> None:
    """From now on both passwords are right."""
    done = _redis(run, pods, known, f"ACL SETUSER default >{new.decode()}\n")
    if done.output.split() != ["OK"]:
        raise ExecError(f"Redis did not take its new password: {_said(done, [known, new])}")


def drop_redis_password(run: Runner, pods: Pods, new: bytes, old: bytes) -> None:
    """From now on only the new password is right."""
    done = _redis(run, pods, new, f"ACL SETUSER default <{old.decode()}\n")
    # After a restart in between it never knew the old one.
    if done.output.split() != ["OK"] and "does not exist" not in done.output:
        raise ExecError(f"Redis did not forget its old password: {_said(done, [new, old])}")


def _redis(run: Runner, pods: Pods, password: bytes, command: str) -> Done:
    """The client ends with 0 whatever the server says, so its output decides."""
    return run(pods, _REDIS, [str(len(command))], f"{password.decode()}\n{command}")


def _said(done: Done | None, hidden: Sequence[bytes]) -> str:
    """What the client wrote, on one line and without the passwords."""
    text = " ".join(f"{done.errors} {done.output}".split())[:300] if done else "no password is known"
    for value in hidden:
        text = text.replace(value.decode(), "********")
    return text or f"exit code {done.code if done else 0}"
