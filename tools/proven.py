# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep docs/proven.md, and what the README says of it, equal to the evidence.

usage: tools/proven.py [evidence/local/latest.json]

With an evidence file, its checks replace docs/proven.json, which is committed because evidence itself is not.
Then the page of claims is written from docs/proven.json, and the README's table of what is not proven from
docs/not-proven.yml. A claim that failed is refused.
"""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "proven.md"
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


def claims() -> str:
    """The table of docs/proven.md."""
    lines = ["| what | where | how |", "|---|---|---|"]
    for row in _rows():
        where = "local, partly simulated" if row["simulated"] else "local"
        lines.append(f"| {row['claim'].rstrip('.')} | {where} | `{row['id']}` |")
    return "\n".join(lines)


def summary() -> str:
    """What the README says: how much is proven, and everything that is not."""
    rows = _rows()
    where = f"local, {sum(row['simulated'] for row in rows)} of them partly simulated"
    lines = [
        "| what | where | how |",
        "|---|---|---|",
        f"| [{len(rows)} claims](docs/proven.md), each by its probe or test | {where} | `make evidence` |",
    ]
    not_proven = yaml.safe_load(NOT_PROVEN.read_text(encoding="utf-8"))
    lines += [f"| {row['what']} | {WORDS[row['where']]} | {row['instead']} |" for row in not_proven]
    return "\n".join(lines)


def between_marks(text: str, body: str) -> str:
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{body}\n{END}{after}"


def written() -> dict[pathlib.Path, str]:
    """Each file's text as it has to be."""
    return {
        path: between_marks(path.read_text(encoding="utf-8"), body)
        for path, body in ((README, summary()), (PAGE, claims()))
    }


def _rows() -> list[dict[str, t.Any]]:
    return t.cast("list[dict[str, t.Any]]", json.loads(PROVEN.read_text(encoding="utf-8")))


def main(arguments: list[str]) -> None:
    if arguments:
        rows = proven_of(json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8")))
        PROVEN.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
