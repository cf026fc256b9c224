# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks the hub of models, or a mirror of it, for the commit behind a revision. Private to the collection."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import HUB, ModelName, is_commit
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Endpoint, RegistryError
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_client import HttpError, get

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access

_ACCESS_FIX: t.Final = (
    "check the name, accept the model's licence at the hub, and give a token in secrets_values.hf-token or HF_TOKEN"
)


def resolve_model(model: ModelName, access: Access, token: str = "") -> Resolved:
    """The commit that the revision stands for now."""
    endpoint = access.endpoints.get(HUB) or Endpoint(HUB)
    scheme = "http" if endpoint.insecure else "https"
    path = f"{endpoint.prefix}api/models/{model.repository}/revision/{quote(model.revision, safe='')}"
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        response = get(
            f"{scheme}://{endpoint.host}/{path}",
            headers=headers,
            ca_file=endpoint.ca_file,
            timeout=access.timeout,
            retries=access.retries,
        )
    except HttpError as exc:
        raise RegistryError(f"{model}: {exc}") from exc
    status = response.status_code
    if status in (401, 403):
        raise RegistryError(f"{model}: {endpoint.host} refuses to tell; {_ACCESS_FIX}")
    if status == 404:
        raise RegistryError(f"{model}: {endpoint.host} has no such model or revision")
    if status != 200:
        raise RegistryError(f"{model}: {endpoint.host} answered {status}")
    return Resolved(_commit(model, endpoint, response), "commit")


def _commit(model: ModelName, endpoint: Endpoint, response: t.Any) -> str:
    try:
        data = response.json()
        commit, name = str(data["sha"]), str(data.get("id") or model.repository)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise RegistryError(f"{model}: {endpoint.host} sent no description of a model") from exc
    if not is_commit(commit):
        raise RegistryError(f"{model}: {endpoint.host} sent {commit[:60]!r}, which is no commit")
    if name != model.repository:
        raise RegistryError(f"{model}: {endpoint.host} has it under the name {name} now; write that as source")
    if is_commit(model.revision) and commit != model.revision:
        raise RegistryError(f"{model}: {endpoint.host} sent commit {commit} instead; something tampers with it")
    return commit
