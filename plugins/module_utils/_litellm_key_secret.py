# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The Secrets that hold tenants' keys: the only place where a value is. Private to the collection."""

from __future__ import annotations

import base64
import hashlib
import secrets
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import Row, parallel
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    API_GROUP,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    Object,
    Ref,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_input import Key

# Not the manager of applies: what it does not render it would remove.
FIELD_MANAGER: t.Final = f"{PLATFORM}-secrets"
VALUE: t.Final = "OPENAI_API_KEY"
BASE_URL: t.Final = "OPENAI_BASE_URL"
# The next value while a rotation is under way: it must be held somewhere before LiteLLM knows it.
PENDING: t.Final = "PENDING_API_KEY"
COMPONENT: t.Final = "gateway-key"
LABELS: t.Final = {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: PLATFORM, LABEL_COMPONENT: COMPONENT}
TEAM, KEY, TOKEN_HASH, GENERATION = (f"{API_GROUP}/{name}" for name in ("team", "key", "token-hash", "generation"))

Place = tuple[str, str]


def new_value() -> str:
    """LiteLLM wants the prefix; 256 bits follow."""
    return f"sk-{secrets.token_hex(32)}"


def token_of(value: str) -> str:
    """What LiteLLM stores of a key."""
    return hashlib.sha256(value.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Held:
    """A Secret as it is."""

    value: str = field(default="", repr=False)
    pending: str = field(default="", repr=False)
    base_url: str = ""
    labels: t.Mapping[str, str] = field(default_factory=dict)
    annotations: t.Mapping[str, str] = field(default_factory=dict)
    version: str = ""

    @property
    def token(self) -> str:
        return token_of(self.value) if self.value else ""

    @property
    def ours(self) -> bool:
        return self.labels.get(LABEL_COMPONENT) == COMPONENT or KEY in self.annotations


@dataclass(frozen=True, slots=True)
class Content:
    """A Secret as it should be."""

    value: str = field(repr=False)
    base_url: str
    generation: str
    pending: str = field(default="", repr=False)


class KeySecrets:
    """One list over all namespaces; a place that the list lacks is asked for by name."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self._held: dict[Place, Held] = {}

    def read(self, places: t.Collection[Place]) -> None:
        namespaces = {namespace for namespace, _name in places}
        selector = ",".join(f"{name}={value}" for name, value in sorted(LABELS.items()))
        namespace = next(iter(namespaces)) if len(namespaces) == 1 else None
        listed = self._kube.list("v1", "Secret", namespace, label_selector=selector) if places else []
        self._held = {(item["metadata"]["namespace"], item["metadata"]["name"]): _held(item) for item in listed}

        def ask(place: Place) -> tuple[Place, Object | None]:
            return place, self._kube.get(_ref(place))

        # Labels may have been taken off by hand: such a Secret is not gone.
        for place, found in parallel(ask, [place for place in places if place not in self._held]):
            if found:
                self._held[place] = _held(found)

    def get(self, place: Place) -> Held | None:
        return self._held.get(place)

    def of_teams(self, teams: t.Collection[str]) -> list[tuple[Place, Held]]:
        return [(place, held) for place, held in self._held.items() if held.annotations.get(TEAM) in teams]

    def drift(self, key: Key, held: Held, base_url: str) -> dict[str, dict[str, t.Any]]:
        """What of the Secret is not as it should be, but for its value."""
        wanted = {"base_url": base_url, **LABELS, **_annotations(key, held.token, str(key.generation))}
        live = {"base_url": held.base_url, **held.labels, **held.annotations}
        found = {
            f"secret.{name.rpartition('/')[2]}": {"before": live.get(name), "after": value}
            for name, value in wanted.items()
            if live.get(name) != value
        }
        if held.pending:
            found["secret.pending"] = {"before": "a value that was never used", "after": None}
        return found

    def write(self, key: Key, content: Content) -> None:
        """Create or change; what somebody else keeps in the Secret is left alone."""
        held = self._held.get(key.place)
        data: Row = {VALUE: _encode(content.value), BASE_URL: _encode(content.base_url)}
        if content.pending or (held and held.pending):
            data[PENDING] = _encode(content.pending) if content.pending else None
        if held and not content.value:
            data[VALUE] = None
        token = token_of(content.value) if content.value else ""
        metadata: Row = {"labels": dict(LABELS), "annotations": _annotations(key, token, content.generation)}
        query = {"fieldManager": FIELD_MANAGER}
        path = self._kube.resource_path(_ref(key.place))
        if held is None:
            metadata |= {"namespace": key.namespace, "name": key.secret}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
            answer = self._kube.checked("POST", path.rpartition("/")[0], query=query, body=body)
        else:
            # The version makes the server refuse when the Secret has changed since it was read.
            body = {"metadata": {**metadata, "resourceVersion": held.version}, "data": data}
            options = {"query": query, "body": body, "content_type": "application/merge-patch+json"}
            answer = self._kube.checked("PATCH", path, **options)
        self._held[key.place] = _held(answer.json())

    def delete(self, place: Place) -> None:
        response = self._kube.delete(_ref(place))
        if response.status >= 400 and response.status != 404:
            raise ApiError("DELETE", f"Secret {'/'.join(place)}", response)
        self._held.pop(place, None)


def _ref(place: Place) -> Ref:
    return Ref("", "v1", "Secret", *place)


def _encode(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _annotations(key: Key, token: str, generation: str) -> dict[str, str]:
    return {TEAM: key.team, KEY: key.name, TOKEN_HASH: token, GENERATION: generation}


def _held(secret: Object) -> Held:
    def text(name: str) -> str:
        return base64.b64decode((secret.get("data") or {}).get(name) or "").decode("utf-8", "replace").strip()

    metadata = secret["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return Held(text(VALUE), text(PENDING), text(BASE_URL), labels, annotations, str(metadata["resourceVersion"]))
