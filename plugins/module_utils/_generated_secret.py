# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Random values that are made once, in the cluster, and seen by nobody. Private to the collection."""

from __future__ import annotations

import base64
import secrets
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    Ref,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

# Not the manager of applies: what it does not render it would remove.
FIELD_MANAGER: t.Final = f"{PLATFORM}-secrets"
FORMATS: t.Final[dict[str, t.Callable[[], str]]] = {
    "hex16": lambda: secrets.token_hex(16),
    "hex32": lambda: secrets.token_hex(32),
}
_ATTEMPTS = 3


@dataclass(frozen=True)
class Key:
    """One value of the Secret and how it is made."""

    name: str
    format: str


@dataclass(frozen=True)
class Outcome:
    """Names of keys only: values stay in the cluster."""

    created: bool
    added: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.created or bool(self.added)


def ensure(client: KubeClient, namespace: str, name: str, keys: t.Sequence[Key], *, dry_run: bool = False) -> Outcome:
    """Create the Secret, or add the keys it lacks; a value that is there is never touched."""
    ref = Ref("", "v1", "Secret", namespace, name)
    for attempt in range(_ATTEMPTS):
        live = client.get(ref)
        present = {key for key, value in ((live or {}).get("data") or {}).items() if value}
        missing = [key for key in keys if key.name not in present]
        outcome = Outcome(
            live is None, tuple(k.name for k in missing), tuple(k.name for k in keys if k.name in present)
        )
        if dry_run or not outcome.changed:
            return outcome
        try:
            _write(client, ref, live, missing)
        except ApiError as exc:
            # Somebody else was faster: what they made is kept.
            if exc.status == 409 and attempt + 1 < _ATTEMPTS:
                continue
            raise
        return outcome
    raise AssertionError("unreachable")


def _write(client: KubeClient, ref: Ref, live: Object | None, missing: t.Sequence[Key]) -> None:
    query = {"fieldManager": FIELD_MANAGER}
    data = {key.name: base64.b64encode(FORMATS[key.format]().encode()).decode() for key in missing}
    path = client.resource_path(ref)
    if live is None:
        labels = {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: PLATFORM}
        metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        client.checked("POST", path.rpartition("/")[0], query=query, body=body)
        return
    # The version makes the server refuse when the Secret has changed since it was read.
    body = {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"]}, "data": data}
    client.checked("PATCH", path, query=query, body=body, content_type="application/merge-patch+json")
