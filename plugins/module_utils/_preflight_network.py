# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Are DNS and the API server where the flows of a plan say? Private to the collection."""

from __future__ import annotations

import ipaddress
import json
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import End, Flow
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient


class Said(t.NamedTuple):
    """What was found, and what to write where that is wrong."""

    ok: bool
    message: str
    fix: str = ""


def check_dns(client: KubeClient, flows: t.Sequence[Flow], addresses: t.Sequence[str]) -> Said:
    """Whether the pods that may be asked exist; `addresses` are those of the Service."""
    end = _end(flows, "dns")
    if end is None:
        return Said(True, "no flow leads to DNS")
    (namespace,), labels = end["namespaces"], end["pods"] or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    if client.list("v1", "Pod", namespace, selector):
        return Said(True, f"DNS answers at {', '.join(addresses) or 'an unknown address'}")
    message = f"no pod in {namespace} has label {selector}"
    if end["addresses"]:
        return Said(True, f"{message}; DNS is to answer at {', '.join(end['addresses'])}")
    fix = "set llm_network_dns.namespace and llm_network_dns.pod_labels to those of the cluster's DNS"
    return Said(False, message, fix)


def check_api_server(flows: t.Sequence[Flow], addresses: t.Sequence[str], port: int) -> Said:
    """Whether pods that need the API server may reach each of its addresses, where there are such pods."""
    where = f"the API server answers at {', '.join(addresses) or 'an unknown address'}"
    end = _end(flows, "api-server")
    if end is None or not addresses:
        return Said(True, where)
    networks = [ipaddress.ip_network(network) for network in end["addresses"]]
    outside = [text for text in addresses if not any(ipaddress.ip_address(text) in network for network in networks)]
    if outside:
        told = ", ".join(end["addresses"]) or "nowhere"
        wanted = json.dumps([ipaddress.ip_network(text).with_prefixlen for text in addresses])
        fix = f"set llm_network_api_server.addresses: {wanted}"
        return Said(False, f"{where}, and llm_network_api_server.addresses says {told}", fix)
    used = {entry["port"] for flow in flows if flow["to"]["name"] == "api-server" for entry in flow["ports"]}
    if used and port not in used:
        return Said(False, f"{where}, port {port}, which no flow opens", f"set llm_network_api_server.port: {port}")
    return Said(True, where)


def _end(flows: t.Sequence[Flow], name: str) -> End | None:
    return next((end for flow in flows for end in (flow["from"], flow["to"]) if end["name"] == name), None)
