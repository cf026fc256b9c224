# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Starts LiteLLM as its own command does, but without a step that shows the database's password.

A server that must not migrate compares database and schema instead, and for that hands the database's URL, password and
all, to another program as an argument, which whoever lists processes can read. The migration has run before.
"""

from __future__ import annotations

import sys

from litellm import run_server
from litellm.proxy.db import check_migration


def skip(db_url: str | None = None) -> None:
    """Stand in for the comparison."""


def main() -> int:
    """Run the server until it ends."""
    if not callable(getattr(check_migration, "check_prisma_schema_diff", None)):
        # Under another name it would run, and nobody would notice.
        print("llm_platform_guard.serve: this LiteLLM has no check_prisma_schema_diff to skip", file=sys.stderr)
        return 1
    check_migration.check_prisma_schema_diff = skip
    run_server()
    return 0


if __name__ == "__main__":
    sys.exit(main())
