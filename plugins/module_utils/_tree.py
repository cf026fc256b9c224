# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The tree of rendered objects: one file an object, one folder a component. Private to the collection."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ObjectError, Ref, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, dump, load_documents

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

LAYERS: t.Final = ("foundation", "platform", "serving", "routing", "llm_gateway", "experience")
CLUSTER_SCOPE: t.Final = "_"
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?\Z")
_FILE = re.compile(r"(?P<group>[a-z0-9.-]+)\.(?P<kind>[A-Z][A-Za-z0-9]*)\.(?P<namespace>[^.]+)\.(?P<name>.+)\.yml\Z")


class TreeError(Exception):
    """The tree on disk is not what render writes, or a component is missing from it."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    layer: str
    component: str
    path: Path
    object: Object

    @property
    def ref(self) -> Ref:
        return ref_of(self.object)


@dataclass(slots=True)
class FileChange:
    """One file that differs: `before` or `after` is None when there was or will be none."""

    path: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class WriteResult:
    changed: bool
    folder: Path
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    diff: list[FileChange] = field(default_factory=list)


def file_name(ref: Ref) -> str:
    """`apps.Deployment.llm-serving.chat.yml`; two refs have one name exactly when they name one object."""
    group, kind, name = (_encoded(part) for part in (ref.group or "core", ref.kind, ref.name))
    namespace = _encoded(ref.namespace) if ref.namespace else CLUSTER_SCOPE
    return f"{group}.{kind}.{namespace}.{name}.yml"


def _encoded(text: str) -> str:
    # quote() leaves _ and ~ alone, and a namespace called _ must not look like none.
    return quote(text, safe="").replace("_", "%5F").replace("~", "%7E")


def key_of_file(name: str) -> tuple[str, str, str, str]:
    """Ref.key of the object a file holds, read from its name alone."""
    match = _FILE.match(name)
    if match is None:
        raise TreeError(f"{name} is no file name of the tree (<group>.<kind>.<namespace>.<name>.yml)")
    group, kind, namespace, base = (unquote(part) for part in match.group("group", "kind", "namespace", "name"))
    return ("" if group == "core" else group, kind, "" if namespace == CLUSTER_SCOPE else namespace, base)


def component_folders(root: Path) -> Iterator[tuple[str, str, Path]]:
    """(layer, component, folder) in the order of delivery; folders of a write that was killed are passed over."""
    for layer in LAYERS:
        parent = root / layer
        if parent.is_dir():
            for folder in sorted(parent.iterdir()):
                if folder.is_dir() and not folder.name.startswith("."):
                    yield layer, folder.name, folder


def _read_folder(layer: str, component: str, folder: Path) -> Iterator[TreeEntry]:
    for path in sorted(folder.iterdir()):
        if not path.is_file():
            raise TreeError(f"{path} is no file; render component {component} again")
        try:
            documents = load_documents(path.read_text(encoding="utf-8"))
            if len(documents) != 1 or not isinstance(documents[0][1], dict):
                raise TreeError(f"{path} must hold exactly one object; render component {component} again")
            obj = documents[0][1]
            if file_name(ref_of(obj)) != path.name:
                raise TreeError(f"{path} holds {ref_of(obj)}; render component {component} again")
        except (YamlError, ObjectError) as exc:
            raise TreeError(f"{path}: {exc}; render component {component} again") from exc
        yield TreeEntry(layer, component, path, obj)


def read_tree(root: Path | str) -> list[TreeEntry]:
    """Every object of the tree, in the order of layers, components and file names."""
    folders = component_folders(Path(root))
    return [entry for layer, name, folder in folders for entry in _read_folder(layer, name, folder)]


def read_components(root: Path | str, names: Iterable[str]) -> dict[str, list[TreeEntry]]:
    """The objects of each named component. A component that was never rendered is an error, an empty one is not."""
    folders = {name: (layer, folder) for layer, name, folder in component_folders(Path(root))}
    wanted = list(dict.fromkeys(names))
    missing = [name for name in wanted if name not in folders]
    if missing:
        there = ", ".join(folders) or "nothing"
        raise TreeError(f"{root} does not hold {', '.join(missing)} (it holds {there}); render first")
    return {name: list(_read_folder(folders[name][0], name, folders[name][1])) for name in wanted}


def tree_hash(root: Path | str, names: Iterable[str] | None = None) -> str:
    """The identity of a plan: `sha256:…` over paths and bytes of all (or the named) components."""
    wanted = None if names is None else set(names)
    digest = hashlib.sha256()
    for layer, name, folder in component_folders(Path(root)):
        if wanted is None or name in wanted:
            for path in sorted(folder.iterdir()):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{layer}/{name}/{path.name}\0{content}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _contents(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    # What is no text is none of ours: it only has to look different from what is written.
    return {path.name: path.read_text("utf-8", "replace") if path.is_file() else "" for path in folder.iterdir()}


def _replace(folder: Path, files: dict[str, str]) -> None:
    """Puts the new folder in the place of the old one; a reader never sees half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content.encode())
        if folder.exists():
            folder.rename(Path(scratch) / "old")
        new.rename(folder)


def write_component(root: Path | str, layer: str, component: str, objects: Sequence[Object]) -> WriteResult:
    """Makes the component's folder hold exactly these objects; touches nothing when it does already."""
    if layer not in LAYERS:
        raise TreeError(f"layer {layer!r} of component {component} is unknown; layers are {', '.join(LAYERS)}")
    if not _NAME.match(component):
        raise TreeError(f"component {component!r} is no component name (lower-case letters, digits, _ and -)")
    root = Path(root)
    folder = root / layer / component
    files: dict[str, str] = {}
    for obj in objects:
        name = file_name(ref_of(obj))
        if name in files:
            raise TreeError(f"component {component} renders {ref_of(obj)} twice")
        files[name] = dump(obj)
    elsewhere = [path for other, name, path in component_folders(root) if name == component and other != layer]
    places = [folder, *elsewhere]
    before = {f"{at.parent.name}/{component}/{name}": text for at in places for name, text in _contents(at).items()}
    after = {f"{layer}/{component}/{name}": text for name, text in files.items()}
    result = WriteResult(
        changed=before != after or not folder.is_dir() or bool(elsewhere),
        folder=folder,
        added=sorted(after.keys() - before.keys()),
        updated=sorted(path for path in after.keys() & before.keys() if after[path] != before[path]),
        removed=sorted(before.keys() - after.keys()),
    )
    for name in sorted({*result.added, *result.updated, *result.removed}):
        result.diff.append(FileChange(name, before.get(name), after.get(name)))
    if result.changed:
        _replace(folder, files)
        for path in elsewhere:
            shutil.rmtree(path)
    return result


def drop_unknown_components(root: Path | str, known: Iterable[str]) -> list[str]:
    """Removes folders of components that the plan no longer has; their names as `<layer>/<component>`."""
    keep = set(known)
    dropped = [(f"{layer}/{name}", folder) for layer, name, folder in component_folders(Path(root)) if name not in keep]
    for _text, folder in dropped:
        shutil.rmtree(folder)
    return [text for text, _folder in dropped]
