# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes a folder hold given files and tells what had to change. Private to the collection."""

from __future__ import annotations

import os
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path


class FileSetError(Exception):
    """A file that cannot be written as asked."""


@dataclass
class FileSetResult:
    """Names that were written or removed, and their texts before and after."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything differed."""
        return bool(self.written or self.removed)


def _inside(root: Path, name: str) -> Path:
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise FileSetError(f"files: name {name!r} does not stay inside {root}; give a relative path without '..'")
    return root / name


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError as exc:
        raise FileSetError(f"files: mode {text!r} is not octal; write it like '0600'") from exc


def _write(path: Path, content: bytes, mode: int) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def write_files(
    root: Path,
    files: t.Sequence[t.Mapping[str, t.Any]],
    *,
    exclusive: t.Sequence[str] = (),
    folder_mode: int = 0o700,
    check: bool = False,
) -> FileSetResult:
    """Write each file that differs, by rename; below the folders in `exclusive` remove every other file."""
    result = FileSetResult()
    wanted: set[Path] = set()
    for entry in files:
        path, mode, content = _inside(root, entry["name"]), _mode(entry["mode"]), str(entry["content"]).encode()
        if path in wanted:
            raise FileSetError(f"files: {entry['name']!r} is given twice; keep one")
        wanted.add(path)
        try:
            before = path.read_bytes() if path.exists() else None
            if before == content and path.stat().st_mode & 0o7777 == mode:
                continue
            result.written.append(entry["name"])
            if before != content:
                old = (before or b"").decode(errors="replace")
                result.diff.append(
                    {"before_header": str(path), "after_header": str(path), "before": old, "after": content.decode()}
                )
            if not check:
                path.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
                _write(path, content, mode)
        except OSError as exc:
            raise FileSetError(f"{path}: {exc.strerror}; check the folder's owner and free space") from exc
    for folder in exclusive:
        for path in sorted(_inside(root, folder).rglob("*")):
            if path not in wanted and not path.is_dir():
                result.removed.append(str(path.relative_to(root)))
                if not check:
                    path.unlink()
    return result
