# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes the Secrets of the contract. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    Ref,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import FIELD_MANAGER, Place

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

MERGE_PATCH = "application/merge-patch+json"
_THREADS = 8


class Secrets:
    """What the Secrets of some namespaces held when they were read: one list a namespace."""

    def __init__(self, client: KubeClient, namespaces: Iterable[str]) -> None:
        self._client = client
        wanted = sorted(set(namespaces))
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            lists = pool.map(lambda namespace: client.list("v1", "Secret", namespace), wanted)
            self._live = {
                (namespace, item["metadata"]["name"]): item
                for namespace, items in zip(wanted, lists, strict=True)
                for item in items
            }

    def live(self, ref: Ref) -> Object | None:
        return self._live.get((ref.namespace, ref.name))

    def value(self, place: Place) -> bytes | None:
        """None where there is no value or an empty one."""
        return value_of(self.live(place.ref), place.key)

    def put(self, ref: Ref, values: Mapping[str, bytes | None], *, kind: str = "Opaque") -> None:
        """Create the Secret or set these keys in it, None removing one; refused with 409 if it changed meanwhile."""
        live = self.live(ref)
        path = self._client.resource_path(ref)
        query = {"fieldManager": FIELD_MANAGER}
        data = {key: base64.b64encode(value).decode() if value is not None else None for key, value in values.items()}
        if live is None:
            body: Object = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": ref.name,
                    "namespace": ref.namespace,
                    "labels": {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: PLATFORM},
                },
                "type": kind,
                "data": {key: value for key, value in data.items() if value is not None},
            }
            answer = self._client.checked("POST", path.rpartition("/")[0], query=query, body=body)
        else:
            # The version makes the server refuse when the Secret has changed since it was read.
            body = {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"]}, "data": data}
            answer = self._client.checked("PATCH", path, query=query, body=body, content_type=MERGE_PATCH)
        self._live[(ref.namespace, ref.name)] = answer.json()


def value_of(secret: Mapping[str, t.Any] | None, key: str) -> bytes | None:
    """The decoded value of a key; the API server stores nothing but valid base64."""
    encoded = ((secret or {}).get("data") or {}).get(key)
    try:
        return base64.b64decode(encoded, validate=True) if encoded else None
    except (binascii.Error, ValueError):
        return None
