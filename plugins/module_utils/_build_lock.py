# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The lock of the images that this machine has built. Private to the collection."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._file_set import FileSetError, write_files
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import Lock, LockError, read_lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import refresh
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME: t.Final = "images.lock.yml"
_SOURCE: t.Final = "the local cluster's registry"


def built_lock(cache: Path) -> Lock:
    """What is known of the images built here."""
    try:
        return read_lock(cache / "images" / NAME)
    except LockError:
        # It can be made again from the registry, so a broken one is as good as none.
        return Lock()


def note_built(cache: Path, digests: Mapping[str, str]) -> None:
    """Writes the digests under which the registry has the images."""
    answers = {name: Resolved(digest, "manifest") for name, digest in digests.items()}
    lock, moves = refresh(built_lock(cache), answers, _SOURCE, dt.datetime.now(dt.UTC).date())
    if not moves:
        return
    try:
        write_files(cache / "images", [{"name": NAME, "content": lock.text(), "mode": "0644"}], folder_mode=0o755)
    except FileSetError as exc:
        raise BuildError(str(exc)) from exc
