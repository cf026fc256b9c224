# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to the destructive checks of budgets. Private to the collection."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack, contextmanager
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
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_replica import REPLICA, observe_replica
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Scene, Timing, Workload
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
    run_probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import ModelPod
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import UNREACHABLE, with_guests
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import exec_runner
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    PortForwardError,
    forward,
    kubernetes_dial,
    service_targets,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Pods
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_reach import reach
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Effort

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLM

ATTACKS: t.Final = "attacks"
WITHOUT_POSTGRES: t.Final = "postgres"
WITHOUT_REDIS: t.Final = "redis"
WITHOUT_REPLICA: t.Final = "replica"
KINDS: t.Final = (ATTACKS, WITHOUT_REPLICA, WITHOUT_POSTGRES, WITHOUT_REDIS)
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
    if WITHOUT_REPLICA in kinds:
        claims.append(REPLICA)
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
    return with_guests(claims, partial(_set, params), partial(_carry_out, params))


def _set(params: t.Mapping[str, t.Any], stack: ExitStack) -> Scene:
    stage = reach({**params, "requests": 0}, Effort(), stack)
    stage.demand_replicas(_FEWEST)
    model = stage.priced()
    if not model.witness.simulated:
        raise ProbeError("what a budget really bought is read from the simulator's log, and this model keeps none")
    admins: list[LiteLLM] = [t.cast("LiteLLM", replica.admin) for replica in stage.replicas]
    clients = [
        Client(replica.name, admin.url, timeout=params["timeout"])
        for replica, admin in zip(stage.replicas, admins, strict=True)
    ]
    log = stack.enter_context(ModelLog(model.witness.pods, model.witness.key))
    timing = Timing(params["cache_ttl"], params["flush_seconds"], params["reset_seconds"])
    others = [other for other in stage.models if other is not model]
    return Scene(clients, admins[0], stage.guests, model, log, timing, stage.replicas, others)


def _carry_out(params: t.Mapping[str, t.Any], scene: Scene) -> list[Check]:
    kube = KubeClient.from_options(params)
    recovered = Recovered(simulated=scene.model.witness.simulated)
    checks: list[Check] = []
    if ATTACKS in params["kinds"]:
        checks += _both(scene)
    if WITHOUT_REPLICA in params["kinds"]:
        place = _place(params, scene)
        pods = partial(_pods, kube, params, place, scene.model.witness.key)
        workload = Workload(kube, params["serving"]["namespace"], "Deployment", place)
        checks.append(_one(REPLICA, lambda: observe_replica(scene, workload, pods)))
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
    return run_probe(claim, observe, UNREACHABLE)


def _place(params: t.Mapping[str, t.Any], scene: Scene) -> str:
    """The name of the model's objects."""
    (found,) = (item["name"] for item in params["models"] if (item["served_name"] or item["name"]) == scene.model.name)
    return str(found)


@contextmanager
def _pods(kube: KubeClient, params: t.Mapping[str, t.Any], name: str, key: str | None) -> t.Iterator[list[ModelPod]]:
    with ExitStack() as stack:
        try:
            dial = kubernetes_dial(params)
            targets = service_targets(kube, params["serving"]["namespace"], name, params["serving"]["port"])
            yield [ModelPod(target.pod, stack.enter_context(forward(dial, target)).url, key) for target in targets]
        except PortForwardError as exc:
            raise ProbeError(str(exc)) from exc


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
