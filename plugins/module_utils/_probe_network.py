# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Does the network enforce NetworkPolicies? Tried by pods in a namespace of their own. Private to the collection."""

from __future__ import annotations

import secrets
import time
import typing as t
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import takewhile

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import ENFORCE, Object, restricted_pod

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

ENFORCED: t.Final = Claim(
    "policies-enforced",
    "live",
    "NetworkPolicies are enforced: who is allowed gets through, who is not does not.",
    "without a policy both callers get through; with it the allowed one still does and the other one never",
)

PORT: t.Final = 8080
LABEL_ROLE: t.Final = "llm-platform.wmx.dev/probe"
# So many calls in a row settle it.
CALLS_DENIED: t.Final = 8
CALLS_ALLOWED: t.Final = 4
# A policy that denied nobody for so long is one that nobody enforces.
EFFECT_SECONDS: t.Final = 10.0
PAUSE_SECONDS: t.Final = 0.1

# Both run with any image that has Python: no tool of the shell is needed. What they print is read from their logs,
# which is there at once, while a pod's status lags behind.
_SERVER: t.Final = (
    "import http.server as h, os\n"
    "class H(h.BaseHTTPRequestHandler):\n"
    "    def do_GET(self): self.send_response(204); self.end_headers()\n"
    "    def log_message(self, *a): pass\n"
    f"server = h.ThreadingHTTPServer(('::' if ':' in os.environ['ADDRESS'] else '', {PORT}), H)\n"
    "print(os.environ['ADDRESS'], flush=True)\n"
    "server.serve_forever()\n"
)
# Every call is a connection of its own, so that each one meets the policies of its moment.
_CALLER: t.Final = (
    "import os, time, urllib.request as r\n"
    "until = time.monotonic() + float(os.environ['SECONDS'])\n"
    "while time.monotonic() < until:\n"
    "    try: r.build_opener().open(os.environ['URL'], timeout=1).close(); print('ok', flush=True)\n"
    "    except Exception as e: print('no', str(e)[:200].replace('\\n', ' '), flush=True)\n"
    "    time.sleep(0.1)\n"
)


@dataclass(frozen=True, slots=True)
class Calls:
    """What one caller saw, call by call: True for an answer."""

    through: tuple[bool, ...] = ()
    error: str = ""

    @classmethod
    def parse(cls, log: str) -> Calls:
        # The last line may be half written.
        lines = log.splitlines()[: log.count("\n")]
        errors = [line.removeprefix("no").strip() for line in lines if line != "ok"]
        return cls(tuple(line == "ok" for line in lines), errors[-1] if errors else "")

    def at_end(self, *, through: bool, after: int = 0) -> int:
        """How many calls in a row ended so, up to the last one; the first `after` calls do not count."""
        return sum(1 for _one in takewhile(lambda one: one is through, reversed(self.through[after:])))


