# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Applies one object: skip, send, try again when that can help, say what happened. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._compare import Overruled, is_current, overruled
from ansible_collections.wmx.llm_platform.plugins.module_utils._discovery import UnknownKindError
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._offline import Verdict
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import Desired
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object
    from ansible_collections.wmx.llm_platform.plugins.module_utils._offline import OfflineValidator
    from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

Action = t.Literal["created", "changed", "unchanged", "would_create", "failed"]

WEBHOOK_SECONDS = 90.0  # an operator that was just installed needs this long for its pod, certificate and CA bundle
DRY_RUN_SECONDS = 5.0  # a dry run installs nothing that could still be coming up
NEW_KIND_SECONDS = 20.0  # all API servers must learn of a new CustomResourceDefinition
CONFLICT_TRIES = 6
SERVER_ERROR_TRIES = 3
_WEBHOOK_UNREADY: t.Final = (
    "connection refused",
    "connection reset",
    "no endpoints available",
    "no service port",
    "EOF",
    "context deadline exceeded",
    "i/o timeout",
    "certificate signed by unknown authority",
    "certificate is not valid",
    "no route to host",
    "not found",
)


@dataclass(frozen=True)
class Outcome:
    """What became of one object. `live` is its newest known state."""

    desired: Desired
    action: Action
    before: Object | None = None
    live: Object | None = None
    taken: tuple[Overruled, ...] = ()
    error: str = ""
    not_validated: str = ""


@dataclass
class Patience:
    """How long a refusal may still be worth another try."""

    webhook: float = WEBHOOK_SECONDS
    new_kind: float = NEW_KIND_SECONDS
    sleep: t.Callable[[float], None] = time.sleep
    clock: t.Callable[[], float] = time.monotonic
    pauses: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0)
    settle: tuple[float, ...] = (0.5, 1.0, 1.5)  # a controller answers its watch within a second

    def pause(self, attempt: int) -> None:
        self.sleep(self.pauses[min(attempt, len(self.pauses) - 1)])


