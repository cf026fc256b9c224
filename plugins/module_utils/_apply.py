# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings components of the tree into a cluster: lease, stages, prune, wait, settle. Private to the collection."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_one import Applier, Outcome, Patience
from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_report import Report
from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import (
    ApplySet,
    Parents,
    member_selector,
    read_parents,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import (
    STAGE_AFTER,
    STAGE_FOUNDATION,
    STAGE_MAIN,
    Desired,
    Source,
    Stage,
    desired_of,
    kinds_of_crds,
    sources_of,
    stages_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._foreign_fields import prepare
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError
from ansible_collections.wmx.llm_platform.plugins.module_utils._lease import DeliverLease
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    LABEL_APPLYSET,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    Ref,
    ref_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._offline import OfflineValidator
from ansible_collections.wmx.llm_platform.plugins.module_utils._prune import (
    PruneOptions,
    PrunePlan,
    delete_group,
    plan_prune,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._settle import settle
from ansible_collections.wmx.llm_platform.plugins.module_utils._snapshot import Snapshot, take
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import file_name, key_of_file
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import load_documents
from ansible_collections.wmx.llm_platform.plugins.module_utils._wait import Waiter, WaitError

if t.TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

THREADS = 16
FOUNDATION_SECONDS = 60.0


class ApplyError(KubeError):
    """The run did not reach its end; the report says how far it came."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class ApplyOptions:
    tree: Path
    components: tuple[str, ...]
    home_namespace: str = PLATFORM
    prune: PruneOptions = field(default_factory=PruneOptions)
    wait: bool = True
    wait_timeout: float = 600.0
    check: bool = False


def deliver(client: KubeClient, options: ApplyOptions, *, patience: Patience | None = None) -> Report:
    """The whole run. ApplyError carries the report of what was done before something went wrong."""
    sources = sources_of(options.tree, options.components)
    with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="apply") as executor:
        return _Run(client, options, executor, patience or Patience()).go(sources)


class _Run:
    def __init__(self, client: KubeClient, options: ApplyOptions, executor: Executor, patience: Patience) -> None:
        self._client = client
        self._options = options
        self._executor = executor
        self._patience = patience
        self._sets = {name: ApplySet(name, options.home_namespace) for name in options.components}
        self._report = Report()
        self._lease: DeliverLease | None = None
        self._home: Outcome | None = None
        self._coming: frozenset[tuple[str, str]] = frozenset()

    def go(self, sources: t.Sequence[Source]) -> Report:
        desired = desired_of(sources, self._sets)
        self._coming = kinds_of_crds(item.object for item in desired)
        sets = list(self._sets.values())
        recorded = read_parents(self._client, sets)
        kinds = {kind for record in recorded.values() for kind in record.kinds}
        snapshot = take(self._client, desired, kinds, member_selector(sets), self._executor)
        plan = plan_prune(snapshot.members.values(), self._keep(desired), self._options.prune)
        self._report.kept = list(plan.kept)
        stages = stages_of(desired)
        if self._options.check:
            self._try_out(stages, snapshot, plan)
            return self._report
        self._keep_home(desired, snapshot)
        with DeliverLease(self._client, self._options.home_namespace) as lease:
            self._lease = lease
            parents = Parents(self._client, sets, recorded)
            parents.widen(self._members(desired, snapshot))
            self._bring(stages, snapshot, plan)
            parents.narrow(self._members(desired, snapshot))
        return self._report

    def _keep(self, desired: t.Sequence[Desired]) -> set[tuple[str, str, str, str]]:
        """What must not be pruned: everything the whole tree has, so that an object may move between components."""
        keys = {key_of_file(path.name) for path in self._options.tree.glob("*/[!.]*/*.yml")}
        return keys | {item.ref.key for item in desired}

    def _try_out(self, stages: t.Sequence[Stage], snapshot: Snapshot, plan: PrunePlan) -> None:
        offline = OfflineValidator(self._options.tree, self._client.version())
        applier = Applier(self._client, dry_run=True, offline=offline, patience=self._patience)
        for stage in stages:
            self._apply_stage(applier, stage, snapshot)
        self._raise_errors()
        self._prune(plan, dry_run=True)

    def _bring(self, stages: t.Sequence[Stage], snapshot: Snapshot, plan: PrunePlan) -> None:
        self._apply_all([stage for stage in stages if stage.order[0] != STAGE_AFTER], snapshot)
        # Before waiting: what left the tree may hold the very GPU that a new object waits for.
        self._prune(plan, dry_run=False)
        self._wait([done for done in self._report.outcomes if done.desired.order[0] == STAGE_MAIN], self._options.wait)
        self._apply_all([stage for stage in stages if stage.order[0] == STAGE_AFTER], snapshot)
        self._report.errors += settle(self._client, self._report.outcomes, self._executor, self._patience)
        self._raise_errors()

    def _apply_all(self, stages: t.Sequence[Stage], snapshot: Snapshot) -> None:
        applier = Applier(self._client, dry_run=False, patience=self._patience, coming=self._coming)
        for number, stage in enumerate(stages, start=1):
            done = self._apply_stage(applier, stage, snapshot)
            if self._report.errors and stage.order[0] != STAGE_FOUNDATION:
                self._look_ahead(stages[number:], snapshot)
            self._raise_errors()
            if stage.order[0] == STAGE_FOUNDATION:
                self._wait(done, True, FOUNDATION_SECONDS)
                if any(item.action != "unchanged" for item in done):
                    self._client.discovery.refresh()
            elif stage.is_hook:
                self._wait(done, True)

    def _look_ahead(self, stages: t.Sequence[Stage], snapshot: Snapshot) -> None:
        """The run ends with this stage; a dry run of the others shows their errors too, and writes nothing."""
        applier = Applier(self._client, dry_run=True, patience=self._patience)
        for stage in stages:
            done = self._executor.map(lambda item: applier.apply(item, snapshot.find(item)), stage.objects)
            self._report.errors += [outcome.error for outcome in done if outcome.error]

    def _apply_stage(self, applier: Applier, stage: Stage, snapshot: Snapshot) -> list[Outcome]:
        if self._lease:
            self._lease.check()
        home = self._home
        todo = [item for item in stage.objects if home is None or item is not home.desired]
        # A thread costs more than to compare: only what needs the server goes to one.
        current = {item.ref: outcome for item in todo if (outcome := applier.current(item, snapshot.find(item)))}
        rest = [item for item in todo if item.ref not in current]
        sent = {outcome.desired.ref: outcome for outcome in self._executor.map(partial(_send, applier, snapshot), rest)}
        done = [(current.get(item.ref) or sent[item.ref]) for item in todo]
        if home is not None and len(todo) < len(stage.objects):
            done.append(home)
        self._report.outcomes += done
        self._report.errors += [outcome.error for outcome in done if outcome.error]
        return done

    def _raise_errors(self) -> None:
        errors = self._report.errors
        if errors:
            head = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
            raise ApplyError(f"{head}:\n" + "\n".join(f"- {error}" for error in errors), self._report)

    def _wait(self, outcomes: t.Sequence[Outcome], enabled: bool, seconds: float | None = None) -> None:
        if not enabled or not outcomes:
            return
        if self._lease:
            self._lease.check()
        waiter = Waiter(self._client, member_selector(list(self._sets.values())))
        try:
            waiter.wait(
                {outcome.desired.ref: outcome.live for outcome in outcomes}, seconds or self._options.wait_timeout
            )
        except WaitError as exc:
            raise ApplyError(str(exc), self._report) from exc

    def _prune(self, plan: PrunePlan, *, dry_run: bool) -> None:
        for group in plan.delete:
            if self._lease:
                self._lease.check()
            errors = delete_group(
                self._client, group, self._executor, dry_run=dry_run, seconds=self._options.wait_timeout
            )
            self._report.errors += errors
            self._report.pruned += [
                pair for pair in group if not any(error.startswith(f"{pair[0]}:") for error in errors)
            ]
            self._raise_errors()

    def _keep_home(self, desired: t.Sequence[Desired], snapshot: Snapshot) -> None:
        """Lease and ApplySets live in the home namespace, so it comes before everything, as the tree has it."""
        ref = Ref("", "v1", "Namespace", "", self._options.home_namespace)
        if ref.key in snapshot.members or ref.key in snapshot.others or self._client.get(ref) is not None:
            return
        for item in desired:
            if item.ref.key == ref.key:
                self._home = Applier(self._client, dry_run=False, patience=self._patience).apply(item, None)
                if self._home.error:
                    raise ApplyError(self._home.error, self._report)
                return
        response = self._client.apply(_home_of(self._options.tree, ref), ref)
        if response.status >= 400:
            raise ApiError("PATCH", ref.text, response)

    def _members(self, desired: t.Sequence[Desired], snapshot: Snapshot) -> dict[str, list[Ref]]:
        """What belongs to each component: what is wanted, and what is there and not pruned."""
        members: dict[str, list[Ref]] = {name: [] for name in self._sets}
        by_id = {applyset.id: name for name, applyset in self._sets.items()}
        for item in desired:
            members[item.applyset.component].append(item.ref)
        gone = {ref.key for ref, _live in self._report.pruned}
        for key, live in snapshot.members.items():
            if key not in gone:
                members[by_id[live["metadata"]["labels"][LABEL_APPLYSET]]].append(ref_of(live))
        return members


def _send(applier: Applier, snapshot: Snapshot, item: Desired) -> Outcome:
    return applier.apply(item, snapshot.find(item))


def _home_of(tree: Path, ref: Ref) -> Object:
    """The home namespace as another component renders it, or a plain one."""
    for path in sorted(tree.glob(f"*/[!.]*/{file_name(ref)}")):
        return prepare(t.cast("Object", load_documents(path.read_text(encoding="utf-8"))[0][1]))[0]
    labels = {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: PLATFORM}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ref.name, "labels": labels}}
