# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Is the cluster ready, and are our pods as restricted as we say? Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient

READY: t.Final = Claim(
    "cluster-ready",
    "read",
    "The cluster serves its API, and its nodes and system pods are ready.",
    "/readyz ok, every node Ready, at least one of them real, every pod of kube-system Ready, one default StorageClass",
)
RESTRICTED: t.Final = Claim(
    "pods-restricted",
    "live",
    "Nothing privileged runs in our namespaces, and nothing privileged can be started there.",
    "every namespace enforces restricted or has a reason not to, accepts a restricted pod and refuses a privileged one;"
    " every pod is non-root, has a read-only root file system and, unless its account has rights, no token for the API",
)

DEFAULT_CLASS: t.Final = "storageclass.kubernetes.io/is-default-class"
ENFORCE: t.Final = "pod-security.kubernetes.io/enforce"
SYSTEM_NAMESPACE: t.Final = "kube-system"

Object = dict[str, t.Any]


def is_simulated_node(node: Object) -> bool:
    """Whether a node is one of kwok's: it looks Ready, but nothing runs on it."""
    metadata = node["metadata"]
    return (metadata.get("labels") or {}).get("type") == "kwok" or "kwok.x-k8s.io/node" in (
        metadata.get("annotations") or {}
    )


def has_condition(obj: Object, name: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == name and item.get("status") == "True" for item in conditions)


