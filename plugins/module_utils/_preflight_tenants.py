# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the namespaces of tenants are free, or theirs already. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import API_GROUP

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

LABEL_TENANT: t.Final = f"{API_GROUP}/tenant"


def check_tenants(client: KubeClient, plan: t.Mapping[str, t.Any]) -> tuple[list[str], str, str]:
    """What is wrong (one entry a namespace), what to say when nothing is, and the fix.

    A namespace that holds something else would get the tenant's bounds, and one of a former tenant would show its keys
    and data to the new one's admins.
    """
    listed = [*(plan.get("tenants") or []), *(plan.get("tenants_delete") or [])]
    wanted = {entry["namespace"]: entry["name"] for entry in listed}
    if not wanted or "tenants" not in plan["selected"]:
        return [], "no tenants in this run", ""
    problems: list[str] = []
    found = 0
    for live in client.list("v1", "Namespace"):
        name = live["metadata"]["name"]
        tenant = wanted.get(name)
        owner = (live["metadata"].get("labels") or {}).get(LABEL_TENANT) or ""
        if tenant is None:
            continue
        found += 1
        if owner != tenant:
            whose = f"belongs to tenant {owner}" if owner else "is there and belongs to no tenant"
            problems.append(f"namespace {name} of tenant {tenant} {whose}")
    fix = f"choose another namespace, or hand it over: kubectl label namespace NAME {LABEL_TENANT}=TENANT --overwrite"
    return problems, f"{found} of {len(wanted)} namespaces of tenants are there, and theirs", fix
