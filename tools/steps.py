# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Run make targets one after the other, all of them, and end with what failed and a table of what took how long.

What failed is said again at the end: of a log of an hour, the end is what one reads, and often all that is kept.
"""

from __future__ import annotations

import collections
import os
import re
import subprocess
import sys
import time
import typing as t

# What pytest, Ansible, mypy and ansible-test call a fault; make says last which target it was.
FAULT: t.Final = re.compile(r"^(FAILED|ERROR|fatal:|\[ERROR\]|E  )|: error: |FAILED!|^make(\[\d+\])?: \*\*\*")
FAULTS: t.Final = 40
LAST: t.Final = 10


class Result(t.NamedTuple):
    target: str
    seconds: float
    passed: bool
    told: list[str]
    """The lines of its output that say what failed, or its last ones where none does."""


def run(target: str) -> Result:
    """The output goes through to the terminal line by line."""
    started = time.monotonic()
    faults: collections.deque[str] = collections.deque(maxlen=FAULTS)
    last: collections.deque[str] = collections.deque(maxlen=LAST)
    with subprocess.Popen(
        [os.environ.get("MAKE", "make"), "--no-print-directory", "--keep-going", target],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            (faults if FAULT.search(line) else last).append(line.rstrip())
    return Result(target, time.monotonic() - started, process.returncode == 0, list(faults) or list(last))


def main(targets: list[str]) -> int:
    results = []
    for number, target in enumerate(targets, start=1):
        print(f"\n── {number} of {len(targets)}: {target}", flush=True)
        results.append(run(target))

    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"\n── {result.target} FAILED", *result.told, sep="\n    ")
    width = max(len(target) for target in targets)
    print(f"\n{'step':<{width}}  {'seconds':>7}  result")
    for result in results:
        print(f"{result.target:<{width}}  {result.seconds:>7.0f}  {'passed' if result.passed else 'FAILED'}")
    print(f"{'all':<{width}}  {sum(result.seconds for result in results):>7.0f}\n")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
