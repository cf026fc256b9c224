# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings what belongs to a cluster itself into it, outside any tree. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_one import Applier, Outcome, holds
from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import ApplySet
from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import Desired, stages_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ObjectError, order_of, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError, TransportError
from ansible_collections.wmx.llm_platform.plugins.module_utils._wait import Waiter

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

THREADS = 8
# Nothing is pruned, so no object carries its label.
_NO_SET: t.Final = ApplySet("cluster-addons", "kube-system")


class AddonError(KubeError):
    """Not everything could be applied; all refusals are in it."""


def reach(connect: t.Callable[[], KubeClient], seconds: float, pause: float = 1.0) -> KubeClient:
    """A client of an API server that may still be starting.

    Every try connects anew: when another run takes the cluster down, its kubeconfig is gone and there is nothing to
    wait for.
    """
    until = time.monotonic() + seconds
    while True:
        client = connect()
        try:
            response = client.request("GET", "/readyz")
        except TransportError as exc:
            trouble = str(exc)
        else:
            if response.status < 500:  # what a refusal means, the first object will say
                return client
            trouble = f"the API server is not ready: {response.body[-300:].decode(errors='replace').strip()}"
        if time.monotonic() >= until:
            raise AddonError(f"waited {seconds:.0f} s: {trouble}")
        time.sleep(pause)


def bring(client: KubeClient, objects: t.Sequence[Object], *, seconds: float, dry_run: bool) -> list[Outcome]:
    """Apply all objects in order and wait for their workloads."""
    applier = Applier(client, dry_run=dry_run)
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="addons") as executor:
        for stage in stages_of(_desired(objects)):
            outcomes += executor.map(partial(_bring_one, client, applier), stage.objects)
            if errors := [outcome.error for outcome in outcomes if outcome.error]:
                raise AddonError("\n".join(errors))
    if not dry_run:
        workloads = {done.desired.ref: done.live for done in outcomes if done.desired.ref.group == "apps"}
        Waiter(client).wait(workloads, seconds)
    return outcomes


def _desired(objects: t.Sequence[Object]) -> list[Desired]:
    desired = []
    for number, obj in enumerate(objects, start=1):
        try:
            ref = ref_of(obj)
        except ObjectError as exc:
            raise AddonError(f"object {number} of {len(objects)}: {exc}") from exc
        desired.append(Desired(ref, _NO_SET, f"object {number}", obj, order_of(obj)))
    return desired


def _bring_one(client: KubeClient, applier: Applier, desired: Desired) -> Outcome:
    try:
        live = client.get(desired.ref)
    except KubeError as exc:
        return Outcome(desired, "failed", error=f"{desired.ref}: {exc}")
    if "status" not in desired.object or live is None:
        return applier.apply(desired, live)
    # A status is written at birth. From then on the cluster's controllers own the object together with us: it is
    # enough that what is wanted is there, for to claim each field again would be a change without a difference.
    wanted = {key: value for key, value in desired.object.items() if key != "status"}
    if holds(live, wanted):
        return Outcome(desired, "unchanged", before=live, live=live)
    return applier.apply(Desired(desired.ref, desired.applyset, desired.file, wanted, desired.order), live)
