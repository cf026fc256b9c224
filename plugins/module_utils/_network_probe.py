# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about the network: look, start pods, try all, judge. Private to the collection."""

from __future__ import annotations

import socket
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
    run_probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Flow, Place
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_agent import PORT
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_judge import (
    BIRTH,
    BYPASS,
    EGRESS,
    Attempts,
    Measured,
    Opened,
    judge_birth,
    judge_bypass,
    judge_egress,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_map import (
    OUTSIDE,
    STAND_INS,
    Source,
    Target,
    World,
    is_allowed,
    real_sources,
    sources_of,
    targets_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_pods import (
    NoPython,
    StandIns,
    Wanted,
    ask_real,
    listens,
    remove,
    remove_namespaces,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import exec_runner
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    Dial,
    PortForwardError,
    kubernetes_dial,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward_stream import Target as Listener
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

PROBES: t.Final[dict[str, tuple[Claim, t.Callable[[Measured], Observation]]]] = {
    "bypass": (BYPASS, judge_bypass),
    "egress": (EGRESS, judge_egress),
    "birth": (BIRTH, judge_birth),
}
THREADS: t.Final = 24
# By then the policies of the newest pod act: what its first moments are like is a claim of its own.
SETTLE_SECONDS: t.Final = 3.0


def probe(params: t.Mapping[str, t.Any]) -> list[Check]:
    """One check for each kind; what cannot be tried is a failed check."""
    kinds = params["kinds"]
    began = time.monotonic()
    try:
        seen = measure(params)
    except (ProbeError, KubeError, PortForwardError) as exc:
        return [PROBES[kind][0].not_run(str(exc), time.monotonic() - began) for kind in kinds]
    took = time.monotonic() - began
    # All are shown by the same attempts, so each took as long as these.
    return [{**run_probe(PROBES[kind][0], partial(PROBES[kind][1], seen)), "seconds": round(took, 3)} for kind in kinds]


@dataclass(slots=True)
class _Run:
    """What one probe works with."""

    client: KubeClient
    dial: Dial
    params: t.Mapping[str, t.Any]
    flows: t.Sequence[Flow]
    own: frozenset[str]
    pool: ThreadPoolExecutor
    targets: list[Target] = field(default_factory=list)
    unreached: str = ""

    def wanted(self, source: Source) -> list[Wanted]:
        return [
            (target.host, target.port, target.protocol, is_allowed(self.flows, source.place, target))
            for target in self.targets
        ]


def measure(params: t.Mapping[str, t.Any]) -> Measured:
    """All attempts. Pods and the namespace of the probe are gone when this returns, whatever happened."""
    client, dial = KubeClient.from_options(params), kubernetes_dial(params)
    platform, tenants = params["namespaces"], params["tenants"]
    remove_namespaces(client)
    remove(client, [*platform, *tenants])
    with ThreadPoolExecutor(THREADS) as pool, _outside(params) as outside:
        run = _Run(client, dial, params, params["flows"], frozenset([*platform, *tenants]), pool)
        world = look(run, [*platform, *tenants])
        stand_ins = sources_of(run.flows, platform, tenants, world)
        real = real_sources(stand_ins, world)
        run.targets = targets_of(run.flows, world)
        if isinstance(outside, Target):
            run.targets.append(outside)
        else:
            run.unreached = outside
        if not stand_ins or not run.targets:
            raise ProbeError("there is nothing in the platform's namespaces yet")
        attempts, silent = _try_all(run, stand_ins, real, world)
    return Measured(run.flows, run.own, run.targets, attempts, silent, run.unreached)


def look(run: _Run, namespaces: t.Sequence[str]) -> World:
    """What is in our namespaces, in the one of the API server's Service, and in those of the flows' other ends."""
    others = {name for flow in run.flows for end in (flow["from"], flow["to"]) for name in end["namespaces"]}
    wanted = list(dict.fromkeys([*namespaces, "default", *sorted(others)]))
    known = {
        item["metadata"]["name"]: item["metadata"].get("labels") or {} for item in run.client.list("v1", "Namespace")
    }
    if missing := [name for name in namespaces if name not in known]:
        raise ProbeError(f"namespace {missing[0]} does not exist; bring the platform up with site.yml first")

    def listed(kind: tuple[str, str]) -> list[dict[str, t.Any]]:
        return [
            {**item, "metadata": {**item["metadata"], "namespace": name}}
            for name in wanted
            if name in known
            for item in run.client.list(*kind, name)
        ]

    kinds = (("v1", "Pod"), ("v1", "Service"), ("discovery.k8s.io/v1", "EndpointSlice"))
    pods, services, slices = run.pool.map(listed, kinds)
    return World(known, pods, services, slices, run.client.list("v1", "Node"))


def _try_all(
    run: _Run, stand_ins: t.Sequence[Source], real: t.Sequence[Source], world: World
) -> tuple[list[Attempts], dict[int, str]]:
    existing = list(run.targets)
    with StandIns(run.client, run.dial, run.params["image"], time.monotonic() + run.params["timeout"]) as pods:
        # The stranger's namespace has no policies: it shows what a pod can do where none act.
        sources = [pods.stranger, *stand_ins]
        born = [
            frozenset(
                number
                for number, target in enumerate(existing)
                if target.protocol == "TCP" and not is_allowed(run.flows, source.place, target)
            )
            for source in sources
        ]
        listed = [sorted(numbers) for numbers in born]
        begin = [[(existing[n].host, existing[n].port, existing[n].protocol) for n in numbers] for numbers in listed]
        names = list(run.pool.map(pods.start, sources, begin))
        addresses = list(
            run.pool.map(lambda pair: pods.address(pair[0].namespace, pair[1]), zip(sources, names, strict=True))
        )
        since = time.monotonic()
        for source, name, address in zip(sources, names, addresses, strict=True):
            place = Place(address, source.namespace, source.labels, source.namespace_labels)
            text = f"probe pod {source.title}"
            at = ((source.namespace, name, PORT),)
            run.targets.append(Target(STAND_INS, text, address, PORT, "TCP", ((place, PORT),), at))
        silent = run.pool.submit(_silent, run, len(existing))
        time.sleep(max(0.0, since + SETTLE_SECONDS - time.monotonic()))
        # One after the other: the client that runs commands in pods cannot connect twice at once.
        really = run.pool.submit(lambda: [one for source in real if (one := _ask_real(run, source, world))])
        asked = [
            run.pool.submit(_ask, run, pods, Attempts(source, address, born=numbers), name, order)
            for source, address, numbers, name, order in zip(sources, addresses, born, names, listed, strict=True)
        ]
        found = [future.result() for future in asked] + really.result()
        return found, silent.result() | _guessed_wrong(run.targets, found[0])


def _ask(run: _Run, pods: StandIns, one: Attempts, name: str, order: t.Sequence[int]) -> Attempts:
    try:
        said = pods.ask(one.source.namespace, name, run.wanted(one.source))
    except (ProbeError, KubeError) as exc:
        one.trouble = str(exc)
        return one
    one.tried = dict(enumerate(said["tried"]))
    one.rounds = said["birth"]["rounds"]
    one.opened = tuple(
        Opened(order[entry["target"]], entry["times"], entry["last_ms"], entry["lives"])
        for entry in said["birth"]["opened"]
    )
    return one


def _ask_real(run: _Run, source: Source, world: World) -> Attempts | None:
    """Nothing where the pod's image has no Python: a stand-in has tried for it."""
    pod = next(pod for pod in world.pods if pod["metadata"]["name"] == source.pod)
    one = Attempts(source, world.place(pod).address)
    try:
        one.tried = dict(enumerate(ask_real(exec_runner(run.client, run.params), source, run.wanted(source))))
    except NoPython:
        return None
    except (ProbeError, KubeError) as exc:
        one.trouble = str(exc)
    return one


def _guessed_wrong(targets: t.Sequence[Target], stranger: Attempts) -> dict[int, str]:
    return {
        number: stranger.tried.get(number, stranger.trouble)
        for number, target in enumerate(targets)
        if target.guessed and stranger.tried.get(number)
    }


def _silent(run: _Run, count: int) -> dict[int, str]:
    """Which of the first targets nothing listens at. Behind a Service one pod that listens is enough."""
    listeners = sorted({at for target in run.targets[:count] if target.protocol == "TCP" for at in target.pods})

    def why(at: tuple[str, str, int]) -> str:
        return listens(run.dial, Listener(*at))

    # A pool of its own: in the shared one these would wait for those that wait for them.
    with ThreadPoolExecutor(THREADS) as pool:
        said = dict(zip(listeners, pool.map(why, listeners), strict=True))
    found = {}
    for number, target in enumerate(run.targets[:count]):
        if target.kubelet:
            answer = run.client.request("GET", f"/api/v1/nodes/{target.kubelet}/proxy/healthz")
            if answer.status != 200:
                found[number] = f"status {answer.status} through the API server"
        elif target.pods and target.protocol == "TCP" and all(said[at] for at in target.pods):
            found[number] = said[target.pods[0]]
    return found


@contextmanager
def _outside(params: t.Mapping[str, t.Any]) -> t.Iterator[Target | str]:
    """An address out of the cluster that answers for as long as the block runs, or why there is none."""
    address, port = params["outside"]["address"], params["outside"]["port"]
    if not address or not port:
        yield "no address outside of the cluster is named; set network_outside"
        return
    if not params["outside"]["listen"]:
        yield _target_outside(address, port)
        return
    try:
        server = socket.create_server((address, port))
    except OSError as exc:
        why = f"the controller cannot listen at {address}:{port} ({exc.strerror})"
        yield f"{why}; name an address where something listens in network_outside"
        return
    thread = threading.Thread(target=_answer, args=(server,), daemon=True)
    thread.start()
    try:
        yield _target_outside(address, port)
    finally:
        # A socket that only is closed leaves its thread in accept.
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def _target_outside(address: str, port: int) -> Target:
    return Target(OUTSIDE, f"{address}:{port} outside", address, port, "TCP", ((Place(address), port),))


def _answer(server: socket.socket) -> None:
    kept = []
    while True:
        try:
            connection, _peer = server.accept()
        except OSError:
            break
        # Whoever asks whether a connection lives on gets an answer.
        connection.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")
        kept.append(connection)
    for connection in kept:
        connection.close()
