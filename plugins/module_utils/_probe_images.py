# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Do pods run by digests of the lock, and is everything else refused? Private to the collection."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRefError, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import Policy, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import PinError, pin
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import restricted_pod

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

    Object = dict[str, t.Any]

PINNED: t.Final = Claim(
    "all-images-pinned",
    "read",
    "Every pod that runs has its images by digest, and every digest is in the lock.",
    "of every container, init and ephemeral ones too, the digest is in the lock, and it is what the node runs",
)
UNDIGESTED: t.Final = Claim(
    "undigested-pod-refused",
    "live",
    "The cluster refuses pods in our namespaces whose images have no digest or come from a foreign registry.",
    "the same pod is accepted with a digest, refused without, and refused from another registry",
)
UNLOCKED: t.Final = Claim(
    "unlocked-image-refused",
    "read",
    "An image that is not in the lock cannot be rendered.",
    "a locked image is pinned; the same image with another tag is refused by name",
)
DENYLISTED: t.Final = Claim(
    "denylisted-refused",
    "read",
    "Releases that are known to be bad are refused, whatever the lock says of them.",
    "each release of the denylist is refused with its advisory, the release that runs is not",
)
YOUNG: t.Final = Claim(
    "young-release-refused",
    "read",
    "A digest that was first seen less than the quarantine ago is refused.",
    "a digest seen today is refused, the same one seen before the quarantine is not",
)
GATE: t.Final = Claim(
    "gate-refuses",
    "read",
    "The policy gate finds every fault that was planted, and none in the tree that is delivered.",
    "each planted fault is found by its rule and named with a fix; the delivered tree has none",
)
CLAIMS: t.Final[dict[str, Claim]] = {
    "pinned": PINNED,
    "undigested": UNDIGESTED,
    "unlocked": UNLOCKED,
    "denylisted": DENYLISTED,
    "young": YOUNG,
    "gate": GATE,
}
_LISTS: t.Final = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
_ELSEWHERE: t.Final = "registry.invalid"


def observe_pinned(client: KubeClient, lock: Lock, namespaces: Iterable[str] | None) -> Observation:
    """Looks at the pods of the namespaces, or of all of them when none are named."""
    seen = Observation()
    wanted = None if namespaces is None else set(namespaces)
    pods = [pod for pod in client.list("v1", "Pod") if wanted is None or pod["metadata"]["namespace"] in wanted]
    digests = {entry.digest for entry in lock.images.values() if entry.digest}
    images: set[str] = set()
    for pod in pods:
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for image, running in containers_of(pod):
            images.add(image)
            seen.faults += [f"pod {name}: {fault}" for fault in _faults(image, running, digests)]
    if not pods:
        raise ProbeError("no pod runs")
    where = "in all namespaces" if wanted is None else f"in {len(wanted)} namespace(s) of ours"
    seen.facts.append(f"{len(pods)} pod(s) {where} run {len(images)} image(s), all of them looked up in the lock")
    return seen


def containers_of(pod: Object) -> Iterable[tuple[str, str]]:
    """(image as asked for, image as the node reports it) of every container; the second is empty before it runs."""
    for listed, reported in _LISTS:
        statuses = {status["name"]: status for status in (pod.get("status") or {}).get(reported) or ()}
        for container in pod["spec"].get(listed) or ():
            yield container["image"], str((statuses.get(container["name"]) or {}).get("imageID") or "")


def _faults(image: str, running: str, digests: set[str]) -> list[str]:
    try:
        digest = parse_image(image).digest
    except ImageRefError as exc:
        return [str(exc)]
    if not digest:
        return [f"{image} has no digest"]
    if digest not in digests:
        return [f"{image} is not in the lock"]
    # A simulated node runs nothing, and what was just made does not run yet.
    if "@" in running and not running.endswith(f"@{digest}"):
        return [f"{image} runs as {running}"]
    return []


