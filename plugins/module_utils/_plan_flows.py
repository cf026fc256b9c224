# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Resolves the table of flows, and those of the inventory, for the components of a plan. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._catalog import CatalogError
from ansible_collections.wmx.llm_platform.plugins.module_utils._local_network import LocalNetworkError, network
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import End, Flow, Port
    from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import RoleOptions

Entry = dict[str, t.Any]
API_SERVER: t.Final = "llm_network_api_server.addresses"


@dataclasses.dataclass(frozen=True)
class RawEnd:
    """One entry of `ends` as the table has it."""

    what: str
    component: str = ""
    when: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    pods: t.Any = None
    namespace: t.Any = ""
    namespaces: Mapping[str, str] = dataclasses.field(default_factory=dict)
    model_label: str = ""
    addresses: t.Any = ()
    ports: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    policy: str = ""
    phase: str = ""


@dataclasses.dataclass(frozen=True)
class RawFlow:
    """One entry of `flows` as the table has it; `from` is a word of Python's."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    ports: tuple[str, ...]
    why: str
    unless: str = ""
    each: str = ""
    where: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Table:
    ends: Mapping[str, RawEnd] = dataclasses.field(default_factory=dict)
    flows: tuple[RawFlow, ...] = ()


def read_table(data: Mapping[str, t.Any], components: Collection[str]) -> Table:
    """The table as typed entries; a contradiction in it is an error of ours, never of the user."""
    try:
        ends = {name: RawEnd(**entry) for name, entry in (data.get("ends") or {}).items()}
        flows = tuple(_raw_flow(entry) for entry in data.get("flows") or ())
    except (TypeError, KeyError) as exc:
        raise CatalogError(f"table of flows: {exc}") from exc
    for name, end in ends.items():
        if end.component and end.component not in components:
            raise CatalogError(f"table of flows: {name} names component {end.component}, which is not in the catalog")
        if end.pods is None and not end.addresses:
            raise CatalogError(f"table of flows: {name} has neither pods nor addresses")
        if end.pods is not None and not (end.component or end.namespace or end.namespaces):
            raise CatalogError(f"table of flows: {name} has pods in no namespace")
    for flow in flows:
        for name in (*flow.sources, *flow.targets):
            if name not in ends:
                raise CatalogError(f"table of flows: {flow.why!r} names {name}, which is no end")
        known = {port for name in flow.targets for port in ends[name].ports}
        if strangers := sorted(set(flow.ports) - known):
            raise CatalogError(f"table of flows: {flow.why!r} names {strangers}, which none of {flow.targets} has")
    return Table(ends, flows)


def _raw_flow(entry: Mapping[str, t.Any]) -> RawFlow:
    rest = {key: value for key, value in entry.items() if key not in ("from", "to", "ports")}
    return RawFlow(tuple(entry["from"]), tuple(entry["to"]), tuple(entry["ports"]), **rest)


class Inputs:
    """What values of the table refer to: the plan, and options with their documented defaults."""

    def __init__(self, plan: Mapping[str, t.Any], values: Mapping[str, t.Any], roles: Iterable[RoleOptions]) -> None:
        self.plan = plan
        self._values = values
        self._specs = {name: spec for role in roles for name, spec in role.options.items()}

    def get(self, value: t.Any) -> t.Any:
        """The value itself, unless it is a reference."""
        if isinstance(value, dict) and len(value) == 1:
            if "plan" in value:
                return at(self.plan, value["plan"])
            if "option" in value:
                return self.option(value["option"])
        return value

    def option(self, path: str) -> t.Any:
        name, _dot, rest = path.partition(".")
        if name not in self._specs:
            raise CatalogError(f"table of flows: {name} is no option")
        given = self._values.get(name)
        found = Validator().check(self._specs[name], None, name) if given is None else given
        found = at(found, rest) if rest else found
        if isinstance(found, str) and "{{" in found:
            raise CatalogError(f"table of flows: the default of {name} is a template, which no plan can resolve")
        if path == API_SERVER and not found and self.plan["substrate"] == "local":
            node = self._node()
            return [f"{node}/32"] if node else []
        return found

    def _node(self) -> str:
        cluster = self._values.get("local_cluster_name") or self.option("local_cluster_name")
        try:
            return network(cluster, self._values.get("local_cluster_network") or "")["node_ip"]
        except LocalNetworkError:
            # What is wrong with the name or the network is for the role of the local cluster to say.
            return ""


def at(value: t.Any, path: str) -> t.Any:
    """What a dotted path leads to; None where it ends early."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


