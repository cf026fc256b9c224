# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What preflight says about the secrets of a plan. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._readiness import require_conditions
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_judge import Trouble, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_judge import Request

_GROUP = "external-secrets.io"


def findings(client: KubeClient, request: Request, store: Mapping[str, str]) -> list[dict[str, t.Any]]:
    """One finding for each thing that is wrong, or one that says what a run would do."""
    try:
        verdict = judge(client, request)
        troubles = [*verdict.troubles, *(_store_troubles(client, request, store) if store else ())]
    except KubeError as exc:
        fix = "give the kubeconfig's user read access to Secrets of these namespaces, or see docs/secrets.md"
        troubles = [Trouble(f"could not be checked: {exc}", fix)]
    if troubles:
        return [{"id": "secrets", "ok": False, "message": trouble.message, "fix": trouble.fix} for trouble in troubles]
    absent = [name for name, value in verdict.values.items() if value is None]
    if store:
        text = f"{len(request.entries)} values come from {store['kind']} {store['name']}"
    else:
        text = f"there or given: {len(request.entries) - len(absent)}"
        text += f"; to be made: {', '.join(absent)}" if absent else ""
    return [{"id": "secrets", "ok": True, "message": text, "fix": ""}]


def _store_troubles(client: KubeClient, request: Request, store: Mapping[str, str]) -> Iterator[Trouble]:
    kind, name = store["kind"], store["name"]
    namespaces = sorted({target.place.namespace for entry in request.entries for target in entry.targets})
    for namespace in namespaces if kind == "SecretStore" else [""]:
        live = client.get(Ref(_GROUP, "v1", kind, namespace, name))
        where = f"secrets_store names {kind} {f'{namespace}/' if namespace else ''}{name}"
        if live is None:
            yield Trouble(f"{where}, which is not on the cluster", "create it or correct secrets_store")
            continue
        state = require_conditions(live, ("Ready",))
        if state.state != "ready":
            yield Trouble(f"{where}, which is not ready: {state.reason}", "look at the store's events and credentials")
