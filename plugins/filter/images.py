# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRefError, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import LockError, read_locks
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_pin import demands_digests as demanded
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._render_pin import lock_paths

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def demands_digests(images: Mapping[str, t.Any] | None) -> bool:
    """Whether images must have digests in this environment by now."""
    return demanded(images or {})


def pinned_image(image: str, images: Mapping[str, t.Any] | None) -> str:
    """An image with the digest of the environment's lock."""
    if not demanded(images or {}):
        return image
    try:
        ref = parse_image(image)
        digest = ref.digest or read_locks(lock_paths(t.cast("Mapping[str, t.Any]", images))).digest_of(ref.tagged)
    except (ImageRefError, LockError) as exc:
        raise AnsibleFilterError(f"pinned_image: {exc}") from exc
    if digest is None:
        fix = "run the playbook wmx.llm_platform.lock, or name an image that is in the lock"
        raise AnsibleFilterError(f"pinned_image: {image} is not in the lock; {fix}")
    return str(ref.pinned(digest))


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"demands_digests": demands_digests, "pinned_image": pinned_image}
