# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to written evidence: gather, build, refuse secrets, write. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import json
import platform
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils import _evidence
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_files import (
    EvidenceFileError,
    dump,
    read_fragments,
    write_text,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_page import PageError, render_page
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    ref_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import TreeError, tree_hash

CONFIG_MAP: t.Final = "llm-platform-evidence"

RunCommand = t.Callable[..., tuple[int, str, str]]


class EvidenceRunError(Exception):
    """The evidence could not be made."""


def carry_out(params: t.Mapping[str, t.Any], *, write: bool, run: RunCommand) -> dict[str, t.Any]:
    """Make the evidence; the result is what the module returns, plus `warnings`."""
    warnings: list[str] = []
    dest = Path(params["dest"])
    secrets: dict[str, str] = {}
    versions = {"python": platform.python_version(), **params["versions"]}
    client: KubeClient | None = None
    try:
        # The cluster may be gone, that is a finding and not a reason to write nothing.
        client = KubeClient.from_options(params)
        versions["kubernetes"] = client.version()
        secrets = _secret_values(client)
    except KubeError as exc:
        client = None
        versions["kubernetes"] = "unreachable"
        warnings.append(f"the evidence was made without the cluster: {exc}")
    try:
        checks = [*params["checks"], *(read_fragments(dest) if params["fragments"] else [])]
        document = _evidence.build(
            _evidence.Run(
                environment=params["environment"],
                commit=commit_of(params["source"], dest, run),
                tree=tree_hash(Path(params["tree"])) if params["tree"] and Path(params["tree"]).is_dir() else "",
                started=params["started"],
                seconds=_since(params["started"]),
                versions=versions,
            ),
            checks,
            params["claims"],
        )
        files = {"latest.json": dump(document)}
        if params["template"]:
            template = Path(params["template"]).read_text(encoding="utf-8")
            files["latest.html"] = render_page(template, document, params["simulations"])
        for text in files.values():
            _evidence.refuse_secrets(text, secrets)
        if write:
            for name, text in files.items():
                write_text(dest / name, text)
            if client and params["home_namespace"]:
                warnings += _keep_short_form(client, params["home_namespace"], document)
    except (_evidence.EvidenceError, EvidenceFileError, PageError, TreeError, OSError) as exc:
        raise EvidenceRunError(str(exc)) from exc
    bare = [{key: value for key, value in check.items() if key != "series"} for check in document["checks"]]
    return {
        "evidence": {**document, "checks": bare},
        "table": _evidence.table(document),
        "failed_checks": [check["id"] for check in document["checks"] if not check["ok"]],
        "files": [str(dest / name) for name in files],
        "warnings": warnings,
    }


def commit_of(source: str | None, dest: Path, run: RunCommand) -> str:
    """The commit of the repository around `source`, with `-dirty` when tracked files other than the evidence differ."""
    if not source or not _has_git(run):
        return ""
    code, out, _err = run(["git", "-C", source, "rev-parse", "HEAD"])
    if code != 0:
        return ""
    exclude = f":(exclude,top){_below_top(source, dest, run)}"
    _code, changes, _err = run(
        ["git", "-C", source, "status", "--porcelain", "--untracked-files=no", "--", ":(top)", exclude]
    )
    return out.strip() + ("-dirty" if changes.strip() else "")


def _has_git(run: RunCommand) -> bool:
    try:
        return run(["git", "--version"], handle_exceptions=False)[0] == 0
    except OSError:
        return False


def _below_top(source: str, dest: Path, run: RunCommand) -> str:
    top = Path(run(["git", "-C", source, "rev-parse", "--show-toplevel"])[1].strip())
    resolved = dest.resolve()
    # A directory outside the repository cannot be excluded, and need not be.
    return str(resolved.relative_to(top)) if resolved.is_relative_to(top) else "evidence"


def _since(started: str) -> float:
    try:
        moment = datetime.fromisoformat(started)
    except ValueError as exc:
        raise EvidenceRunError(
            f"started must be an ISO 8601 time like 2026-11-23T10:30:00+00:00, got {started!r}"
        ) from exc
    if moment.tzinfo is None:
        raise EvidenceRunError(f"started must have a time zone, got {started!r}")
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())


def _secret_values(client: KubeClient) -> dict[str, str]:
    values: dict[str, str] = {}
    for secret in client.list("v1", "Secret", label_selector=f"{LABEL_PART_OF}={PLATFORM}"):
        metadata = secret["metadata"]
        for key, encoded in (secret.get("data") or {}).items():
            try:
                value = base64.b64decode(encoded).decode().strip()
            except (binascii.Error, UnicodeDecodeError):
                continue
            values[f"Secret {metadata['namespace']}/{metadata['name']} key {key!r}"] = value
    return values


def _keep_short_form(client: KubeClient, namespace: str, document: _evidence.Document) -> list[str]:
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CONFIG_MAP,
            "namespace": namespace,
            "labels": {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: FIELD_MANAGER},
        },
        "data": {"evidence.json": json.dumps(_evidence.short(document), ensure_ascii=False)},
    }
    try:
        response = client.apply(config_map, ref_of(config_map))
        if response.status >= 400:
            raise ApiError("PATCH", f"ConfigMap {namespace}/{CONFIG_MAP}", response)
    except KubeError as exc:
        return [f"the short form of the evidence is not in the cluster: {exc}"]
    return []
