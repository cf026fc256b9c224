# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Replaces one value of the contract and rolls those who read it. Private to the collection.

Each step may be the last one of a run that is killed: the same call then finishes what was begun.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError
from ansible_collections.wmx.llm_platform.plugins.module_utils._lease import DeliverLease
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import SecretError
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_rollout import consumers, groups, roll
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_servers import (
    add_redis_password,
    change_postgresql,
    drop_redis_password,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_values import Secrets
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import nearest

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object, Ref
    from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import Runner
    from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Entry, Place

# What a server is about to be told is written down before it is told, and what it still takes until it has forgotten.
NEXT: t.Final = "next-"
PREVIOUS: t.Final = "previous-"


@dataclass(frozen=True)
class Asked:
    """What to rotate, and how long to wait for each step."""

    entries: Sequence[Entry]
    name: str
    home: str
    given: bytes | None = None
    seconds: float = 600.0
    external: bool = False


@dataclass
class Rotated:
    """Names only."""

    places: list[str] = field(default_factory=list)
    rolled: list[list[str]] = field(default_factory=list)
    resumed: bool = False
    seconds: float = 0.0


def find(asked: Asked) -> Entry:
    """The entry, if it can rotate in this environment."""
    entries = {entry.name: entry for entry in asked.entries}
    entry = entries.get(asked.name)
    if entry is None:
        raise SecretError([f"secrets_rotate = {asked.name}: is no secret of this plan; {nearest(asked.name, entries)}"])
    if entry.rotation.verb == "refused":
        raise SecretError([f"secrets_rotate = {asked.name}: {entry.rotation.reason}"])
    if asked.external:
        reason = (
            "the store of external-secrets has the value; change it there, and roll who reads it when its "
            "ExternalSecret has synchronised (docs/secrets.md has the order)"
        )
        raise SecretError([f"secrets_rotate = {asked.name}: {reason}"])
    if asked.given is not None and (why := entry.unfit(asked.given)):
        raise SecretError([f"secrets_values.{asked.name} {why}; give another value, or none to have one made"])
    return entry


def rotate(client: KubeClient, run: Runner, asked: Asked, *, dry_run: bool = False) -> Rotated:
    """The new value everywhere, and nobody left who has the old one."""
    entry = find(asked)
    places = [target.place for target in entry.targets]
    if dry_run:
        secrets = Secrets(client, {place.namespace for place in places})
        _current(entry, places, secrets)
        return Rotated(_texts(places), _names(groups(entry, consumers(client, places))))
    began = time.monotonic()
    with DeliverLease(client, asked.home) as lease:
        result = _Rotation(client, run, asked, entry, lease).run()
    result.seconds = round(time.monotonic() - began, 1)
    return result


def _current(entry: Entry, places: Iterable[Place], secrets: Secrets) -> bytes:
    first = next((value for place in places if (value := secrets.value(place)) is not None), None)
    if first is None:
        raise SecretError([f"{entry.name} is not there yet; bring it with site.yml, which makes it"])
    return first


def _texts(places: Iterable[Place]) -> list[str]:
    return sorted(str(place) for place in places)


def _names(found: Iterable[Iterable[Object]]) -> list[list[str]]:
    return [sorted(ref_of(workload).text for workload in group) for group in found]


class _Rotation:
    def __init__(self, client: KubeClient, run: Runner, asked: Asked, entry: Entry, lease: DeliverLease) -> None:
        self._client, self._exec, self._asked, self._entry, self._lease = client, run, asked, entry, lease
        self._places = [target.place for target in entry.targets]
        self._secrets = Secrets(client, {place.namespace for place in self._places})
        first = self._places[0]
        self._next, self._previous = (first._replace(key=f"{prefix}{first.key}") for prefix in (NEXT, PREVIOUS))

    def run(self) -> Rotated:
        entry, result = self._entry, Rotated(_texts(self._places))
        current = _current(entry, self._places, self._secrets)
        # Found before anything is written, so that a rotation without permission to look changes nothing.
        found = groups(entry, consumers(self._client, self._places))
        begun, told = self._secrets.value(self._next), self._secrets.value(self._previous)
        result.resumed = bool(begun or told)
        if told is None:
            new = begun or self._asked.given or entry.make()
            if new == current:
                raise SecretError([f"secrets_values.{entry.name} is the value that is there already; give another one"])
            self._bring(current, new)
        for group in found:
            self._lease.check()
            refs = roll(self._client, entry.name, group, self._asked.seconds)
            result.rolled.append([ref.text for ref in refs])
        self._forget_previous()
        return result

    def _bring(self, current: bytes, new: bytes) -> None:
        """The server first, if there is one that must be told, then everybody who reads the Secrets."""
        rotation, values = self._entry.rotation, dict.fromkeys(self._places, new)
        if rotation.verb == "roll":
            self._put(values)
            return
        if rotation.pods is None:
            raise SecretError([f"secrets_rotate = {self._entry.name}: {rotation.reason}"])
        self._put({self._next: new})
        if rotation.verb == "postgresql":
            change_postgresql(self._exec, rotation.pods, rotation.user, [current, new], new)
            self._put({**values, self._next: None})
        else:
            add_redis_password(self._exec, rotation.pods, current, new)
            self._put({**values, self._next: None, self._previous: current})

    def _forget_previous(self) -> None:
        """Redis took both passwords until all who use it had the new one."""
        pods, previous = self._entry.rotation.pods, self._secrets.value(self._previous)
        if previous is not None and pods is not None:
            drop_redis_password(self._exec, pods, _current(self._entry, self._places, self._secrets), previous)
            self._put({self._previous: None})

    def _put(self, values: Mapping[Place, bytes | None]) -> None:
        self._lease.check()
        keys: dict[Ref, dict[str, bytes | None]] = {}
        for place, value in values.items():
            keys.setdefault(place.ref, {})[place.key] = value
        for ref, data in keys.items():
            try:
                self._secrets.put(ref, data)
            except ApiError as exc:
                if exc.status != 409:
                    raise
                raise SecretError([f"{ref} was changed by somebody else meanwhile; run the rotation again"]) from exc
