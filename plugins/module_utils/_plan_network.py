# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules for what the inventory says of the network, and the flows of a plan. Private to the collection."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_flows import API_SERVER, Inputs, Resolver, Table
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import DNS_LABEL, nearest

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import End, Flow, Port
    from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Given = dict[str, t.Any]

_NUMBER = re.compile(r"(\d{1,5})(?:/(TCP|UDP))?")
_WAYS = "name one of end, namespace and addresses"


def plan_flows(table: Table, inputs: Inputs, validator: Validator) -> list[Flow]:
    """The flows of the plan with those of the inventory; what is wrong is added to the validator."""
    option = inputs.option
    _networks(option("llm_network_dns.addresses"), "llm_network_dns.addresses", validator)
    _networks(option(API_SERVER), API_SERVER, validator)
    _port(option("llm_network_api_server.port"), "llm_network_api_server.port", validator)
    namespace = option("llm_network_dns.namespace")
    if namespace is not None and not DNS_LABEL.fullmatch(namespace):
        validator.add("llm_network_dns.namespace", namespace, "is no namespace's name", "use a-z, 0-9 and -")
    resolver = Resolver(table, inputs)
    given = [
        flow
        for index, entry in enumerate(option("llm_network_flows") or [])
        if entry and (flow := _Given(resolver, entry, f"llm_network_flows[{index}]", validator).flow())
    ]
    flows = resolver.flows() + given
    for flow in flows:
        for end in (flow["from"], flow["to"]):
            if end["pods"] is None and not end["addresses"] and end["option"] not in ("", API_SERVER):
                # The API server's are found by preflight, which needs the plan to look for them.
                what = f"is empty, and {flow['from']['name']} -> {flow['to']['name']} needs it ({flow['why']})"
                validator.add(end["option"], [], what, "list its networks, such as 203.0.113.0/24")
    return flows


class _Given:
    """One entry of llm_network_flows."""

    def __init__(self, resolver: Resolver, entry: Given, path: str, validator: Validator) -> None:
        self._resolver = resolver
        self._entry = entry
        self._path = path
        self._validator = validator
        self._add = validator.add

    def flow(self) -> Flow | None:
        before = len(self._validator.problems)
        source, target = (self._end(key) for key in ("from", "to"))
        ports = self._ports()
        if source and target and not (source["component"] or target["component"]):
            fix = f"name an end of ours in from or to: {', '.join(sorted(filter(self._is_ours, self._resolver.ends)))}"
            self._add(self._path, None, "leads from somebody else to somebody else", fix)
        if len(self._validator.problems) > before or source is None or target is None:
            return None
        return {"from": source, "to": target, "ports": ports, "why": self._entry.get("why") or "", "model": ""}

    def _is_ours(self, name: str) -> bool:
        return self._resolver.is_ours(name)

    def _end(self, key: str) -> End | None:
        path, entry = f"{self._path}.{key}", self._entry.get(key) or {}
        named = [way for way in ("end", "namespace", "addresses") if entry.get(way)]
        if len(named) != 1:
            self._add(path, named, "names nobody" if not named else "names two", _WAYS)
            return None
        if entry.get("pod_labels") and named != ["namespace"]:
            self._add(f"{path}.pod_labels", entry["pod_labels"], "is for a namespace alone", "remove it")
        if named == ["end"]:
            name = entry["end"]
            if name not in self._resolver.ends:
                self._add(f"{path}.end", name, "is no end that this plan has", nearest(name, self._resolver.ends))
                return None
            return self._resolver.end(name)
        if named == ["namespace"]:
            return self._pods(path, entry["namespace"], entry.get("pod_labels") or {})
        _networks(entry["addresses"], f"{path}.addresses", self._validator)
        return _foreign(", ".join(map(str, entry["addresses"])), addresses=list(entry["addresses"]))

    def _pods(self, path: str, namespace: str, labels: dict[str, t.Any]) -> End:
        if not DNS_LABEL.fullmatch(namespace):
            self._add(f"{path}.namespace", namespace, "is no namespace's name", "use a-z, 0-9 and -")
        for label, value in labels.items():
            if not isinstance(value, str):
                self._add(f"{path}.pod_labels.{label}", value, "is no string", "put it in quotes")
        return _foreign(f"namespace {namespace}", pods=labels, namespaces=[namespace])

    def _ports(self) -> list[Port]:
        target = (self._entry.get("to") or {}).get("end")
        named = {port["name"]: port for port in self._resolver.ports(target)} if target in self._resolver.ends else {}
        listed = self._entry.get("ports") or []
        if not listed:
            fix = f"name some: {', '.join(named) or 'numbers'}"
            self._add(f"{self._path}.ports", listed, "names no port", fix)
        found = []
        for index, value in enumerate(listed):
            path, number = f"{self._path}.ports[{index}]", _NUMBER.fullmatch(str(value))
            if str(value) in named:
                found.append(named[str(value)])
            elif isinstance(value, bool) or not number:
                self._add(path, value, "is no port", f"use a number, one like 53/UDP{_or(list(named))}")
            elif _port(int(number[1]), path, self._validator):
                found.append({"name": str(value), "port": int(number[1]), "protocol": number[2] or "TCP"})
        return found


def _foreign(
    name: str,
    *,
    pods: dict[str, str] | None = None,
    namespaces: list[str] | None = None,
    addresses: list[str] | None = None,
) -> End:
    return {
        "name": name,
        "what": "of the inventory",
        "component": "",
        "policy": "",
        "phase": "",
        "pods": pods,
        "namespaces": namespaces or [],
        "namespace_label": "",
        "addresses": addresses or [],
        "option": "",
    }


def _or(names: list[str]) -> str:
    return f", or {', '.join(names)}" if names else ""


def _networks(values: list[t.Any] | None, path: str, validator: Validator) -> None:
    for index, value in enumerate(values or []):
        try:
            ipaddress.ip_network(value)
        except ValueError:
            fix = "write address/prefix with no bits behind the prefix, such as 10.20.0.0/24 or 10.20.0.1/32"
            validator.add(f"{path}[{index}]", value, "is no network", fix)


def _port(value: int | None, path: str, validator: Validator) -> bool:
    if value is not None and not 1 <= value <= 65535:
        validator.add(path, value, "is no port", "use 1 to 65535")
        return False
    return value is not None
