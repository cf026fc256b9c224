# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep the README's table "What is proven where" equal to the evidence.

usage: tools/proven.py [evidence/local/latest.json]

With an evidence file, its checks replace docs/proven.json, which is committed because evidence itself is not.
Then the table is written from docs/proven.json and docs/not-proven.yml. A claim that failed is refused.
"""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PROVEN = ROOT / "docs" / "proven.json"
NOT_PROVEN = ROOT / "docs" / "not-proven.yml"
BEGIN = "<!-- proven: begin (make evidence writes this) -->"
END = "<!-- proven: end -->"
WORDS = {"rendered": "rendered only", "never": "never run"}


def proven_of(evidence: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    failed = [check["id"] for check in evidence["checks"] if not check["ok"]]
    if failed:
        raise SystemExit(f"not proven, so not written: {', '.join(failed)}")
    rows = [
        {"id": check["id"], "claim": check["claim"], "simulated": bool(check.get("simulated"))}
        for check in evidence["checks"]
    ]
    return sorted(rows, key=lambda row: row["id"])


def table() -> str:
    lines = ["| what | where | how |", "|---|---|---|"]
    for row in json.loads(PROVEN.read_text(encoding="utf-8")):
        where = "local, partly simulated" if row["simulated"] else "local"
        lines.append(f"| {row['claim'].rstrip('.')} | {where} | `{row['id']}` |")
    not_proven = yaml.safe_load(NOT_PROVEN.read_text(encoding="utf-8"))
    lines += [f"| {row['what']} | {WORDS[row['where']]} | {row['instead']} |" for row in not_proven]
    return "\n".join(lines)


def with_table(readme: str) -> str:
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main(arguments: list[str]) -> None:
    if arguments:
        rows = proven_of(json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8")))
        PROVEN.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
