# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The lock: every image by name and tag with its digest and how it is known. Private to the collection.

A lock is a YAML file `{version: 1, images: {"registry/repository:tag": {digest, kind, status, first_seen, sources}}}`.
Several locks are layered: the one shipped with the collection, then the environment's own, whose entries win.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRefError, is_digest, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, dump, load_documents

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

VERSION: t.Final = 1
VERIFIED, COPIED, UNRESOLVED = "verified", "copied", "unresolved"
STATUSES: t.Final = (VERIFIED, COPIED, UNRESOLVED)
KINDS: t.Final = ("index", "manifest", "unknown")
_HEADER = "# Written by the playbook wmx.llm_platform.lock, which asks the registries; not for editing by hand.\n"


class LockError(Exception):
    """A lock that cannot be read, or that says two things at once; the message has one line per problem."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one image."""

    digest: str = ""
    kind: str = "unknown"
    status: str = UNRESOLVED
    # The day on which this digest was first seen here; the dates that images carry can be forged.
    first_seen: dt.date | None = None
    sources: tuple[str, ...] = ()

    def as_data(self) -> dict[str, t.Any]:
        data: dict[str, t.Any] = {"status": self.status}
        if self.digest:
            data |= {"digest": self.digest, "kind": self.kind}
        if self.first_seen:
            data["first_seen"] = self.first_seen.isoformat()
        if self.sources:
            data["sources"] = list(self.sources)
        return data


@dataclass(frozen=True, slots=True)
class Lock:
    images: Mapping[str, Entry] = field(default_factory=dict)

    def digest_of(self, tagged: str) -> str | None:
        """The digest to deliver, or None when the image is not in the lock or has none there."""
        entry = self.images.get(tagged)
        return entry.digest if entry is not None and entry.digest else None

    def over(self, other: Lock) -> Lock:
        """This lock's entries on top of the other's."""
        return Lock({**other.images, **self.images})

    def with_images(self, images: Mapping[str, Entry]) -> Lock:
        return replace(self, images={**self.images, **images})

    def text(self) -> str:
        images = {name: entry.as_data() for name, entry in sorted(self.images.items())}
        return f"---\n{_HEADER}" + dump({"version": VERSION, "images": images})


def read_locks(paths: Iterable[Path]) -> Lock:
    """The locks one on top of the other, the last one on top; a file that does not exist is an empty lock."""
    lock = Lock()
    for path in paths:
        lock = read_lock(path).over(lock)
    return lock


def read_lock(path: Path) -> Lock:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Lock()
    except (OSError, UnicodeDecodeError) as exc:
        raise LockError(f"lock {path} cannot be read: {exc}") from exc
    return parse_lock(text, str(path))


def parse_lock(text: str, where: str) -> Lock:
    """The lock a text holds; LockError names the file and every entry that is wrong."""
    try:
        documents = [document for _line, document in load_documents(text)]
    except YamlError as exc:
        line = f" line {exc.line}" if exc.line else ""
        raise LockError(f"lock {where}{line}: {exc}; restore the file from version control") from exc
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise LockError(f"lock {where} is no mapping; restore the file from version control")
    data = documents[0]
    if data.get("version") != VERSION:
        raise LockError(f"lock {where}: version is {data.get('version')!r}, this collection reads version {VERSION}")
    problems = [f"unknown key {key!r}" for key in sorted(set(data) - {"version", "images"})]
    images = data.get("images") or {}
    entries: dict[str, Entry] = {}
    if isinstance(images, dict):
        for name, value in images.items():
            _read_entry(str(name), value, entries, problems)
    else:
        problems.append("images is no mapping")
    if problems:
        raise LockError("\n".join(f"lock {where}: {problem}" for problem in problems))
    return Lock(entries)


def _read_entry(name: str, value: t.Any, entries: dict[str, Entry], problems: list[str]) -> None:
    try:
        image = parse_image(name)
    except ImageRefError as exc:
        problems.append(str(exc))
        return
    if image.digest or not image.tag or image.tagged != name:
        problems.append(f"{name} is no full name with a tag; write {image.tagged}")
        return
    if not isinstance(value, dict):
        problems.append(f"{name} is no mapping")
        return
    wrong = _entry_problems(value)
    problems += [f"{name}: {problem}" for problem in wrong]
    if not wrong:
        first_seen = value.get("first_seen")
        entries[name] = Entry(
            digest=value.get("digest", ""),
            kind=value.get("kind", "unknown"),
            status=value["status"],
            first_seen=dt.date.fromisoformat(first_seen) if first_seen else None,
            sources=tuple(value.get("sources") or ()),
        )


def _entry_problems(value: Mapping[str, t.Any]) -> list[str]:
    problems = [f"unknown key {key!r}" for key in sorted(set(value) - set(Entry.__dataclass_fields__))]
    digest, status, first_seen = value.get("digest", ""), value.get("status"), value.get("first_seen")
    if status not in STATUSES:
        problems.append(f"status {status!r} is none of {', '.join(STATUSES)}")
    if digest and not (isinstance(digest, str) and is_digest(digest)):
        problems.append(f"digest {digest!r} is not sha256: and 64 hexadecimal digits")
    elif bool(digest) == (status == UNRESOLVED):
        problems.append("an unresolved entry has no digest, every other one has" if status in STATUSES else "")
    if value.get("kind", "unknown") not in KINDS:
        problems.append(f"kind {value['kind']!r} is none of {', '.join(KINDS)}")
    if first_seen is not None:
        try:
            dt.date.fromisoformat(first_seen)
        except (TypeError, ValueError):
            problems.append(f"first_seen {first_seen!r} is no date; write YYYY-MM-DD")
    sources = value.get("sources") or []
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        problems.append("sources is no list of texts")
    return [problem for problem in problems if problem]
