# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Decides what each value of the contract is, and what stands against it. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils import _secret_fingerprint as fingerprints
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import SecretError
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_values import Secrets, value_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Entry, Place


class Trouble(t.NamedTuple):
    """One thing that is wrong and what to do; holds names and places, never values."""

    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.message}; {self.fix}"


@dataclass(frozen=True)
class Request:
    """What is wanted: the contract, and what the operator gives."""

    entries: Sequence[Entry]
    home: str
    given: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Place] = field(default_factory=dict)
    # Whether another controller brings the Secrets; nothing is given then, and nothing made.
    external: bool = False


@dataclass
class Verdict:
    """The value of each entry, None where it has to be made; what the Secrets held; what is wrong."""

    secrets: Secrets
    values: dict[str, bytes | None] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    # Values that must be remembered because they are there for the first time.
    unrecorded: list[str] = field(default_factory=list)


def judge(client: KubeClient, request: Request) -> Verdict:
    """Reads the cluster once; writes nothing."""
    places = [target.place for entry in request.entries for target in entry.targets]
    return _Judge(client, request, Secrets(client, {request.home, *(place.namespace for place in places)})).verdict()


class _Judge:
    def __init__(self, client: KubeClient, request: Request, secrets: Secrets) -> None:
        self._client, self._request, self._secrets = client, request, secrets
        self._result = Verdict(secrets)

    def verdict(self) -> Verdict:
        missing: list[str] = []
        for entry in self._request.entries:
            before = len(self._result.troubles)
            given = self._given(entry)
            value = self._resolve(entry, given)
            if entry.write_once:
                self._keep(entry, value)
            elif value is None and entry.given and not self._request.external:
                # What was said about its source already need not be said twice.
                missing += [entry.name] if len(self._result.troubles) == before else []
            self._result.values[entry.name] = value
        if missing:
            self._add(
                f"only the operator can give {', '.join(missing)}",
                "set secrets_values (vaulted, or from a credential of AWX) or secrets_from for each of them",
            )
        return self._result

    def _add(self, message: str, fix: str) -> None:
        self._result.troubles.append(Trouble(message, fix))

    def _given(self, entry: Entry) -> bytes | None:
        """What the operator gives, if it can be this value."""
        if self._request.external:
            return None
        text, source = self._request.given.get(entry.name), self._request.sources.get(entry.name)
        origin, value = f"secrets_values.{entry.name}", text.encode() if text is not None else None
        if source is not None:
            origin = f"secrets_from.{entry.name}"
            value = value_of(self._client.get(source.ref), source.key)
            if value is None:
                self._add(f"{origin} names {source}, which is not there", "create it or correct secrets_from")
                return None
        if value is not None and (why := entry.unfit(value)):
            self._add(f"{origin} {why}", "give another value")
            return None
        return value

    def _resolve(self, entry: Entry, given: bytes | None) -> bytes | None:
        held = {t_.place: value for t_ in entry.targets if (value := self._secrets.value(t_.place)) is not None}
        distinct = set(held.values())
        if given is not None:
            differing = [str(place) for place, value in held.items() if value != given]
            # A value that only the operator knows changes when the operator says so; a made one never in passing.
            if differing and not entry.given and not entry.write_once:
                self._add(
                    f"another {entry.name} is given than {' and '.join(differing)} hold",
                    f"remove it from secrets_values and secrets_from, or run rotate_secret.yml with "
                    f"secrets_rotate={entry.name}",
                )
            return given
        if len(distinct) > 1:
            places = " and ".join(str(place) for place in held)
            fix = (
                "copy the right one over the other"
                if entry.rotation.verb == "refused"
                else f"finish the rotation: run rotate_secret.yml with secrets_rotate={entry.name}"
            )
            self._add(f"{places} must hold the same {entry.name} and do not", fix)
        return next(iter(held.values()), None)

    def _keep(self, entry: Entry, value: bytes | None) -> None:
        """A value that must never change: is it the one that was there at first?"""
        place = entry.targets[0].place
        recorded = self._secrets.value(
            place._replace(namespace=self._request.home, secret=fingerprints.NAME, key=entry.name)
        )
        held = [self._secrets.value(target.place) for target in entry.targets]
        if value is None and self._request.external:
            return
        forget = (
            f"bring the first one back from a backup of {place} or as secrets_values.{entry.name}. Where the data that "
            f"it encrypted is lost or not wanted: {self._forget(entry, recorded)}"
        )
        if recorded is not None:
            try:
                same = value is not None and fingerprints.matches(recorded, value)
            except fingerprints.FingerprintError as exc:
                raise SecretError([str(exc)]) from exc
            if value is None:
                self._add(f"{entry.name} is gone from {place}, and what it encrypted cannot be read without it", forget)
            elif not same:
                self._add(f"{entry.name} differs from the one that was there at first, and can never change", forget)
            return
        if value is None and (volumes := self._volumes(entry)):
            self._add(f"{entry.name} is not in {place}, and volume {', '.join(volumes)} was written with one", forget)
        elif value is not None and any(other is not None and other != value for other in held):
            self._add(f"another {entry.name} is given than {place} holds, and it can never change", forget)
        self._result.unrecorded.append(entry.name)

    def _forget(self, entry: Entry, recorded: bytes | None) -> str:
        if recorded is not None:
            return f"delete Secret {self._request.home}/{fingerprints.NAME}"
        volumes = self._volumes(entry)
        return f"delete volume {', '.join(volumes)}" if volumes else f"remove secrets_values.{entry.name}"

    def _volumes(self, entry: Entry) -> list[str]:
        return [
            f"{namespace}/{claim['metadata']['name']}"
            for namespace, selector in entry.encrypts
            for claim in self._client.list("v1", "PersistentVolumeClaim", namespace, selector)
        ]
