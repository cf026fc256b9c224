# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether an object is ready, still coming up, or has failed: one pure function per kind. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

State = t.Literal["ready", "waiting", "failed"]


@dataclass(frozen=True)
class Readiness:
    state: State
    reason: str = ""


READY: t.Final = Readiness("ready")


def waiting(reason: str) -> Readiness:
    return Readiness("waiting", reason)


def failed(reason: str) -> Readiness:
    return Readiness("failed", reason)


def _condition(conditions: t.Iterable[Object], kind: str) -> Object | None:
    return next((entry for entry in conditions if entry.get("type") == kind), None)


def _conditions(obj: Object) -> list[Object]:
    return t.cast("list[Object]", (obj.get("status") or {}).get("conditions") or [])


def _describe(condition: Object) -> str:
    parts = [str(condition.get(key)) for key in ("reason", "message") if condition.get(key)]
    return f"{condition['type']}={condition.get('status')}" + (f" ({': '.join(parts)})" if parts else "")


def _is_true(condition: Object | None, generation: int) -> bool:
    return (
        condition is not None
        and condition.get("status") == "True"
        and int(condition.get("observedGeneration") or generation) >= generation
    )


def _generation(obj: Object) -> int:
    return int(obj["metadata"].get("generation") or 0)


def _seen(obj: Object) -> bool:
    """Whether the controller has looked at the newest spec."""
    return int((obj.get("status") or {}).get("observedGeneration") or 0) >= _generation(obj)


def require_conditions(obj: Object, wanted: t.Sequence[str]) -> Readiness:
    """All of these conditions are True for the newest generation."""
    conditions = _conditions(obj)
    for kind in wanted:
        condition = _condition(conditions, kind)
        if not _is_true(condition, _generation(obj)):
            return waiting(_describe(condition) if condition else f"its controller has not set condition {kind} yet")
    return READY


