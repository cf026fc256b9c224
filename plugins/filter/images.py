# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRefError, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import LockError, read_locks
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import RulesError
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import mirror_of
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_pin import demands_digests as demanded
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_pin import lock_paths, pin_model

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def demands_digests(images: Mapping[str, t.Any] | None) -> bool:
    """Whether images must have digests in this environment by now."""
    return demanded(images or {})


def pinned_image(image: str, images: Mapping[str, t.Any] | None) -> str:
    """An image with the digest of the environment's lock, and its name in the mirror where names are rewritten."""
    if images is None or not demanded(images):
        return image
    mirror = mirror_of(images.get("mirror"))
    renames = mirror if mirror and mirror.rewrites else None
    try:
        ref = parse_image(image)
        ref = renames.origin(ref) if renames else ref
        digest = ref.digest or read_locks(lock_paths(images)).digest_of(ref.tagged)
    except (ImageRefError, LockError) as exc:
        raise AnsibleFilterError(f"pinned_image: {exc}") from exc
    if digest is None:
        fix = "run the playbook wmx.llm_platform.lock, or name an image that is in the lock"
        raise AnsibleFilterError(f"pinned_image: {image} is not in the lock; {fix}")
    pinned = ref.pinned(digest)
    return str(renames.of(pinned) if renames else pinned)


def pinned_revision(model: Mapping[str, t.Any], images: Mapping[str, t.Any] | None) -> str:
    """The commit that the environment's lock has for a model of the plan; what it asks for where nothing is pinned."""
    artifact, revision = str(model.get("artifact") or ""), str(model.get("revision") or "")
    if images is None or not artifact or not demanded(images):
        return revision
    try:
        return pin_model(artifact, images)
    except (LockError, RulesError) as exc:
        raise AnsibleFilterError(f"pinned_revision: {exc}") from exc


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"demands_digests": demands_digests, "pinned_image": pinned_image, "pinned_revision": pinned_revision}
