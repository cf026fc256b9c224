# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The pods from which connections are tried, theirs and ours: made, asked, removed. Private to the collection."""

from __future__ import annotations

import http.client
import inspect
import json
import secrets
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils import _network_probe_agent
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_agent import PORT
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_map import STRANGER, Source
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import NotStartedError
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import Dial, PortForwardError, forward
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward_stream import Target as Listener
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import ENFORCE, Object, restricted_pod
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Pods

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import Runner

LABEL: t.Final = "llm-platform.wmx.dev/probe"
VALUE: t.Final = "network"
# A pause is what every pod of the probe makes: their questions together must not be what they wait for.
PAUSE_SECONDS: t.Final = 0.5
ANSWER_SECONDS: t.Final = 60.0
# No pod of ours may get requests that are meant for the pods whose labels it has, so it never becomes ready.
NEVER_READY: t.Final = [{"conditionType": f"{LABEL}-is-never-ready"}]
# The agent comes on standard input, before what it is asked.
_ONCE: t.Final = "import json, sys; exec(json.loads(sys.stdin.readline()), {'__name__': '__main__'})"

HUNG_UP: t.Final = ("reset by peer", "broken pipe", "EOF")

# Host, port, protocol, and whether the flows allow it.
Wanted = tuple[str, int, str, bool]


class StandIns:
    """Pods of ours in the namespaces that there are, and one in a namespace of its own; gone when the block ends."""

    def __init__(self, client: KubeClient, dial: Dial, image: str, deadline: float) -> None:
        self._client = client
        self._dial = dial
        self._image = image
        self._deadline = deadline
        self._namespaces: set[str] = set()
        self._number = 0
        self.stranger = Source(STRANGER, f"llm-platform-probe-{secrets.token_hex(4)}", {}, {})

    def __enter__(self) -> t.Self:
        labels = {LABEL_PART_OF: PLATFORM, ENFORCE: "restricted", LABEL: VALUE}
        metadata = {"name": self.stranger.namespace, "labels": labels}
        self._client.checked(
            "POST", "/api/v1/namespaces", body={"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        )
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.request("DELETE", f"/api/v1/namespaces/{self.stranger.namespace}")
        remove(self._client, sorted(self._namespaces - {self.stranger.namespace}))

    def start(self, source: Source, born: t.Sequence[tuple[str, int, str]]) -> str:
        """The name of a pod that tries `born` from its first instant."""
        self._number += 1
        name = f"probe-network-{self._number}-{self.stranger.namespace[-8:]}"
        env = [{"name": "BIRTH", "value": json.dumps(born)}]
        code = inspect.getsource(_network_probe_agent)
        pod = restricted_pod(name, self._image, command=["python3", "-c", code], env=env)
        pod["metadata"]["labels"] = {**source.labels, LABEL: VALUE}
        pod["spec"]["readinessGates"] = NEVER_READY
        self._namespaces.add(source.namespace)
        self._client.checked("POST", f"/api/v1/namespaces/{source.namespace}/pods", body=pod)
        return name

    def address(self, namespace: str, name: str) -> str:
        """A pod's address, as soon as its container runs."""
        while True:
            pod = self._client.get_json(f"/api/v1/namespaces/{namespace}/pods/{name}")
            status = pod.get("status") or {}
            states = [item.get("state") or {} for item in status.get("containerStatuses") or ()]
            if status.get("podIP") and any("running" in state for state in states):
                return str(status["podIP"])
            if status.get("phase") in ("Failed", "Succeeded") or time.monotonic() > self._deadline:
                raise ProbeError(f"pod {namespace}/{name} with image {self._image} does not run: {_trouble(status)}")
            time.sleep(PAUSE_SECONDS)

    def ask(self, namespace: str, name: str, wanted: t.Sequence[Wanted]) -> Object:
        """What a pod could open, and what it had opened in its first moments."""
        body = json.dumps(wanted)
        while True:
            try:
                with forward(self._dial, Listener(namespace, name, PORT)) as near:
                    place = urlsplit(near.url)
                    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=ANSWER_SECONDS)
                    connection.request("POST", "/", body)
                    return t.cast("Object", json.loads(connection.getresponse().read()))
            except (OSError, http.client.HTTPException, PortForwardError, ValueError) as exc:
                # It listens only after its first moments are over.
                if time.monotonic() > self._deadline:
                    raise ProbeError(f"pod {namespace}/{name} does not answer: {exc}") from exc
                time.sleep(PAUSE_SECONDS)


def remove(client: KubeClient, namespaces: t.Iterable[str]) -> None:
    """Stand-ins, those of a probe that was killed too."""
    query = {"labelSelector": f"{LABEL}={VALUE}", "gracePeriodSeconds": "0"}
    for namespace in namespaces:
        client.request("DELETE", f"/api/v1/namespaces/{namespace}/pods", query=query)


def remove_namespaces(client: KubeClient) -> None:
    """Of a probe that was killed."""
    found = client.get_json("/api/v1/namespaces", {"labelSelector": f"{LABEL}={VALUE}"})
    for item in found.get("items") or ():
        client.request("DELETE", f"/api/v1/namespaces/{item['metadata']['name']}")


def ask_real(run: Runner, source: Source, wanted: t.Sequence[Wanted]) -> list[str]:
    """What the real pod can open, where its image has Python."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(source.labels.items()))
    agent = json.dumps(inspect.getsource(_network_probe_agent))
    pods = Pods(source.namespace, selector, source.container)
    try:
        done = run(pods, 'exec python3 -c "$1" once', [_ONCE], f"{agent}\n{json.dumps(wanted)}\n")
    except NotStartedError as exc:
        raise NoPython from exc
    if done.code == 127:
        raise NoPython
    try:
        return t.cast("list[str]", json.loads(done.output)["tried"])
    except (ValueError, KeyError) as exc:
        said = (done.errors or done.output).strip()[-200:]
        raise ProbeError(f"pod {source.namespace}/{source.pod} ended with code {done.code}: {said}") from exc


class NoPython(Exception):  # noqa: N818 - no error: such a pod has a stand-in
    """The image of a real pod has nothing to try connections with."""


def listens(dial: Dial, listener: Listener) -> str:
    """Why nothing listens at a pod's port; "" where something does. The API server passes by all policies."""
    with forward(dial, listener) as near:
        place = urlsplit(near.url)
        try:
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=2.0)
            connection.request("GET", "/")
            connection.sock.recv(1)
        except TimeoutError:
            # It waits for more: it is there.
            pass
        except OSError as exc:
            return _heard(near.errors or [str(exc)])
        return _heard(near.errors)


def _heard(errors: t.Sequence[str]) -> str:
    """Whoever hangs up on what is no language of his is there."""
    return "" if not errors or any(word in errors[-1] for word in HUNG_UP) else errors[-1]


def _trouble(status: Object) -> str:
    for item in status.get("containerStatuses") or ():
        for state in (item.get("state") or {}).values():
            if state.get("reason"):
                return f"{state['reason']} {state.get('message') or ''}".strip()
    messages = [item.get("message") for item in status.get("conditions") or () if item.get("message")]
    return "; ".join(messages) or f"phase {status.get('phase')}"
