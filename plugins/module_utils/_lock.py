# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The lock: every image, chart and model with its digest and how it is known. Private to the collection.

A lock is a YAML file `{version: 1, images: {name: entry}, charts: {name: entry}, models: {name: entry}}`; an entry is
`{digest, kind, status, first_seen, sources}` and, of an image, its signature. `_artifact_names` says what names look
like. Several locks are layered: the one shipped with the collection, then the environment's own, whose entries win.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import (
    ArtifactError,
    is_commit,
    parse_chart_name,
    parse_model_name,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRefError, is_digest, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import (
    Signature,
    signature_of,
    signature_problems,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, dump, load_documents

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

VERSION: t.Final = 1
VERIFIED, COPIED, UNRESOLVED = "verified", "copied", "unresolved"
STATUSES: t.Final = (VERIFIED, COPIED, UNRESOLVED)
IMAGES, CHARTS, MODELS = "images", "charts", "models"
# What a digest is the digest of: of a manifest in a registry, of an archive, of all files of a folder; or a commit.
KINDS: t.Final[Mapping[str, tuple[str, ...]]] = {
    IMAGES: ("index", "manifest", "unknown"),
    CHARTS: ("oci", "archive", "folder", "unknown"),
    MODELS: ("commit", "unknown"),
}
_HEADER = "# Written by the playbook wmx.llm_platform.lock, which asks the registries; not for editing by hand.\n"


class LockError(Exception):
    """A lock that cannot be read, or that says two things at once; the message has one line per problem."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one image, chart or model."""

    digest: str = ""
    kind: str = "unknown"
    status: str = UNRESOLVED
    # The day on which this digest was first seen here; the dates that images carry can be forged.
    first_seen: dt.date | None = None
    sources: tuple[str, ...] = ()
    # Of a chart in a registry, whose digest is that of its manifest: the digest of the archive which that names.
    archive: str = ""
    # Of an image, when a rule has asked for it.
    signature: Signature | None = None

    def as_data(self) -> dict[str, t.Any]:
        data: dict[str, t.Any] = {"status": self.status}
        if self.digest:
            data |= {"digest": self.digest, "kind": self.kind}
        if self.first_seen:
            data["first_seen"] = self.first_seen.isoformat()
        if self.sources:
            data["sources"] = list(self.sources)
        if self.archive:
            data["archive"] = self.archive
        if self.signature:
            data["signature"] = self.signature.as_data()
        return data


@dataclass(frozen=True, slots=True)
class Lock:
    images: Mapping[str, Entry] = field(default_factory=dict)
    charts: Mapping[str, Entry] = field(default_factory=dict)
    models: Mapping[str, Entry] = field(default_factory=dict)

    def section(self, name: str) -> Mapping[str, Entry]:
        return {IMAGES: self.images, CHARTS: self.charts, MODELS: self.models}[name]

    def digest_of(self, tagged: str) -> str | None:
        """The digest to deliver, or None when the image is not in the lock or has none there."""
        entry = self.images.get(tagged)
        return entry.digest if entry is not None and entry.digest else None

    def over(self, other: Lock) -> Lock:
        """This lock's entries on top of the other's."""
        return Lock(**{name: {**other.section(name), **self.section(name)} for name in KINDS})

    def with_entries(self, section: str, entries: Mapping[str, Entry]) -> Lock:
        return replace(self, **{section: {**self.section(section), **entries}})

    def text(self) -> str:
        data: dict[str, t.Any] = {"version": VERSION}
        for section in KINDS:
            entries = self.section(section)
            # Locks of images alone are the most, and stay as short as they are.
            if entries or section == IMAGES:
                data[section] = {name: entry.as_data() for name, entry in sorted(entries.items())}
        return f"---\n{_HEADER}" + dump(data)


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
    if "version" not in data:
        # It is written last, so this is what a file looks like that was cut off.
        raise LockError(f"lock {where} has no version, so its end is missing; restore the file from version control")
    if data["version"] != VERSION:
        raise LockError(f"lock {where}: version is {data['version']!r}, this collection reads version {VERSION}")
    problems = [f"unknown key {key!r}" for key in sorted(set(data) - {"version", *KINDS})]
    sections: dict[str, dict[str, Entry]] = {name: {} for name in KINDS}
    for section, entries in sections.items():
        values = data.get(section) or {}
        if not isinstance(values, dict):
            problems.append(f"{section} is no mapping")
            continue
        for name, value in values.items():
            wrong = [*_name_problems(section, str(name)), *_entry_problems(section, str(name), value)]
            problems += wrong
            if not wrong:
                entries[str(name)] = _entry(value)
    if problems:
        raise LockError("\n".join(f"lock {where}: {problem}" for problem in problems))
    return Lock(**sections)


def _name_problems(section: str, name: str) -> list[str]:
    if section != IMAGES:
        try:
            _PARSERS[section](name)
        except ArtifactError as exc:
            return [str(exc)]
        return []
    try:
        image = parse_image(name)
    except ImageRefError as exc:
        return [str(exc)]
    if image.digest or not image.tag or image.tagged != name:
        return [f"{name} is no full name with a tag; write {image.tagged}"]
    return []


_PARSERS: t.Final[Mapping[str, Callable[[str], object]]] = {CHARTS: parse_chart_name, MODELS: parse_model_name}


def _entry(value: Mapping[str, t.Any]) -> Entry:
    first_seen = value.get("first_seen")
    return Entry(
        digest=value.get("digest", ""),
        kind=value.get("kind", "unknown"),
        status=value["status"],
        first_seen=dt.date.fromisoformat(first_seen) if first_seen else None,
        sources=tuple(value.get("sources") or ()),
        archive=value.get("archive", ""),
        signature=signature_of(value["signature"]) if "signature" in value else None,
    )


def _entry_problems(section: str, name: str, value: t.Any) -> list[str]:
    if not isinstance(value, dict):
        return [f"{name} is no mapping"]
    problems = [f"unknown key {key!r}" for key in sorted(set(value) - set(Entry.__dataclass_fields__))]
    digest, status, first_seen = value.get("digest", ""), value.get("status"), value.get("first_seen")
    kind, archive = value.get("kind", "unknown"), value.get("archive", "")
    if status not in STATUSES:
        problems.append(f"status {status!r} is none of {', '.join(STATUSES)}")
    if digest and not (isinstance(digest, str) and (is_commit if section == MODELS else is_digest)(digest)):
        form = "40 hexadecimal digits" if section == MODELS else "sha256: and 64 hexadecimal digits"
        problems.append(f"digest {digest!r} is not {form}")
    elif bool(digest) == (status == UNRESOLVED) and status in STATUSES:
        problems.append("an unresolved entry has no digest, every other one has")
    if section == MODELS and digest and is_commit(name.rpartition("@")[2]) and not name.endswith(f"@{digest}"):
        problems.append(f"digest {digest!r} is another commit than the name says")
    if kind not in KINDS[section]:
        problems.append(f"kind {kind!r} is none of {', '.join(KINDS[section])}")
    if archive and not (section == CHARTS and isinstance(archive, str) and is_digest(archive)):
        problems.append(f"archive {archive!r} is not sha256: and 64 hexadecimal digits of a chart's archive")
    if first_seen is not None:
        try:
            dt.date.fromisoformat(first_seen)
        except (TypeError, ValueError):
            problems.append(f"first_seen {first_seen!r} is no date; write YYYY-MM-DD")
    sources = value.get("sources") or []
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        problems.append("sources is no list of texts")
    if "signature" in value:
        problems += signature_problems(value["signature"]) if section == IMAGES else ["only images have a signature"]
    return [f"{name}: {problem}" for problem in problems]
