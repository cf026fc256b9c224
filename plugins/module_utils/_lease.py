# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""One run at a time: a Lease in the home namespace, renewed in the background. Private to the collection."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import socket
import threading
import time
import typing as t
from email.utils import parsedate_to_datetime

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    import types

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object
    from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

NAME = "llm-platform-deliver"
SECONDS = 30
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class LeaseError(KubeError):
    """Another run holds the Lease, or ours was taken away."""


def identity() -> str:
    """Who we are, for people: user@host/pid."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's uid without an entry in passwd
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}/{os.getpid()}"


class DeliverLease:
    """Held from `with` to its end. Times are the server's, so that clocks of controllers need not agree."""

    def __init__(
        self, client: KubeClient, namespace: str, *, holder: str | None = None, seconds: int = SECONDS
    ) -> None:
        self._client = client
        self._base = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._holder = holder or identity()
        self._seconds = seconds
        self._live: Object = {}
        self._offset = dt.timedelta()
        self._stop = threading.Event()
        self._lost = ""
        self._thread: threading.Thread | None = None

    def __enter__(self) -> t.Self:
        self._acquire()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=self._seconds)
        if not self._lost:
            self._release()

    def check(self) -> None:
        """Raise when the Lease is no longer ours; call before each step that writes."""
        if self._lost:
            raise LeaseError(f"this run lost the Lease {self._namespace}/{NAME} ({self._lost}) and stopped; run again")

    def _acquire(self) -> None:
        for _attempt in range(3):
            response = self._client.request("GET", f"{self._base}/{NAME}")
            self._note_clock(response)
            if response.status == 404:
                response = self._client.request("POST", self._base, query=self._query, body=self._body(transitions=0))
            elif response.status == 200:
                response = self._take_over(response.json())
            if response.status in (200, 201):
                self._live = response.json()
                return
            if response.status != 409:
                raise ApiError("PUT", f"{self._base}/{NAME}", response)
        raise LeaseError(f"other runs keep taking the Lease {self._namespace}/{NAME}; wait for them and run again")

    def _take_over(self, live: Object) -> Response:
        spec = live.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        renewed = _parse(spec.get("renewTime") or spec.get("acquireTime"))
        now = self._now()
        if (
            holder
            and renewed
            and now < renewed + dt.timedelta(seconds=spec.get("leaseDurationSeconds") or self._seconds)
        ):
            started = _parse(spec.get("acquireTime")) or renewed
            raise LeaseError(
                f"another run is delivering to this cluster: {holder} holds the Lease {self._namespace}/{NAME} for "
                f"{_seconds(now - started)} s (renewed {_seconds(now - renewed)} s ago); "
                "wait for it to end. A run that was killed frees it by itself "
                f"{spec.get('leaseDurationSeconds') or self._seconds} s after its last renewal"
            )
        body = self._body(transitions=int(spec.get("leaseTransitions") or 0) + 1)
        body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        return self._client.request("PUT", f"{self._base}/{NAME}", query=self._query, body=body)

    @property
    def _query(self) -> dict[str, str]:
        return {"fieldManager": FIELD_MANAGER}

    def _body(self, transitions: int) -> Object:
        now = self._now().strftime(_FORMAT)
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": NAME,
                "namespace": self._namespace,
                "labels": {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: PLATFORM},
            },
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": self._seconds,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": transitions,
            },
        }

    def _renew(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(self._seconds / 3):
            spec = {**self._live["spec"], "renewTime": self._now().strftime(_FORMAT)}
            try:
                response = self._client.request(
                    "PUT", f"{self._base}/{NAME}", query=self._query, body={**self._live, "spec": spec}
                )
            except KubeError as exc:
                if time.monotonic() - last > self._seconds:
                    self._lost = f"could not renew it for {self._seconds} s: {exc}"
                    return
                continue
            if response.status == 200:
                self._live, last = response.json(), time.monotonic()
            elif response.status in (404, 409):
                self._lost = "somebody else changed or deleted it"
                return
            elif time.monotonic() - last > self._seconds:
                self._lost = f"the API server answered {response.status} to its renewal"
                return

    def _release(self) -> None:
        spec = {**self._live["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            self._client.request(
                "PUT", f"{self._base}/{NAME}", query=self._query, body={**self._live, "spec": spec}, timeout=5
            )
        except KubeError:
            return  # it expires by itself

    def _note_clock(self, response: Response) -> None:
        stamp = next((value for name, value in response.headers.items() if name.lower() == "date"), None)
        if stamp:
            self._offset = parsedate_to_datetime(stamp) - dt.datetime.now(dt.UTC)

    def _now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self._offset


def _seconds(delta: dt.timedelta) -> int:
    return max(0, int(delta.total_seconds()))


def _parse(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