class _Namespace:
    """The probe's own namespace: gone with everything in it, whatever happens."""

    def __init__(self, client: KubeClient, image: str, deadline: float) -> None:
        self.client = client
        self.image = image
        self.deadline = deadline
        self.name = f"llm-platform-probe-{secrets.token_hex(4)}"

    def __enter__(self) -> t.Self:
        labels = {LABEL_PART_OF: PLATFORM, ENFORCE: "restricted"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": labels}}
        self.client.checked("POST", "/api/v1/namespaces", body=body)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.client.request("DELETE", f"/api/v1/namespaces/{self.name}")

    def create(self, path: str, body: Object) -> None:
        self.client.checked("POST", f"{path}/namespaces/{self.name}/{_plural(body)}", body=body)

    def start(self, name: str, code: str, *env: Object) -> None:
        pod = restricted_pod(name, self.image, command=["python3", "-c", code], env=list(env))
        pod["metadata"]["labels"] = {LABEL_ROLE: name}
        self.create("/api/v1", pod)

    def log(self, name: str) -> str:
        """What a pod has printed; nothing as long as its container is not there."""
        answer = self.client.request("GET", f"/api/v1/namespaces/{self.name}/pods/{name}/log")
        return answer.body.decode(errors="replace") if answer.status == 200 else ""

    def calls(self, name: str) -> Calls:
        return Calls.parse(self.log(name))

    def address(self) -> str:
        """The server's address, as soon as it listens."""
        while not (lines := self.log("server").split("\n"))[1:]:
            self.pause("server")
        try:
            return ip_address(lines[0].strip()).compressed
        except ValueError as exc:
            raise ProbeError(f"pod server with image {self.image} printed no address: {lines[0][:200]!r}") from exc

    def pause(self, name: str) -> None:
        if time.monotonic() > self.deadline:
            trouble = _trouble(self.client.get_json(f"/api/v1/namespaces/{self.name}/pods/{name}"))
            raise ProbeError(f"pod {name} with image {self.image} came to nothing in time: {trouble}")
        time.sleep(PAUSE_SECONDS)


def observe_enforced(client: KubeClient, image: str, timeout: float) -> Observation:
    seen = Observation()
    with _Namespace(client, image, time.monotonic() + timeout) as own:
        own.start("server", _SERVER, {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
        address = own.address()
        url = f"http://[{address}]:{PORT}/" if ":" in address else f"http://{address}:{PORT}/"
        for name in ("denied", "allowed"):
            own.start(name, _CALLER, {"name": "URL", "value": url}, {"name": "SECONDS", "value": str(timeout)})
        for name in ("denied", "allowed"):
            _demand_control(own, name)

        before = len(own.calls("denied").through)
        own.create("/apis/networking.k8s.io/v1", _policy())
        began = time.monotonic()
        while (denied := own.calls("denied")).at_end(through=False, after=before) < CALLS_DENIED:
            if denied.at_end(through=True) and time.monotonic() - began > EFFECT_SECONDS:
                seen.faults.append(f"the other caller got through for {EFFECT_SECONDS:.0f} s after the policy")
                break
            own.pause("denied")
        settled = len(denied.through)

        # Only now, when the policy acts, does it say anything that the allowed one gets through; the server lives.
        passed = len(own.calls("allowed").through)
        began = time.monotonic()
        while True:
            allowed = own.calls("allowed")
            if allowed.at_end(through=True, after=passed) >= CALLS_ALLOWED:
                break
            if time.monotonic() - began > EFFECT_SECONDS:
                seen.faults.append(f"the allowed caller was denied ({allowed.error or 'it stopped calling'})")
                break
            own.pause("allowed")

        denied = own.calls("denied")
        late = sum(denied.through[settled:])
        if late and not seen.faults:
            seen.faults.append(f"the other caller got through {late} times after it had been denied")
        seen.facts.append(
            "without policy both callers got through; with it the allowed one"
            f" {sum(allowed.through[passed:])} of {len(allowed.through) - passed} times,"
            f" the other one denied {denied.at_end(through=False, after=before)} times in a row"
            f" ({denied.error or 'no error'})"
        )
    return seen


def _demand_control(own: _Namespace, name: str) -> None:
    """Whoever cannot get through without a policy shows nothing by not getting through with one."""
    while not any((calls := own.calls(name)).through):
        if time.monotonic() > own.deadline and calls.through:
            raise ProbeError(
                f"no pod can reach another one even without a policy ({calls.error}); nothing is shown by that"
            )
        own.pause(name)


def _policy() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "server"},
        "spec": {
            "podSelector": {"matchLabels": {LABEL_ROLE: "server"}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": {LABEL_ROLE: "allowed"}}}],
                    "ports": [{"port": PORT, "protocol": "TCP"}],
                }
            ],
        },
    }


def _plural(body: Object) -> str:
    return {"Pod": "pods", "NetworkPolicy": "networkpolicies"}[body["kind"]]


def _trouble(pod: Object) -> str:
    status = pod.get("status") or {}
    for item in status.get("containerStatuses") or ():
        for state in (item.get("state") or {}).values():
            if state.get("reason"):
                return f"{state['reason']} {state.get('message') or ''}".strip()
    conditions = [item.get("message") for item in status.get("conditions") or () if item.get("message")]
    return "; ".join(conditions) or f"phase {status.get('phase')}"
