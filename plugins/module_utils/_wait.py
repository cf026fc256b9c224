# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Waits until objects are ready, with one watch per kind. Private to the collection."""

from __future__ import annotations

import queue
import threading
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._explain import explain
from ansible_collections.wmx.llm_platform.plugins.module_utils._readiness import READY, Readiness, readiness, waiting
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._discovery import Resource
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object, Ref

SLICE = 30.0
PAUSE = 0.2  # some proxies end every watch at once
EXPLAINED = 8
Key = tuple[str, str, str, str]


class WaitError(KubeError):
    """Objects are not ready in time, or can never be."""


@dataclass
class _Pending:
    ref: Ref
    last: Object | None
    state: Readiness


class _Watcher(threading.Thread):
    """Pumps lists and watch events of one kind into the queue until told to stop."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        selector: str | None,
        events: queue.Queue[tuple[Resource, str, t.Any]],
        stop: threading.Event,
    ) -> None:
        super().__init__(name=f"watch {resource.kind}", daemon=True)
        self._client, self._resource, self._selector, self._events, self._halt = (
            client,
            resource,
            selector,
            events,
            stop,
        )

    def run(self) -> None:
        while not self._halt.is_set():
            try:
                self._follow()
            except KubeError as exc:
                self._events.put((self._resource, "ERROR", exc))
                self._halt.wait(1)

    def _follow(self) -> None:
        items, version = self._client.list_resource(self._resource, label_selector=self._selector)
        self._events.put((self._resource, "LIST", items))
        while not self._halt.is_set():
            stream = self._client.watch(
                self._resource, resource_version=version, label_selector=self._selector, seconds=SLICE
            )
            for event in stream:
                if self._halt.is_set():
                    return
                obj = event["object"]
                if event["type"] == "ERROR":  # 410 Gone: start again from a new list
                    return
                version = obj["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._events.put((self._resource, event["type"], obj))
            self._halt.wait(PAUSE)


class Waiter:
    """Waits for many objects of many kinds at once."""

    def __init__(self, client: KubeClient, selector: str | None = None) -> None:
        self._client = client
        self._selector = selector
        self._late_binding: set[str] | None = None

    def wait(self, known: t.Mapping[Ref, Object | None], seconds: float) -> dict[Ref, Object]:
        """Until all are ready; the newest state of each. `known` has what was last seen of each."""
        newest = {ref: obj for ref, obj in known.items() if obj is not None}
        pending: dict[Key, _Pending] = {}
        for ref, obj in known.items():
            state = self._judge(obj) if obj is not None else waiting("not seen yet")
            if state.state != "ready":
                pending[ref.key] = _Pending(ref, obj, state)
        if not pending:
            return newest
        self._raise_if_failed(pending)
        events: queue.Queue[tuple[Resource, str, t.Any]] = queue.Queue()
        stop = threading.Event()
        for resource in {self._client.discovery.of(entry.ref) for entry in pending.values()}:
            _Watcher(self._client, resource, self._selector, events, stop).start()
        deadline = time.monotonic() + seconds
        trouble = ""
        try:
            while pending:
                try:
                    resource, kind, payload = events.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    raise WaitError(self._late(pending, seconds, trouble)) from None
                if kind == "ERROR":
                    trouble = str(payload)
                else:
                    self._take(resource, kind, payload, pending, newest)
        finally:
            stop.set()
        return newest

    def _take(
        self, resource: Resource, kind: str, payload: t.Any, pending: dict[Key, _Pending], newest: dict[Ref, Object]
    ) -> None:
        objects = payload if kind == "LIST" else [payload]
        for obj in objects:
            metadata = obj["metadata"]
            entry = pending.get((resource.group, resource.kind, metadata.get("namespace", ""), metadata["name"]))
            if entry is None:
                continue
            if kind == "DELETED":
                entry.last, entry.state = None, waiting("somebody deleted it while we waited")
                continue
            seen = {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
            entry.last, entry.state = seen, self._judge(seen)
            newest[entry.ref] = seen
            if entry.state.state == "ready":
                del pending[entry.ref.key]
        self._raise_if_failed(pending)

    def _judge(self, obj: Object) -> Readiness:
        state = readiness(obj)
        if state.state == "waiting" and obj["kind"] == "PersistentVolumeClaim" and self._binds_late(obj):
            return READY  # it is bound when its first pod comes; that pod's owner is waited for
        return state

    def _binds_late(self, claim: Object) -> bool:
        if self._late_binding is None:
            self._late_binding = {
                item["metadata"]["name"]
                for item in self._client.list("storage.k8s.io/v1", "StorageClass")
                if item.get("volumeBindingMode") == "WaitForFirstConsumer"
            }
        return (claim.get("spec") or {}).get("storageClassName") in self._late_binding

    def _raise_if_failed(self, pending: dict[Key, _Pending]) -> None:
        broken = [entry for entry in pending.values() if entry.state.state == "failed"]
        if broken:
            raise WaitError("\n".join(["these objects failed:", *self._lines(broken)]))

    def _late(self, pending: dict[Key, _Pending], seconds: float, trouble: str) -> str:
        lines = [f"not ready after {seconds:.0f} s ({len(pending)} objects):", *self._lines(list(pending.values()))]
        if trouble:
            lines.append(f"- watching had trouble: {trouble}")
        return "\n".join(lines)

    def _lines(self, entries: list[_Pending]) -> list[str]:
        lines = []
        for entry in sorted(entries, key=lambda item: item.ref)[:EXPLAINED]:
            lines.append(f"- {entry.ref}: {entry.state.reason}")
            lines += [f"    {line}" for line in explain(self._client, entry.ref, entry.last)]
        if len(entries) > EXPLAINED:
            lines.append(f"- and {len(entries) - EXPLAINED} more")
        return lines