class Resolver:
    """The ends that a plan has, and the flows between them."""

    def __init__(self, table: Table, inputs: Inputs) -> None:
        self._table = table
        self._inputs = inputs
        plan = inputs.plan
        self._components: dict[str, Entry] = {entry["name"]: entry for entry in plan["components"]}
        self.ends = {name: raw for name, raw in table.ends.items() if self._is_planned(raw)}

    def flows(self) -> list[Flow]:
        return [
            flow
            for raw in self._table.flows
            if raw.unless not in self._components
            for source in raw.sources
            for target in raw.targets
            if source in self.ends and target in self.ends
            for model in (self._models(raw) if raw.each else [""])
            for flow in self._flow(raw, source, target, model)
        ]

    def _flow(self, raw: RawFlow, source: str, target: str, model: str) -> Iterable[Flow]:
        ports = [port for port in self.ports(target) if port["name"] in raw.ports]
        if ports:
            begin, end = self.end(source, model), self.end(target, model)
            yield {"from": begin, "to": end, "ports": ports, "why": raw.why, "model": model}

    def is_ours(self, name: str) -> bool:
        """Whether its policies are ours to write."""
        raw = self.ends[name]
        component = self._components.get(raw.component)
        return component is not None and component["source"] != "existing" and raw.pods is not None

    def ports(self, name: str) -> list[Port]:
        found: list[Port] = []
        for port, value in self.ends[name].ports.items():
            entry = value if isinstance(value, dict) and "number" in value else {"number": value}
            number = self._inputs.get(entry["number"])
            found.append({"name": port, "port": number, "protocol": entry.get("protocol", "TCP")})
        return found

    def end(self, name: str, model: str = "") -> End:
        raw, get = self.ends[name], self._inputs.get
        pods = get(raw.pods)
        if model and raw.model_label:
            pods = {**pods, raw.model_label: model}
        option = raw.addresses.get("option", "") if isinstance(raw.addresses, dict) else ""
        return {
            "name": name,
            "what": raw.what,
            "component": raw.component if self.is_ours(name) else "",
            "policy": raw.policy or name,
            "phase": raw.phase,
            "pods": pods,
            "namespaces": [] if pods is None else self._namespaces(raw),
            "namespace_label": raw.namespaces.get("label", ""),
            "addresses": list(get(raw.addresses) or []),
            "option": option,
        }

    def _namespaces(self, raw: RawEnd) -> list[str]:
        if raw.namespaces:
            listed = self._inputs.plan[raw.namespaces["planned"]]
            return [entry.get("namespace") or entry["name"] for entry in listed if entry]
        return [self._inputs.get(raw.namespace) or self._components[raw.component]["namespace"]]

    def _models(self, raw: RawFlow) -> list[str]:
        return [
            model["name"]
            for model in (*self._inputs.plan["models"], *self._inputs.plan.get("canaries", ()))
            # One without a name was refused already.
            if model.get("name") and all(_is(model.get(key), wanted) for key, wanted in raw.where.items())
        ]

    def _is_planned(self, raw: RawEnd) -> bool:
        here = not raw.component or raw.component in self._components
        return here and all(_is(at(self._inputs.plan, path), wanted) for path, wanted in raw.when.items())


def _is(value: t.Any, wanted: t.Any) -> bool:
    return value in wanted if isinstance(wanted, list) else bool(value == wanted)
