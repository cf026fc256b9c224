# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Let checkov judge a rendered tree; its findings are fixed, or exceptions with a reason.

usage: tools/check_tree.py CHECKOV TREE EXCEPTIONS
"""

from __future__ import annotations

import fnmatch
import json
import os
import pathlib
import subprocess
import sys

import yaml


class CheckError(Exception):
    """Checkov did not judge, so there is nothing to go by."""


def findings_of(checkov: str, tree: pathlib.Path) -> tuple[list[dict[str, str]], int]:
    """(what checkov found, objects it looked at). It asks nobody: what it knows came with it."""
    command = [
        str(pathlib.Path(checkov).absolute()),
        # From inside: below a hidden folder, such as ~/.cache, it would see nothing.
        "--directory",
        ".",
        "--framework",
        "kubernetes",
        "--skip-download",
        "--quiet",
        "--compact",
    ]
    command += ["--output", "json", "--soft-fail"]
    environment = {**os.environ, "LOG_LEVEL": "ERROR", "PYTHONPATH": ""}
    done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True, check=False, timeout=300)
    try:
        data = json.loads(done.stdout)
        summary = data.get("summary") or {}
        found = [
            {
                "check": item["check_id"],
                "name": item["check_name"],
                "object": item["resource"],
                "file": item["file_path"],
            }
            for item in (data.get("results") or {}).get("failed_checks") or []
        ]
    except (ValueError, AttributeError, KeyError) as error:
        raise CheckError(
            f"{checkov} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-1500:]}"
        ) from error
    if done.returncode or summary.get("parsing_errors") or not summary.get("resource_count"):
        raise CheckError(f"{checkov} ended with {done.returncode} and {summary or 'no object'}: {done.stderr[-1500:]}")
    return found, int(summary["resource_count"])


def judge(found: list[dict[str, str]], exceptions: list[dict[str, str]]) -> tuple[list[str], int]:
    """(what is wrong, how many findings an exception excuses); an exception that excuses nothing is wrong too."""
    used: set[int] = set()
    problems = []
    for finding in found:
        excuses = [
            index
            for index, entry in enumerate(exceptions)
            if entry["check"] == finding["check"] and fnmatch.fnmatchcase(finding["object"], entry["object"])
        ]
        used.update(excuses)
        if not excuses:
            problems.append(f"{finding['file']}: {finding['object']}: {finding['name']} ({finding['check']})")
    for index, entry in enumerate(exceptions):
        if not str(entry.get("reason") or "").strip():
            problems.append(f"the exception from {entry['check']} for {entry['object']} has no reason")
        if index not in used:
            problems.append(f"the exception from {entry['check']} for {entry['object']} excuses nothing; remove it")
    return sorted(problems), len(found)


def main(checkov: str, tree: str, file: str) -> int:
    exceptions = yaml.safe_load(pathlib.Path(file).read_text(encoding="utf-8"))["exceptions"]
    try:
        found, objects = findings_of(checkov, pathlib.Path(tree))
    except CheckError as error:
        print(f"checkov: {error}")
        return 1
    problems, findings = judge(found, exceptions)
    for problem in problems:
        print(f"checkov: {problem}")
    print(f"checkov looked at {objects} objects: {findings} findings, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
