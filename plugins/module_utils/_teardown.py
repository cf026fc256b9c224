# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Finds what the collection made in a cluster, and removes it in reverse order. Private to the collection."""

from __future__ import annotations

import contextlib
import typing as t
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import (
    LABEL_ID,
    ApplySet,
    member_selector,
    read_parents,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._lease import NAME as LEASE
from ansible_collections.wmx.llm_platform.plugins.module_utils._lease import DeliverLease
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    DATA_KINDS,
    LABEL_APPLYSET,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    Ref,
    rank_of,
    ref_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._occupants import occupants
from ansible_collections.wmx.llm_platform.plugins.module_utils._prune import delete_group, is_ours, normalize_data
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

OURS = f"{LABEL_PART_OF}={PLATFORM},{LABEL_MANAGED_BY}={PLATFORM}"
_THREADS = 16
_NAMESPACE = ("", "Namespace")
# They intercept requests: gone first, or they refuse the deletion of what stands behind them.
_INTERCEPTORS = frozenset(
    ("admissionregistration.k8s.io", kind)
    for kind in (
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    )
)
# Made beside the ApplySets: generated keys, and what a killed run may have left of its namespaces.
_LABELLED = (("v1", "Secret"), ("v1", "PersistentVolumeClaim"), ("v1", "Namespace"))

Found = tuple[Ref, "Object"]


class TeardownError(KubeError):
    """Something cannot or must not be removed."""


@dataclass(frozen=True)
class TeardownOptions:
    home: str
    # Components in delivery order; the ones not named here are removed before them.
    components: Sequence[str] = ()
    data: frozenset[str] = frozenset()
    seconds: float = 300.0
    dry_run: bool = False


@dataclass
class TeardownResult:
    removed: list[Ref] = field(default_factory=list)
    kept: dict[Ref, str] = field(default_factory=dict)


def teardown(client: KubeClient, options: TeardownOptions) -> TeardownResult:
    """Removes everything of ours but data that nobody named; in a dry run, only says so."""
    found = _find(client, options)
    _refuse_foreign(client, found, options)
    with ThreadPoolExecutor(max_workers=_THREADS) as executor:
        return _Removal(client, options, executor).run(found)


def _find(client: KubeClient, options: TeardownOptions) -> dict[Ref, Object]:
    """Members of our ApplySets, and labelled objects that belong to none; by reference."""
    found: dict[Ref, Object] = {}
    sets = [ApplySet(name, options.home) for name in _components(client, options)]
    recorded = read_parents(client, sets)
    selector = member_selector([applyset for applyset in sets if applyset.component in recorded]) if recorded else ""
    for group, kind in sorted({pair for record in recorded.values() for pair in record.kinds}):
        resource = client.discovery.preferred(group, kind)
        # A kind that is served no more has no objects either.
        for live in client.list_resource(resource, label_selector=selector)[0] if resource else []:
            if is_ours(live):
                found[ref_of(live)] = live
    for api_version, kind in _LABELLED:
        for live in client.list(api_version, kind, label_selector=OURS):
            found.setdefault(ref_of(live), live)
    return found


def _components(client: KubeClient, options: TeardownOptions) -> list[str]:
    parents = client.list("v1", "ConfigMap", options.home, label_selector=f"{LABEL_ID},{OURS}")
    return sorted(parent["metadata"]["labels"].get(LABEL_COMPONENT, "") for parent in parents)


def _refuse_foreign(client: KubeClient, found: dict[Ref, Object], options: TeardownOptions) -> None:
    """Whoever names an object that is not ours has mistyped, or trusts teardown with too much."""
    known = {ref.text for ref in found}
    foreign = [text for text in sorted(options.data - known) if _exists(client, text)]
    if foreign:
        raise TeardownError(
            f"teardown_data names {', '.join(foreign)}, which this collection did not make; "
            "remove it from teardown_data and delete it yourself if you mean it. Nothing was removed"
        )


def _exists(client: KubeClient, text: str) -> bool:
    kind, _space, name = text.partition(" ")
    group, _slash, kind = kind.rpartition("/")
    namespace, _slash, name = name.rpartition("/")
    resource = client.discovery.preferred(group, kind)
    return resource is not None and client.get(Ref(group, resource.version, kind, namespace, name)) is not None


def _ordered(
    found: dict[Ref, Object], options: TeardownOptions, result: TeardownResult
) -> tuple[list[list[Found]], list[Found]]:
    """Groups to delete one after the other, and the namespaces, which come last."""
    position = {name: index for index, name in enumerate(options.components, start=1)}
    groups: dict[tuple[int, int, int], list[Found]] = {}
    namespaces: list[Found] = []
    for ref, live in sorted(found.items()):
        if ref.group_kind == _NAMESPACE:
            namespaces.append((ref, live))
        elif ref.group_kind in DATA_KINDS and ref.text not in options.data:
            result.kept[ref] = "holds data and is not named in teardown_data"
        else:
            component = (live["metadata"].get("labels") or {}).get(LABEL_COMPONENT, "")
            layer = -position.get(component, len(position) + 1)
            first = 0 if ref.group_kind in _INTERCEPTORS else 1
            groups.setdefault((first, layer if first else 0, -rank_of(ref)), []).append((ref, live))
    return [groups[key] for key in sorted(groups)], namespaces


class _Removal:
    """Deletes step by step and keeps the account."""

    def __init__(self, client: KubeClient, options: TeardownOptions, executor: Executor) -> None:
        self._client = client
        self._options = options
        self._executor = executor
        self._result = TeardownResult()

    def run(self, found: dict[Ref, Object]) -> TeardownResult:
        groups, namespaces = _ordered(found, self._options, self._result)
        with _lease(self._client, self._options):
            for group in groups:
                self._delete(group)
            self._namespaces([pair for pair in namespaces if pair[0].name != self._options.home])
        self._home(found, [pair for pair in namespaces if pair[0].name == self._options.home])
        return self._result

    def _delete(self, group: Sequence[Found]) -> None:
        if not group:
            return
        options, removed = self._options, self._result.removed
        errors = delete_group(self._client, group, self._executor, dry_run=options.dry_run, seconds=options.seconds)
        if errors:
            done = f"{len(removed)} objects were removed before" if removed else "nothing was removed before"
            raise TeardownError("\n".join([f"teardown stopped ({done}); correct this and run it again:", *errors]))
        removed.extend(ref for ref, _live in group)

    def _namespaces(self, namespaces: Iterable[Found]) -> None:
        """A namespace goes when it is named, or when nothing but the cluster's own furniture is left in it."""
        result, gone = self._result, set(self._result.removed)
        delete: list[Found] = []
        for ref, live in namespaces:
            named = ref.text in self._options.data
            left = [] if named else [other for other in occupants(self._client, ref.name) if other not in gone]
            if left:
                more = f" and {len(left) - 3} more" if len(left) > 3 else ""
                result.kept[ref] = f"holds {', '.join(other.text for other in left[:3])}{more}"
            else:
                delete.append((ref, live))
        self._delete(delete)
        # What was to be kept in a namespace that was named went with it.
        removed = {ref.name for ref, _live in delete}
        for ref in [ref for ref in result.kept if ref.namespace in removed]:
            del result.kept[ref]
            result.removed.append(ref)

    def _home(self, found: dict[Ref, Object], home: list[Found]) -> None:
        """The collection's memory goes last, and stays for as long as it is needed to find what was kept."""
        result, options = self._result, self._options
        needed = {(found[ref]["metadata"].get("labels") or {}).get(LABEL_APPLYSET) for ref in result.kept} - {None}
        memory = [
            (ref_of(config_map), config_map)
            for config_map in self._client.list("v1", "ConfigMap", options.home, label_selector=OURS)
            if (config_map["metadata"].get("labels") or {}).get(LABEL_ID) not in needed
        ]
        if not result.kept:
            leases = self._client.list("coordination.k8s.io/v1", "Lease", options.home)
            memory.extend((ref_of(lease), lease) for lease in leases if lease["metadata"]["name"] == LEASE)
        # In a dry run the members are still there.
        gone = set(result.removed)
        self._delete([pair for pair in memory if pair[0] not in gone])
        if result.kept:
            result.kept.update({ref: "remembers what was kept" for ref, _live in home})
        else:
            self._namespaces(home)


@contextlib.contextmanager
def _lease(client: KubeClient, options: TeardownOptions) -> Iterator[None]:
    """No run may deliver meanwhile; without a home namespace there is nothing to hold it in."""
    home = Ref("", "v1", "Namespace", "", options.home)
    if options.dry_run or client.get(home) is None:
        yield
        return
    with DeliverLease(client, options.home):
        yield


def options_of(params: t.Mapping[str, t.Any], *, dry_run: bool) -> TeardownOptions:
    """The options of the module."""
    return TeardownOptions(
        home=params["home_namespace"],
        components=tuple(params["components"]),
        data=normalize_data(params["data"]),
        seconds=float(params["wait_timeout"]),
        dry_run=dry_run,
    )