def observe_undigested(client: KubeClient, namespaces: Sequence[str], image: str) -> Observation:
    """Dry runs in each namespace: the allowed pod first, for a server that refuses everything would look safe."""
    seen = Observation()
    ref = parse_image(image)
    if not ref.digest:
        raise ProbeError(f"{image} has no digest, so no pod can be the allowed one")
    bare = str(dataclasses.replace(ref, digest="", tag=ref.tag or "latest"))
    foreign = str(dataclasses.replace(ref, registry=_ELSEWHERE))
    for namespace in namespaces:
        path = f"/api/v1/namespaces/{namespace}/pods"

        def attempt(name: str, path: str = path) -> tuple[int, str]:
            answer = client.request("POST", path, query={"dryRun": "All"}, body=restricted_pod("probe-image", name))
            return answer.status, str(answer.json().get("message") or "")

        status, message = attempt(str(ref))
        if status != 201:
            seen.faults.append(f"namespace {namespace} refuses even {ref}: {message}")
            continue
        for name, word in ((bare, "need a digest"), (foreign, "are not allowed here")):
            status, message = attempt(name)
            if status == 201:
                seen.faults.append(f"namespace {namespace} accepts {name}")
            elif word not in message:
                seen.faults.append(f"namespace {namespace} refuses {name} for another reason: {message}")
    seen.facts.append(
        f"in {len(namespaces)} namespace(s): {ref.name} accepted with digest, refused without and elsewhere"
    )
    return seen


def _pod(image: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe"},
        "spec": {"containers": [{"image": image}]},
    }


def observe_unlocked(lock: Lock) -> Observation:
    known = sorted(name for name, entry in lock.images.items() if entry.digest)
    if not known:
        raise ProbeError("the lock has no digest, so nothing can be pinned")
    seen = Observation()
    pinned = pin([_pod(name) for name in known], lock)
    seen.faults += [f"{use.image} could not be pinned" for use in (*pinned.missing, *pinned.contradicted)]
    strangers = [f"{name}-not-in-the-lock" for name in known]
    try:
        pin([_pod(name) for name in strangers], lock).demand_all("the lock")
    except PinError as exc:
        seen.faults += [f"{name} was not named" for name in strangers if name not in str(exc)]
    else:
        seen.faults.append("images that are not in the lock were let through")
    seen.facts.append(f"{len(known)} locked image(s) pinned, {len(strangers)} unlocked one(s) refused by name")
    return seen


def observe_denylisted(policy: Policy, lock: Lock, today: dt.date) -> Observation:
    if not policy.denied:
        raise ProbeError("there is no denylist")
    seen = Observation()
    refused = 0
    for release in policy.denied:
        name = release.image.replace("*/", "ghcr.io/example/", 1).replace("*", "")
        for version in release.versions:
            image = f"{name}:v{version}"
            known = Lock({image: Entry("sha256:" + "0" * 64, "index", VERIFIED, dt.date(2020, 1, 1))})
            rules = {verdict.rule: verdict for verdict in judge([image], known, policy, today)}
            if "denylist" not in rules or release.advisory not in str(rules["denylist"]):
                seen.faults.append(f"{image} is not refused with its advisory")
            refused += 1
    running = [name for name, entry in lock.images.items() if entry.digest]
    seen.faults += [
        str(verdict) for verdict in judge(running, lock, policy, today) if verdict.rule in ("denylist", "floor")
    ]
    seen.facts.append(f"{refused} release(s) refused by advisory, none of {len(running)} locked image(s) is among them")
    return seen


def observe_young(policy: Policy, today: dt.date) -> Observation:
    days = policy.quarantine_days
    if days < 1:
        raise ProbeError("the quarantine is switched off by llm_image_rules.quarantine_days")
    seen = Observation()
    image = f"{policy.registries[0] if policy.registries else 'ghcr.io'}/example/app:v1"
    strict = dataclasses.replace(policy, demand_verified=True, waivers=())

    def refused(first_seen: dt.date | None) -> bool:
        known = Lock({image: Entry("sha256:" + "0" * 64, "index", VERIFIED, first_seen)})
        return any(verdict.rule == "quarantine" for verdict in judge([image], known, strict, today))

    for age, expected in ((0, True), (days - 1, True), (days, False), (days + 30, False)):
        if refused(today - dt.timedelta(days=age)) is not expected:
            seen.faults.append(f"a digest that is {age} day(s) old is {'let through' if expected else 'refused'}")
    if not refused(None):
        seen.faults.append("a digest of unknown age is let through")
    seen.facts.append(
        f"the quarantine is {days} day(s): refused at age 0 and {days - 1}, passed at {days} and {days + 30}"
    )
    return seen
