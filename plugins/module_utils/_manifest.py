# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads upstream manifests as they are published: one file or a folder of them. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ObjectError, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, load_documents

if t.TYPE_CHECKING:
    from pathlib import Path

Object = dict[str, t.Any]


class ManifestError(Exception):
    """A manifest cannot be read or holds something that is no Kubernetes object."""


def read_manifest(path: Path) -> list[Object]:
    """All objects, in the order of the files' names; a `List` is taken apart; an empty manifest is an error."""
    if not path.exists():
        raise ManifestError(f"{path} does not exist; name a file or folder of YAML manifests")
    files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    objects = [obj for file in files for obj in _objects(file)]
    if not objects:
        raise ManifestError(f"{path} holds no Kubernetes object; name a file or folder of YAML manifests")
    return objects


def _objects(file: Path) -> list[Object]:
    found: list[Object] = []
    try:
        documents = load_documents(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YamlError) as exc:
        raise ManifestError(f"reading {file} failed: {exc}") from exc
    for line, document in documents:
        if document is None:
            continue
        pieces = (
            document.get("items") or [] if isinstance(document, dict) and document.get("kind") == "List" else [document]
        )
        for piece in pieces:
            try:
                ref_of(piece if isinstance(piece, dict) else {})
            except ObjectError as exc:
                raise ManifestError(f"{file}, line {line}: {exc}") from exc
            # What the server fills in is no part of what is wanted.
            found.append({key: value for key, value in piece.items() if key != "status"})
    return found
