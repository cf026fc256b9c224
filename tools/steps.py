# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Run make targets one after the other, all of them, and end with a table of what took how long."""

from __future__ import annotations

import os
import subprocess
import sys
import time


def main(targets: list[str]) -> int:
    results: list[tuple[str, float, bool]] = []
    for number, target in enumerate(targets, start=1):
        print(f"\n── {number} of {len(targets)}: {target}", flush=True)
        started = time.monotonic()
        code = subprocess.run(
            [os.environ.get("MAKE", "make"), "--no-print-directory", "--keep-going", target], check=False
        ).returncode
        results.append((target, time.monotonic() - started, code == 0))

    width = max(len(target) for target in targets)
    print(f"\n{'step':<{width}}  {'seconds':>7}  result")
    for target, seconds, passed in results:
        print(f"{target:<{width}}  {seconds:>7.0f}  {'passed' if passed else 'FAILED'}")
    print(f"{'all':<{width}}  {sum(result[1] for result in results):>7.0f}\n")
    failed = sum(not result[2] for result in results)
    print(f"{len(results) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
