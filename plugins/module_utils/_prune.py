# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which objects left the tree and may be deleted, and how they are deleted. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._fields import own_entry
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import DATA_KINDS, Ref, rank_of, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from concurrent.futures import Executor

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

Key = tuple[str, str, str, str]
GONE_POLL_SECONDS = 0.5
# A namespace that stays keeps what bounds it: without these its pods could do more than before.
_GUARD_KINDS: t.Final = frozenset({("networking.k8s.io", "NetworkPolicy"), ("", "ResourceQuota"), ("", "LimitRange")})


class PruneError(KubeError):
    """Pruning is refused, or an object does not go away."""


@dataclass(frozen=True)
class PruneOptions:
    enabled: bool = True
    data: frozenset[str] = frozenset()
    max: int = 50


@dataclass(frozen=True)
class PrunePlan:
    """`delete` in groups, in order; `kept` are data that nobody named, and what bounds a namespace that is kept."""

    delete: tuple[tuple[tuple[Ref, Object], ...], ...] = ()
    kept: tuple[Ref, ...] = ()

    @property
    def refs(self) -> list[Ref]:
        return [ref for group in self.delete for ref, _live in group]


def normalize_data(texts: t.Iterable[str]) -> frozenset[str]:
    """`core/Secret ns/name` and `v1/Secret ns/name` mean `Secret ns/name`, the text of a Ref."""
    return frozenset(" ".join(text.removeprefix("core/").removeprefix("v1/").split()) for text in texts)


def is_ours(live: Object) -> bool:
    """We applied it, and no controller owns it: labels alone prove nothing, controllers copy them."""
    controlled = any(owner.get("controller") for owner in live["metadata"].get("ownerReferences") or [])
    return own_entry(live) is not None and not controlled


def plan_prune(members: t.Iterable[Object], wanted: t.Collection[Key], options: PruneOptions) -> PrunePlan:
    """Decide before anything is written; refuse when it would be more than the cap."""
    if not options.enabled:
        return PrunePlan()
    delete: list[tuple[Ref, Object]] = []
    kept: list[Ref] = []
    unwanted = {ref: live for live in members if (ref := ref_of(live)).key not in wanted and is_ours(live)}
    leaving, staying = _namespaces(unwanted, options)
    for ref, live in unwanted.items():
        # What lies in a namespace that goes, goes with it: the server ends pods before the policies that bound them.
        if live["metadata"].get("deletionTimestamp") or ref.namespace in leaving:
            continue
        guards = ref.group_kind in _GUARD_KINDS and ref.namespace in staying
        if guards or (ref.group_kind in DATA_KINDS and ref.text not in options.data):
            kept.append(ref)
        else:
            delete.append((ref, live))
    if len(delete) > options.max:
        listed = "\n".join(f"- {ref}" for ref in sorted(ref for ref, _live in delete))
        raise PruneError(
            f"{len(delete)} objects left the tree, more than llm_prune_max={options.max} allows to delete in one run; "
            f"nothing was changed. If this is meant, set llm_prune_max to {len(delete)} or more:\n{listed}"
        )
    ranks = sorted({rank_of(ref) for ref, _live in delete}, reverse=True)
    groups = tuple(
        tuple(sorted(((r, o) for r, o in delete if rank_of(r) == rank), key=lambda pair: pair[0])) for rank in ranks
    )
    return PrunePlan(groups, tuple(sorted(kept)))


def _namespaces(unwanted: t.Mapping[Ref, Object], options: PruneOptions) -> tuple[set[str], set[str]]:
    """Names of namespaces that go, and of those that stay although nobody renders them any more."""
    found = {ref: live for ref, live in unwanted.items() if ref.group_kind == ("", "Namespace")}
    going = {
        ref for ref, live in found.items() if ref.text in options.data or live["metadata"].get("deletionTimestamp")
    }
    return {ref.name for ref in going}, {ref.name for ref in found.keys() - going}


def delete_group(
    client: KubeClient, group: t.Sequence[tuple[Ref, Object]], executor: Executor, *, dry_run: bool, seconds: float
) -> list[str]:
    """Delete objects that have no order among them and wait until they are gone; errors as sentences."""
    errors = [error for error in executor.map(lambda pair: _delete(client, *pair, dry_run=dry_run), group) if error]
    if dry_run or errors:
        return errors
    deadline = time.monotonic() + seconds
    return [error for error in executor.map(lambda pair: _until_gone(client, *pair, deadline=deadline), group) if error]


def _delete(client: KubeClient, ref: Ref, live: Object, *, dry_run: bool) -> str:
    try:
        response = client.delete(ref, uid=live["metadata"]["uid"], dry_run=dry_run)
    except KubeError as exc:
        return f"{ref}: it could not be deleted: {exc}"
    if response.status < 400 or response.status == 404:
        return ""
    error = ApiError("DELETE", ref.text, response)
    if response.status == 409 and "uid" in error.message.lower():
        return ""  # somebody deleted and made it again: the new one is not ours to delete
    return f"{ref}: it could not be deleted: {error}"


def _until_gone(client: KubeClient, ref: Ref, live: Object, *, deadline: float) -> str:
    while True:
        try:
            found = client.get(ref)
        except KubeError as exc:
            return f"{ref}: {exc}"
        if found is None or found["metadata"]["uid"] != live["metadata"]["uid"]:
            return ""
        if time.monotonic() >= deadline:
            held = ", ".join(found["metadata"].get("finalizers") or []) or "none"
            return f"{ref}: it was deleted but is still there (finalizers: {held}); does their controller run?"
        time.sleep(GONE_POLL_SECONDS)
