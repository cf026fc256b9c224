# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Evidence on disk: fragments that other programs leave, files that are whole. Private to the collection."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check, CheckError, validate_check

FRAGMENTS: t.Final = "fragments"


class EvidenceFileError(Exception):
    """A file of the evidence cannot be read or written."""


def dump(document: t.Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old text or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            # mkstemp makes private files; evidence is there to be read.
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as exc:
        raise EvidenceFileError(f"cannot write {path}: {exc.strerror}; make the directory writable") from exc


def write_fragment(evidence_dir: Path, check: Check) -> Path:
    """Leave one check for the evidence that is built later, for programs that drive whole playbooks."""
    path = evidence_dir / FRAGMENTS / f"{validate_check(check)['id']}.json"
    write_text(path, dump(check))
    return path


def read_fragments(evidence_dir: Path) -> list[Check]:
    """The checks that were left, ordered by name."""
    checks: list[Check] = []
    for path in sorted((evidence_dir / FRAGMENTS).glob("*.json")):
        try:
            checks.append(validate_check(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, CheckError) as exc:
            raise EvidenceFileError(
                f"fragment {path} cannot be used: {exc}; delete it and run its probe again"
            ) from exc
    return checks
