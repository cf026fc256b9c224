# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts LiteLLM as its own command does, but without a step that shows the database's password.

A server that must not migrate compares database and schema instead, and for that hands the database's URL, password and
all, to another program as an argument, which whoever lists processes can read. The migration has run before.

It also ends at once when it has ended: a container's first process is not ended by the signal that uvicorn hands on, so
Python would take LiteLLM apart object by object, for many seconds of processor time, while a rollout waits.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import typing as t

from litellm import run_server
from litellm.proxy.db import check_migration


def skip(db_url: str | None = None) -> None:
    """Stand in for the comparison."""


def leave(code: int) -> t.NoReturn:
    """As the interpreter does, but without freeing what the kernel frees anyway."""
    atexit._run_exitfuncs()  # noqa: SLF001 - LiteLLM's last callbacks are among them
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> int:
    """Run the server until it ends."""
    if not callable(getattr(check_migration, "check_prisma_schema_diff", None)):
        # Under another name it would run, and nobody would notice.
        print("llm_platform_guard.serve: this LiteLLM has no check_prisma_schema_diff to skip", file=sys.stderr)
        return 1
    check_migration.check_prisma_schema_diff = skip
    try:
        run_server()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


if __name__ == "__main__":
    leave(main())
