# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Pins a folder of manifests with a lock, and fills the lock from registries. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._accept import accept
from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import ArtifactError
from ansible_collections.wmx.llm_platform.plugins.module_utils._artifacts import Artifacts, learn
from ansible_collections.wmx.llm_platform.plugins.module_utils._cosign import CosignError
from ansible_collections.wmx.llm_platform.plugins.module_utils._file_set import FileSetError, write_files
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRefError, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import (
    IMAGES,
    Lock,
    LockError,
    read_lock,
    read_locks,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import Policy, RulesError, Verdict, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ObjectError
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import Move, PinError, Pinned, pin, refresh
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import resolve, resolve_all
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, RegistryError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, dump, load_documents

if t.TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import Mirror
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

_SUFFIXES = frozenset({".yml", ".yaml", ".json"})


@dataclass(frozen=True, slots=True)
class Request:
    """What both states need."""

    lock_file: Path
    locks: tuple[Path, ...] = ()
    folder: Path | None = None
    images: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    artifacts: Artifacts = field(default_factory=Artifacts)
    mirror: Mirror | None = None
    # The command that checks signatures.
    cosign: str = "cosign"

    def lock(self) -> Lock:
        return read_locks([*self.locks, self.lock_file])

    @property
    def lock_names(self) -> str:
        return " under ".join(str(path) for path in reversed([*self.locks, self.lock_file]))


@dataclass(slots=True)
class Outcome:
    """What was found, written and judged; `diff` has before and after of every file that differs."""

    images: dict[str, list[str]]
    diff: list[dict[str, str]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    waived: list[Verdict] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.diff)


def pinned(request: Request, today: dt.date, *, check: bool) -> Outcome:
    """Every image of the folder gets the lock's digest; PinError names all that have none or break a rule."""
    lock = request.lock()
    files = _read(request.folder)
    results = {path: pin(objects, lock, request.expressions, request.mirror) for path, objects in files.items()}
    everything = Pinned()
    for result in results.values():
        everything.uses += result.uses
        everything.missing += result.missing
        everything.contradicted += result.contradicted
    everything.demand_all(request.lock_names)
    outcome = Outcome(_places(everything))
    outcome.waived = _judged([*outcome.images, *request.images], lock, request.policy, today)
    written = [
        {
            "name": str(path.relative_to(t.cast("Path", request.folder))),
            "content": _text(result.objects),
            "mode": "0644",
        }
        for path, result in results.items()
        if result.objects != files[path]
    ]
    if written:
        outcome.diff = _write(t.cast("Path", request.folder), written, check=check)
    return outcome


def resolved(request: Request, access: Access, today: dt.date, *, check: bool) -> Outcome:
    """The lock learns digests of images, charts and models; what could not be asked keeps its entry and is named."""
    read = _read(request.folder).values()
    uses = [use for objects in read for use in pin(objects, Lock(), request.expressions, request.mirror).uses]
    outcome = Outcome(_places(Pinned(uses=uses)))
    for text in request.images:
        outcome.images.setdefault(_image(text), [])
    # The environment's own file is written; entries of the layers below are where it starts from.
    own, lock = read_lock(request.lock_file), request.lock()
    found, failed = resolve_all((parse_image(name) for name in outcome.images), access, resolve)
    answers = {image.tagged: answer for image, answer in found.items()}
    accepted = accept(answers, lock, request.policy, access, cosign=request.cosign, today=today)
    _fresh, outcome.moves = refresh(lock, accepted.answers, "registry", today, signatures=accepted.signatures)
    fresh = own.with_entries(IMAGES, {move.image: move.after for move in outcome.moves})
    outcome.failures = [str(error) for _image, error in sorted(failed.items())]
    outcome.failures += [error for _image, error in sorted(accepted.failures.items())]
    learned = learn(request.artifacts, lock, access, today)
    for section, entries in learned.entries.items():
        fresh = fresh.with_entries(section, entries)
    outcome.moves += learned.moves
    outcome.failures += learned.failures
    text = fresh.text()
    if outcome.moves:
        entry = {"name": request.lock_file.name, "content": text, "mode": "0644"}
        outcome.diff = _write(request.lock_file.parent, [entry], check=check)
    return outcome


def _judged(images: Sequence[str], lock: Lock, policy: Policy, today: dt.date) -> list[Verdict]:
    verdicts = judge(images, lock, policy, today)
    refused = [verdict for verdict in verdicts if verdict.waiver is None]
    if refused:
        head = f"{len(refused)} rule(s) on images are broken; nothing was touched"
        raise PinError("\n".join([head, *(str(verdict) for verdict in refused)]))
    return verdicts


def _read(folder: Path | None) -> dict[Path, list[Object]]:
    if folder is None:
        return {}
    if not folder.is_dir():
        raise PinError(f"{folder} is no folder; render the environment first, or name a folder of manifests")
    files: dict[Path, list[Object]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _SUFFIXES or not path.is_file():
            continue
        try:
            documents = [document for _line, document in load_documents(path.read_text(encoding="utf-8"))]
        except (YamlError, UnicodeDecodeError) as exc:
            raise PinError(f"{path}: {exc}") from exc
        files[path] = [document for document in documents if document is not None]
    return files


def _places(pinned_: Pinned) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for use in pinned_.uses:
        places.setdefault(use.image.tagged, []).append(f"{use.object} {use.place}")
    return dict(sorted(places.items()))


def _image(text: str) -> str:
    try:
        return parse_image(text).tagged
    except ImageRefError as exc:
        raise PinError(f"images: {exc}") from exc


def _text(objects: Sequence[Object]) -> str:
    if len(objects) == 1:
        return dump(objects[0])
    return "".join(f"---\n{dump(obj)}" for obj in objects)


def _write(root: Path, files: list[dict[str, str]], *, check: bool) -> list[dict[str, str]]:
    return write_files(root, files, folder_mode=0o755, check=check).diff


FAILURES: t.Final = (
    ArtifactError,
    CosignError,
    FileSetError,
    LockError,
    ObjectError,
    PinError,
    RegistryError,
    RulesError,
)