def observe_ready(client: KubeClient) -> Observation:
    seen = Observation()
    answer = client.request("GET", "/readyz")
    if answer.status != 200:
        seen.faults.append(f"/readyz gave status {answer.status}")
    nodes = client.list("v1", "Node")
    simulated = [node for node in nodes if is_simulated_node(node)]
    real = [node for node in nodes if not is_simulated_node(node)]
    seen.faults += [
        f"node {node['metadata']['name']} is not Ready" for node in nodes if not has_condition(node, "Ready")
    ]
    if not real:
        seen.faults.append("there is no real node")
    pods = [pod for pod in client.list("v1", "Pod", SYSTEM_NAMESPACE) if not _finished(pod)]
    seen.faults += [
        f"pod {SYSTEM_NAMESPACE}/{pod['metadata']['name']} is not Ready"
        for pod in pods
        if not has_condition(pod, "Ready")
    ]
    defaults = [
        item["metadata"]["name"]
        for item in client.list("storage.k8s.io/v1", "StorageClass")
        if (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
    ]
    if len(defaults) != 1:
        seen.faults.append(f"{len(defaults)} default StorageClasses instead of one")
    seen.facts.append(
        f"Kubernetes {client.version()}, {len(real)} real and {len(simulated)} simulated node(s),"
        f" {len(pods)} system pod(s), default StorageClass {', '.join(defaults) or 'none'}"
    )
    seen.simulated = bool(simulated) or None
    return seen


def observe_restricted(client: KubeClient, namespaces: t.Sequence[t.Mapping[str, t.Any]], image: str) -> Observation:
    """`namespaces` as in the plan: name, pod_security and, where that is not restricted, a reason."""
    seen = Observation()
    looked_at = 0
    excepted: list[str] = []
    entitled = _accounts_with_rights(client)
    holders: set[str] = set()
    for entry in namespaces:
        name, level = entry["name"], entry.get("pod_security") or "restricted"
        try:
            found = client.get_json(f"/api/v1/namespaces/{name}")
        except ApiError as exc:
            if exc.status != 404:
                raise
            seen.faults.append(f"namespace {name} does not exist")
            continue
        enforced = (found["metadata"].get("labels") or {}).get(ENFORCE, "nothing")
        if enforced != level:
            seen.faults.append(f"namespace {name} enforces {enforced}, not {level}")
        if level != "restricted":
            if not entry.get("reason"):
                seen.faults.append(f"namespace {name} is excepted to {level} without a reason")
            excepted.append(f"{name} ({level}: {entry.get('reason')})")
            continue
        seen.faults += _try_pods(client, name, image)
        pods = [pod for pod in client.list("v1", "Pod", name) if not _finished(pod)]
        looked_at += len(pods)
        for pod in pods:
            account = (name, pod["spec"].get("serviceAccountName") or "default")
            if account in entitled and _has_token(pod["spec"]):
                holders.add("/".join(account))
            found_faults = pod_faults(pod, may_ask=account in entitled)
            seen.faults += [f"pod {name}/{pod['metadata']['name']}: {fault}" for fault in found_faults]
    if not namespaces:
        raise ProbeError("no namespaces were given")
    seen.facts.append(
        f"{len(namespaces)} namespace(s), {looked_at} pod(s) looked at, a privileged pod tried by dry run"
    )
    if holders:
        seen.facts.append(f"accounts with rights and a token: {', '.join(sorted(holders))}")
    if excepted:
        seen.facts.append(f"excepted: {', '.join(excepted)}")
    return seen


def _accounts_with_rights(client: KubeClient) -> set[tuple[str, str]]:
    """(namespace, name) of the ServiceAccounts that somebody bound a role to."""
    group = "rbac.authorization.k8s.io/v1"
    bindings = [*client.list(group, "RoleBinding"), *client.list(group, "ClusterRoleBinding")]
    return {
        (subject.get("namespace") or binding["metadata"].get("namespace") or "", subject["name"])
        for binding in bindings
        for subject in binding.get("subjects") or ()
        if subject.get("kind") == "ServiceAccount"
    }


def pod_faults(pod: Object, *, may_ask: bool = False) -> list[str]:
    """What a pod may do beyond what ours may. Pod Security itself looks neither at files nor at tokens."""
    spec = pod["spec"]
    shared = spec.get("securityContext") or {}
    faults = []
    if _has_token(spec) and not may_ask:
        faults.append("has a token for the API")
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            own = container.get("securityContext") or {}
            name = container["name"]
            if own.get("runAsNonRoot", shared.get("runAsNonRoot")) is not True:
                faults.append(f"container {name} may run as root")
            if own.get("readOnlyRootFilesystem") is not True:
                faults.append(f"container {name} can write to its root file system")
            if own.get("allowPrivilegeEscalation") is not False:
                faults.append(f"container {name} may gain privileges")
            if "ALL" not in ((own.get("capabilities") or {}).get("drop") or ()):
                faults.append(f"container {name} keeps capabilities")
    return faults


def restricted_pod(name: str, image: str, **container: t.Any) -> Object:
    """A pod that every restricted namespace accepts; also what our own probes run in."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "32Mi"},
                        "limits": {"cpu": "1", "memory": "128Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    **container,
                }
            ],
        },
    }


def _try_pods(client: KubeClient, namespace: str, image: str) -> list[str]:
    """Dry runs: the harmless pod first, for a server that refuses every pod would look safe."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    harmless = client.request("POST", path, query={"dryRun": "All"}, body=restricted_pod("probe-restricted", image))
    if harmless.status != 201:
        return [f"namespace {namespace} refuses even a restricted pod: {_message(harmless.json())}"]
    privileged = restricted_pod("probe-privileged", image)
    privileged["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    answer = client.request("POST", path, query={"dryRun": "All"}, body=privileged)
    if answer.status == 201:
        return [f"namespace {namespace} accepts a privileged pod"]
    if answer.status != 403 or "PodSecurity" not in _message(answer.json()):
        return [f"namespace {namespace} refuses a privileged pod for another reason: {_message(answer.json())}"]
    return []


def _message(status: Object) -> str:
    return str(status.get("message") or "no message")


def _has_token(spec: Object) -> bool:
    """A token for somebody else, such as a control plane that issues certificates, is none for the API."""
    tokens = [source["serviceAccountToken"] for source in _projected_sources(spec) if "serviceAccountToken" in source]
    return any(not token.get("audience") for token in tokens)


def _projected_sources(spec: Object) -> t.Iterator[Object]:
    for volume in spec.get("volumes") or ():
        yield from (volume.get("projected") or {}).get("sources") or ()


def _finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"} or "deletionTimestamp" in pod["metadata"]