class Applier:
    """Used by many threads at once."""

    def __init__(
        self,
        client: KubeClient,
        *,
        dry_run: bool,
        offline: OfflineValidator | None = None,
        patience: Patience | None = None,
        coming: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        """`coming` are the kinds whose CustomResourceDefinitions this very run brings."""
        self._client = client
        self._dry_run = dry_run
        self._offline = offline
        self._patience = patience or Patience()
        self._webhook_seconds = min(self._patience.webhook, DRY_RUN_SECONDS) if dry_run else self._patience.webhook
        self._coming = frozenset() if dry_run else coming

    @staticmethod
    def current(desired: Desired, live: Object | None) -> Outcome | None:
        """The outcome where nothing is to be asked of the server."""
        if live is not None and is_current(desired.object, live):
            return Outcome(desired, "unchanged", before=live, live=live)
        return None

    def apply(self, desired: Desired, live: Object | None) -> Outcome:
        """Never raises KubeError: all errors of a run are collected."""
        if (outcome := self.current(desired, live)) is not None:
            return outcome
        taken = tuple(overruled(desired.object, live)) if live is not None else ()
        try:
            if live is not None and self._is_noise(desired, live):
                return Outcome(desired, "unchanged", before=live, live=live)
            response = self._send(desired)
        except UnknownKindError as exc:
            if self._dry_run and self._offline:
                return self._validated(desired, self._offline)
            return Outcome(desired, "failed", error=f"{desired.ref} ({desired.file}): {exc}")
        except KubeError as exc:
            return Outcome(desired, "failed", error=f"{desired.ref} ({desired.file}): {exc}")
        if response.status >= 400:
            if self._dry_run and self._offline and _namespace_missing(response, desired):
                return self._validated(desired, self._offline)
            return Outcome(desired, "failed", error=refusal(desired, response))
        after = response.json()
        if response.status == 201:
            return Outcome(desired, "created", live=after)
        if live is not None and not _differs(live, after, self._dry_run):
            return Outcome(desired, "unchanged", before=live, live=after)
        return Outcome(desired, "changed", before=live, live=after, taken=taken)

    def _is_noise(self, desired: Desired, live: Object) -> bool:
        """Whether an apply would only write new times of ownership.

        Where a map is atomic, the server's defaults in it look like somebody's change, and its answer to the apply is
        the same object with another resourceVersion. The dry run costs a request: only when nothing wanted is missing.
        """
        if self._dry_run or not holds(live, desired.object):
            return False
        answer = self._client.apply(desired.object, desired.ref, dry_run=True)
        return answer.status == 200 and not _differs(live, answer.json(), dry_run=True)

    def _validated(self, desired: Desired, offline: OfflineValidator) -> Outcome:
        verdict = offline.validate(desired.object)
        namespace = desired.ref.namespace
        if not verdict.error and namespace and not offline.brings_namespace(namespace):
            ref = Ref("", "v1", "Namespace", "", namespace)
            try:
                if self._client.get(ref) is None:
                    verdict = Verdict(error=f"neither the cluster nor the tree has namespace {namespace}")
            except KubeError as exc:
                verdict = Verdict(error=str(exc))
        if verdict.error:
            return Outcome(desired, "failed", error=f"{desired.ref} ({desired.file}): {verdict.error}")
        return Outcome(desired, "would_create", not_validated=verdict.skipped)

    def _send(self, desired: Desired) -> Response:
        patience, started, attempt = self._patience, self._patience.clock(), 0
        while True:
            waited = patience.clock() - started
            try:
                response = self._client.apply(desired.object, desired.ref, dry_run=self._dry_run)
            except UnknownKindError:
                if waited >= patience.new_kind or desired.ref.group_kind not in self._coming:
                    raise
                self._client.discovery.refresh()
            else:
                if response.status < 400 or not self._worth_another(response, desired, waited, attempt):
                    return response
            patience.pause(attempt)
            attempt += 1

    def _worth_another(self, response: Response, desired: Desired, waited: float, attempt: int) -> bool:
        error = ApiError("PATCH", desired.ref.text, response)
        if response.status == 409:
            return error.reason in ("Conflict", "AlreadyExists", "") and attempt < CONFLICT_TRIES
        if response.status == 404:
            return "could not find the requested resource" in error.message and waited < self._patience.new_kind
        if response.status == 500:
            if is_webhook_unready(error.message):
                return waited < self._webhook_seconds
            of_object = "typed patch object" in error.message  # a wrong type: the server calls it its own error
            return attempt < SERVER_ERROR_TRIES and not of_object
        return False


def is_webhook_unready(message: str) -> bool:
    """The server could not reach a webhook, which differs from a webhook that said no."""
    calling = "failed calling webhook" in message or "conversion webhook" in message
    return calling and any(sign in message for sign in _WEBHOOK_UNREADY)


def _namespace_missing(response: Response, desired: Desired) -> bool:
    error = ApiError("PATCH", desired.ref.text, response)
    return response.status == 404 and f'namespaces "{desired.ref.namespace}" not found' in error.message


def holds(live: t.Any, wanted: t.Any) -> bool:
    """Whether everything wanted is there; more may be."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(key in live and holds(live[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(holds(mine, value) for mine, value in zip(live, wanted, strict=True))
    return bool(live == wanted)


def _differs(before: Object, after: Object, dry_run: bool) -> bool:
    """The server's own answer. A dry run bumps no resourceVersion, so the contents decide."""
    if not dry_run:
        return bool(before["metadata"].get("resourceVersion") != after["metadata"].get("resourceVersion"))

    def content(obj: Object) -> Object:
        metadata = {
            name: value
            for name, value in obj["metadata"].items()
            if name not in ("managedFields", "resourceVersion", "generation")
        }
        owners = sorted(
            (entry.get("manager", ""), entry.get("operation", ""), str(entry.get("fieldsV1")))
            for entry in obj["metadata"].get("managedFields") or []
        )
        return {**obj, "metadata": metadata, "owners": owners}

    return content(before) != content(after)


def refusal(desired: Desired, response: Response) -> str:
    """One sentence: object, file, the server's message. Values of a Secret never show."""
    error = ApiError("PATCH", desired.ref.text, response)
    message = error.message
    if desired.ref.kind == "Secret" and not desired.ref.group:
        for value in (desired.object.get("data") or {}).values():
            message = message.replace(str(value), "********") if value else message
    hint = ""
    if response.status == 403:
        hint = "; the user of the kubeconfig needs this permission, or an admission policy refused it"
    elif response.status == 500 and is_webhook_unready(message):
        hint = f"; waited {WEBHOOK_SECONDS:.0f} s for this webhook: look at the pods of its operator"
    elif "being terminated" in message:
        hint = "; the namespace is being deleted: wait until it is gone and run again"
    elif response.status == 422 and "immutable" in message:
        hint = "; this field cannot change: delete the object and run again"
    return f"{desired.ref} ({desired.file}): the API server answered {error.status} {error.reason}: {message}{hint}"