def deployment(obj: Object) -> Readiness:
    status, wanted = obj.get("status") or {}, int((obj.get("spec") or {}).get("replicas", 1))
    if not _seen(obj):
        return waiting("its controller has not seen the newest spec yet")
    progressing = _condition(_conditions(obj), "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed(_describe(progressing))
    updated, total = int(status.get("updatedReplicas") or 0), int(status.get("replicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    if updated < wanted:
        return waiting(f"{updated} of {wanted} replicas have the newest pod template")
    if total > updated:
        return waiting(f"{total - updated} old replicas are still there")
    if available < updated or available < wanted:
        return waiting(f"{available} of {wanted} replicas are available")
    return READY


def stateful_set(obj: Object) -> Readiness:
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    wanted = int(spec.get("replicas", 1))
    if not _seen(obj):
        return waiting("its controller has not seen the newest spec yet")
    ready, updated = int(status.get("readyReplicas") or 0), int(status.get("updatedReplicas") or 0)
    if ready < wanted:
        return waiting(f"{ready} of {wanted} replicas are ready")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return READY
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if updated < wanted - partition:
        return waiting(f"{updated} of {wanted - partition} replicas have the newest pod template")
    if not partition and status.get("currentRevision") != status.get("updateRevision"):
        return waiting("the rollout is not complete")
    return READY


def daemon_set(obj: Object) -> Readiness:
    status = obj.get("status") or {}
    if not _seen(obj):
        return waiting("its controller has not seen the newest spec yet")
    wanted, updated = int(status.get("desiredNumberScheduled") or 0), int(status.get("updatedNumberScheduled") or 0)
    available = int(status.get("numberAvailable") or 0)
    on_delete = ((obj.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    if updated < wanted and not on_delete:
        return waiting(f"{updated} of {wanted} nodes have the newest pod")
    return READY if available >= wanted else waiting(f"{available} of {wanted} nodes have an available pod")


def job(obj: Object) -> Readiness:
    conditions = _conditions(obj)
    if (broken := _condition(conditions, "Failed")) and broken.get("status") == "True":
        return failed(_describe(broken))
    if (done := _condition(conditions, "Complete")) and done.get("status") == "True":
        return READY
    if (obj.get("spec") or {}).get("suspend"):
        return READY if not (obj.get("status") or {}).get("active") else waiting("it is being suspended")
    status = obj.get("status") or {}
    return waiting(f"{int(status.get('active') or 0)} pods active, {int(status.get('failed') or 0)} failed so far")


def pod(obj: Object) -> Readiness:
    phase = (obj.get("status") or {}).get("phase")
    if phase == "Succeeded":
        return READY
    if phase == "Failed":
        return failed((obj["status"].get("message") or obj["status"].get("reason")) or "phase Failed")
    return require_conditions(obj, ("Ready",))


def claim(obj: Object) -> Readiness:
    phase = (obj.get("status") or {}).get("phase")
    if phase == "Lost":
        return failed("its volume is gone (phase Lost)")
    return READY if phase == "Bound" else waiting(f"phase {phase or 'unknown'}, not Bound")


def namespace(obj: Object) -> Readiness:
    phase = (obj.get("status") or {}).get("phase")
    if phase == "Terminating":
        return failed("it is being deleted; wait until it is gone and run again")
    return READY if phase == "Active" else waiting(f"phase {phase or 'unknown'}")


def crd(obj: Object) -> Readiness:
    refused = _condition(_conditions(obj), "NamesAccepted")
    if refused and refused.get("status") == "False":
        return failed(_describe(refused))
    return require_conditions(obj, ("Established",))


def load_balancer_service(obj: Object) -> Readiness:
    """Only the type that something outside must provide is waited for."""
    if (obj.get("spec") or {}).get("type") != "LoadBalancer":
        return READY
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return READY if ingress else waiting("no load balancer has given it an address")


def route(obj: Object) -> Readiness:
    """Every parent the route names has accepted it and found what it refers to."""
    wanted = (obj.get("spec") or {}).get("parentRefs") or []
    parents = (obj.get("status") or {}).get("parents") or []
    if len(parents) < len(wanted):
        return waiting(f"{len(parents)} of {len(wanted)} parents have looked at it")
    for parent in parents:
        for kind in ("Accepted", "ResolvedRefs"):
            condition = _condition(parent.get("conditions") or [], kind)
            if not _is_true(condition, _generation(obj)):
                name = (parent.get("parentRef") or {}).get("name")
                return waiting(f"parent {name}: {_describe(condition) if condition else f'no condition {kind} yet'}")
    return READY


def generic(obj: Object) -> Readiness:
    """A kind we know nothing about: its Ready or Available condition if it has one."""
    conditions = _conditions(obj)
    for kind in ("Ready", "Available"):
        if condition := _condition(conditions, kind):
            return READY if _is_true(condition, _generation(obj)) else waiting(_describe(condition))
    return READY


PREDICATES: t.Final[dict[tuple[str, str], t.Callable[[Object], Readiness]]] = {
    ("", "Namespace"): namespace,
    ("", "PersistentVolumeClaim"): claim,
    ("", "Pod"): pod,
    ("", "Service"): load_balancer_service,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("batch", "Job"): job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): crd,
    ("gateway.networking.k8s.io", "GRPCRoute"): route,
    ("gateway.networking.k8s.io", "HTTPRoute"): route,
    ("gateway.networking.k8s.io", "TLSRoute"): route,
}
# Kinds whose controller always sets these: no condition yet means that it has not looked at the object.
CONDITIONS: t.Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("apiregistration.k8s.io", "APIService"): ("Available",),
    ("cert-manager.io", "Certificate"): ("Ready",),
    ("cert-manager.io", "ClusterIssuer"): ("Ready",),
    ("cert-manager.io", "Issuer"): ("Ready",),
    ("external-secrets.io", "ClusterSecretStore"): ("Ready",),
    ("external-secrets.io", "ExternalSecret"): ("Ready",),
    ("external-secrets.io", "SecretStore"): ("Ready",),
    ("gateway.networking.k8s.io", "Gateway"): ("Accepted", "Programmed"),
    ("gateway.networking.k8s.io", "GatewayClass"): ("Accepted",),
    ("keda.sh", "ScaledObject"): ("Ready",),
    ("kueue.x-k8s.io", "ClusterQueue"): ("Active",),
    ("kueue.x-k8s.io", "LocalQueue"): ("Active",),
    ("postgresql.cnpg.io", "Cluster"): ("Ready",),
    ("serving.kserve.io", "InferenceService"): ("Ready",),
}


def readiness(obj: Object) -> Readiness:
    """The state of any object (apiVersion and kind must be set)."""
    group, _slash, _version = obj["apiVersion"].rpartition("/")
    key = (group, obj["kind"])
    if key in PREDICATES:
        return PREDICATES[key](obj)
    if key in CONDITIONS:
        return require_conditions(obj, CONDITIONS[key])
    return generic(obj)
