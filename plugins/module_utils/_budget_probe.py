# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to the destructive checks of budgets. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from contextlib import ExitStack
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_attacks import (
    CANCEL,
    HOLDS,
    observe_attacks,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_load import Client
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_model import ModelLog
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_outages import (
    POSTGRES,
    RECOVERS,
    REDIS,
    Recovered,
    observe_postgres,
    observe_recovery,
    observe_redis,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Scene, Timing, Workload
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
    run_probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import exec_runner
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Pods
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_reach import reach
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Effort
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLM

ATTACKS: t.Final = "attacks"
WITHOUT_POSTGRES: t.Final = "postgres"
WITHOUT_REDIS: t.Final = "redis"
KINDS: t.Final = (ATTACKS, WITHOUT_POSTGRES, WITHOUT_REDIS)
_FEWEST: t.Final = 2
_EMPTY: t.Final = "REDISCLI_AUTH=$(cat /run/secrets/redis/password) redis-cli FLUSHALL"
WORKLOAD_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "namespace": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["StatefulSet", "Deployment"], "default": "StatefulSet"},
    "name": {"type": "str", "required": True},
}


def claims_of(kinds: t.Collection[str]) -> list[Claim]:
    claims = []
    if ATTACKS in kinds:
        claims += [HOLDS, CANCEL]
    if WITHOUT_POSTGRES in kinds:
        claims.append(POSTGRES)
    if WITHOUT_REDIS in kinds:
        claims.append(REDIS)
    if WITHOUT_POSTGRES in kinds and WITHOUT_REDIS in kinds:
        claims.append(RECOVERS)
    return claims


def probe(params: t.Mapping[str, t.Any]) -> tuple[list[Check], list[str]]:
    """All checks of the kinds asked for, and warnings."""
    claims = claims_of(params["kinds"])
    if not params["disposable"]:
        reason = "the environment is not disposable, and this breaks it on purpose: set llm_disposable where it is"
        return [claim.not_run(reason) for claim in claims], []
    began = time.monotonic()
    warnings: list[str] = []
    with ExitStack() as stack:
        try:
            scene = _set(stack, params)
        except (ProbeError, LiteLLMError, KubeError) as exc:
            return [claim.not_run(str(exc), time.monotonic() - began) for claim in claims], []
        try:
            checks = _carry_out(scene, params)
        finally:
            try:
                scene.guests.remove()
            except LiteLLMError as exc:
                warnings.append(f"the probe's teams could not be removed, the next probe will try again: {exc}")
    return checks, warnings


def _set(stack: ExitStack, params: t.Mapping[str, t.Any]) -> Scene:
    stage = reach(stack, {**params, "requests": 0}, Effort())
    stage.demand_replicas(_FEWEST)
    model = stage.priced()
    if not model.witness.simulated:
        raise ProbeError("what a budget really bought is read from the simulator's log, and this model keeps none")
    stage.guests.remove_leftovers()
    admins: list[LiteLLM] = [t.cast("LiteLLM", replica.admin) for replica in stage.replicas]
    clients = [
        Client(replica.name, admin.url, timeout=params["timeout"])
        for replica, admin in zip(stage.replicas, admins, strict=True)
    ]
    log = stack.enter_context(ModelLog(model.witness.pods, model.witness.key))
    timing = Timing(params["cache_ttl"], params["flush_seconds"], params["reset_seconds"])
    return Scene(clients, admins[0], stage.guests, model, log, timing)


def _carry_out(scene: Scene, params: t.Mapping[str, t.Any]) -> list[Check]:
    kube = KubeClient.from_options(params)
    recovered = Recovered(simulated=scene.model.witness.simulated)
    checks: list[Check] = []
    if ATTACKS in params["kinds"]:
        checks += _both(scene)
    if WITHOUT_POSTGRES in params["kinds"]:
        checks.append(_one(POSTGRES, lambda: observe_postgres(scene, _workload(kube, params, "database"), recovered)))
    if WITHOUT_REDIS in params["kinds"]:
        checks.append(
            _one(
                REDIS,
                lambda: observe_redis(
                    scene, _workload(kube, params, "redis"), partial(_forget, kube, params), recovered
                ),
            )
        )
    if RECOVERS in claims_of(params["kinds"]):
        checks.append(_one(RECOVERS, lambda: observe_recovery(recovered)))
    return checks


def _both(scene: Scene) -> list[Check]:
    """One run of the table settles two claims."""
    cancelled: list[Observation] = []

    def holds() -> Observation:
        seen, more = observe_attacks(scene)
        cancelled.append(more)
        return seen

    first = _one(HOLDS, holds)
    if cancelled:
        second = _one(CANCEL, lambda: cancelled[0])
    else:
        second = CANCEL.not_run(first.get("reason") or "the attacks did not run")
    return [first, second]


def _one(claim: Claim, observe: t.Callable[[], Observation]) -> Check:
    def guarded() -> Observation:
        try:
            return observe()
        except (LiteLLMError, KubeError) as exc:
            raise ProbeError(str(exc)) from exc

    return run_probe(claim, guarded)


def _workload(kube: KubeClient, params: t.Mapping[str, t.Any], which: str) -> Workload:
    item = params[which]
    if not item:
        raise ProbeError(f"the {which} is not ours to take away: it runs outside of this platform's workloads")
    return Workload(kube, item["namespace"], item["kind"], item["name"])


def _forget(kube: KubeClient, params: t.Mapping[str, t.Any]) -> None:
    """Throw everything away, as a lost volume does; the password stays in the pod."""
    item = params["redis"]
    pods = Pods(item["namespace"], f"app.kubernetes.io/name={item['name']}", item["name"])
    done = exec_runner(kube, params)(pods, _EMPTY, [], "")
    if done.code or "OK" not in done.output:
        raise ProbeError(f"Redis could not be emptied: {(done.errors or done.output).strip()[:200]}")
