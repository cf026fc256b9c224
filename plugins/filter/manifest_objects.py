# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.module_utils._manifest import ManifestError, read_manifest

if t.TYPE_CHECKING:
    from collections.abc import Callable


def manifest_objects(path: str) -> list[dict[str, t.Any]]:
    """The objects of a manifest file or of all manifests of a folder."""
    try:
        return read_manifest(Path(path).expanduser())
    except ManifestError as exc:
        raise AnsibleFilterError(f"wmx.llm_platform.manifest_objects: {exc}") from exc


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"manifest_objects": manifest_objects}
