# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs a command in a pod, with what is secret on its standard input. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._kubernetes_settings import (
    credentials_of,
    kubernetes_settings,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward_stream import PortForwardError
from ansible_collections.wmx.llm_platform.plugins.module_utils._readiness import pod as pod_readiness
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Pods

SECONDS = 60.0


class ExecError(KubeError):
    """No pod to run in, or the command could not be run."""


class NotStartedError(ExecError):
    """The container has no shell, or no such command."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    output: str
    errors: str


class Runner(t.Protocol):
    """Runs a script with `sh -c` in a pod; what is secret comes on standard input."""

    def __call__(self, pods: Pods, script: str, arguments: t.Sequence[str], stdin: str) -> Done: ...


def ready_pod(client: KubeClient, pods: Pods) -> str:
    """The first ready pod by name."""
    found = client.list("v1", "Pod", pods.namespace, pods.selector)
    names = sorted(item["metadata"]["name"] for item in found if pod_readiness(item).state == "ready")
    if not names:
        raise ExecError(
            f"no pod with labels {pods.selector} in namespace {pods.namespace} is ready ({len(found)} there); "
            "bring it up with site.yml first"
        )
    return t.cast("str", names[0])


def exec_runner(client: KubeClient, options: t.Mapping[str, t.Any]) -> Runner:
    """The way into pods through the API server, with the connection options of our modules."""

    def run(pods: Pods, script: str, arguments: t.Sequence[str], stdin: str) -> Done:
        name = ready_pod(client, pods)
        try:
            settings = kubernetes_settings(options)
        except PortForwardError as exc:
            raise ExecError(str(exc)) from exc
        from kubernetes.client.exceptions import ApiException
        from kubernetes.stream.ws_client import ERROR_CHANNEL, websocket_call
        from websocket import WebSocketException

        path = f"/api/v1/namespaces/{pods.namespace}/pods/{name}/exec"
        query: list[tuple[str, t.Any]] = [
            ("command", ["sh", "-c", script, "sh", *arguments]),
            ("container", pods.container),
            *((stream, "true") for stream in ("stdin", "stdout", "stderr")),
        ]
        where = f"running a command in pod {pods.namespace}/{name}, container {pods.container}"
        try:
            stream = websocket_call(
                settings,
                "GET",
                settings.host + path,
                query_params=query,
                headers=credentials_of(settings),
                _preload_content=False,
            )
        except ApiException as exc:
            raise ExecError(f"{where} was refused: {exc.reason}") from exc
        try:
            try:
                stream.write_stdin(stdin)
                stream.run_forever(timeout=SECONDS)
            except WebSocketException as exc:
                # Whoever hung up may have said why; where there is no shell that often comes before the input is taken.
                stream.close()
                if not stream.peek_channel(ERROR_CHANNEL):
                    raise NotStartedError(f"{where} ended before it had read its input: {exc}") from exc
            if stream.is_open():
                raise ExecError(f"{where} did not end within {SECONDS:.0f} s")
            try:
                code = int(stream.returncode or 0)
            except ValueError as exc:
                # Where there is no code, there was no process; the client takes the reason for one.
                raise NotStartedError(f"{where} did not begin: {exc}") from exc
            return Done(code, stream.read_stdout(timeout=0), stream.read_stderr(timeout=0))
        except OSError as exc:
            raise ExecError(f"{where} broke off: {exc}") from exc
        finally:
            stream.close()

    return run
