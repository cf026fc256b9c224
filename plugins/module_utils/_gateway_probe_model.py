# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A model's pods as a probe of the gateway sees them: what they received, kept in cache, and fail on demand.

Private to the collection.
"""

from __future__ import annotations

import json
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import read_gauges, retries_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import service_targets

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import Reader, Target

try:
    import urllib3
except ImportError:  # said by ModelPod, so that the rest of the collection can be imported without it
    urllib3 = None  # type: ignore[assignment]

HITS: t.Final = "vllm:prefix_cache_hits_total"
LOG: t.Final = "/simulator/requests"
FAULTS: t.Final = "/simulator/faults"
MODEL_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "name": {"type": "str", "required": True},
    "served_name": {"type": "str"},
    "services": {"type": "list", "elements": "str", "default": []},
}
MODELS_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "models": {"type": "list", "elements": "dict", "required": True, "options": MODEL_SPEC},
    "timeout": {"type": "float", "default": 120.0},
}


def model_targets(client: Reader, serving: t.Mapping[str, t.Any], item: t.Mapping[str, t.Any]) -> list[Target]:
    """All pods that may answer for a model, those of its canary included."""
    services = item["services"] or [item["name"]]
    return [
        target
        for service in services
        for target in service_targets(client, serving["namespace"], service, serving["port"])
    ]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as a model got it."""

    path: str
    headers: t.Mapping[str, str]
    body: t.Mapping[str, t.Any]
    text: str
    """All of it, to search for what must not be there."""

    @classmethod
    def of(cls, entry: t.Mapping[str, t.Any]) -> Received:
        headers = {str(name).lower(): str(value) for name, value in entry["headers"]}
        return cls(entry["path"], headers, entry["body"] or {}, json.dumps(entry))


class ModelPod:
    """One pod of a model behind a URL."""

    def __init__(self, name: str, url: str, key: str | None, timeout: float = 30.0) -> None:
        if urllib3 is None:
            raise ProbeError("the Python package urllib3 is needed; install it for the interpreter of this host")
        self.name = name
        self._url = url
        # A closure, so that no repr of this object can show it.
        self._headers: t.Callable[[], dict[str, str]] = lambda: {"Authorization": f"Bearer {key}"} if key else {}
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=urllib3.Timeout(connect=10.0, read=timeout))

    def text(self, method: str, path: str, body: t.Any = None) -> str:
        sent = None if body is None else json.dumps(body)
        try:
            answer = self._pool.request(
                method, self._url + path, body=sent, headers=self._headers(), retries=retries_of(method)
            )
        except urllib3.exceptions.HTTPError as exc:
            raise ProbeError(f"{method} {path} of {self.name}: {exc}") from exc
        if answer.status != 200:
            raise ProbeError(f"{method} {path} of {self.name} gave status {answer.status}")
        return str(answer.data.decode("utf-8", "replace"))

    def json(self, method: str, path: str, body: t.Any = None) -> t.Any:
        return json.loads(self.text(method, path, body))


@dataclass(frozen=True, slots=True)
class Model:
    """A model as clients name it, and its pods."""

    name: str
    pods: t.Sequence[ModelPod] = field(default_factory=tuple)
    simulated: bool = False
    path: str = ""
    """Name of its objects, and in the path that leads to it."""

    def demand_log(self) -> None:
        if not self.simulated or not self.pods:
            raise ProbeError(f"model {self.name!r} keeps no log of what it received; only a simulator does")

    def log(self) -> list[Received]:
        """The newest requests of all pods."""
        self.demand_log()
        return [Received.of(entry) for pod in self.pods for entry in pod.json("GET", LOG)["requests"]]

    def received(self, marker: str) -> list[Received]:
        """The requests with this text in them."""
        return [request for request in self.log() if marker in request.text]

    def cache_hits(self) -> float:
        """Tokens that were found in the prefix caches of all pods since they started."""
        if not self.pods:
            raise ProbeError(f"model {self.name!r} has no pod to ask")
        total = 0.0
        for pod in self.pods:
            found = read_gauges(pod.text("GET", "/metrics"), (HITS,))
            if HITS not in found:
                raise ProbeError(f"the metrics of {pod.name} lack {HITS}")
            total += found[HITS]
        return total

    @contextmanager
    def failing(self, marker: str) -> t.Iterator[None]:
        """Requests with this text in their body fail, all others go on; undone at the end, whatever happened."""
        self.demand_log()
        before = [(pod, pod.json("GET", FAULTS)) for pod in self.pods]
        if any(faults.get("only_with") for _pod, faults in before):
            raise ProbeError(f"somebody else lets requests to model {self.name!r} fail; try again later")
        changed = [(pod, {name: faults[name] for name in ("error_rate", "only_with")}) for pod, faults in before]
        try:
            for pod, _faults in changed:
                pod.json("PUT", FAULTS, {"error_rate": 1.0, "only_with": marker})
            yield
        finally:
            for pod, faults in changed:
                pod.json("PUT", FAULTS, faults)
