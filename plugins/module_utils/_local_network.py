# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Derives the addresses of a local cluster from its name and finds clashing routes. Private to the collection."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t

GUARD_METRIC = 9999
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_FIRST, _SLOTS = 192, 64


class LocalNetworkError(ValueError):
    """A name or network that no local cluster can have."""


def slot(name: str) -> int:
    """Second octet of the cluster's network, 192 to 255: the same for the same name on every machine."""
    return _FIRST + hashlib.sha256(name.encode()).digest()[0] % _SLOTS


def link_name(name: str) -> str:
    """Name of the host's interface; the kernel allows 15 characters."""
    short = name if len(name) <= 12 else f"{name[:5]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return f"lc-{short}"


def network(name: str, cidr: str = "") -> dict[str, str]:
    """Every address of the cluster, cut from one /16, so that one route on the host guards all of them."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise LocalNetworkError(
            f"local_cluster_name = {name!r}: not a DNS label of at most 40 characters that starts with a letter; "
            "use lower-case letters, digits and '-'"
        )
    try:
        whole = ipaddress.IPv4Network(cidr or f"10.{slot(name)}.0.0/16")
    except ValueError as exc:
        raise LocalNetworkError(f"local_cluster_network = {cidr!r}: {exc}; write it like 10.200.0.0/16") from exc
    if whole.prefixlen != 16 or not whole.is_private:
        raise LocalNetworkError(
            f"local_cluster_network = {cidr!r}: not a private network of prefix length 16; write it like 10.200.0.0/16"
        )
    base = whole.network_address
    return {
        "cidr": str(whole),
        "node_ip": str(base + 1),
        "host_ip": str(base + 254),
        "pods": str(ipaddress.IPv4Network((base + 0x100, 24))),
        "simulated_pods": str(ipaddress.IPv4Network((base + 0x200, 24))),
        "services": str(ipaddress.IPv4Network((base + 0x1000, 20))),
        "api_ip": str(base + 0x1001),
        "dns_ip": str(base + 0x100A),
        "link": link_name(name),
    }


def clashes(routes: t.Iterable[t.Mapping[str, t.Any]], net: t.Mapping[str, str]) -> list[str]:
    """Routes (from `ip -json route show table all`) that overlap the cluster's network and are not its own."""
    whole = ipaddress.IPv4Network(net["cidr"])
    found = []
    for route in routes:
        destination, device = str(route.get("dst", "default")), route.get("dev")
        if destination == "default" or device == net["link"]:
            continue
        if destination == net["cidr"] and route.get("type") == "unreachable" and route.get("metric") == GUARD_METRIC:
            continue
        try:
            other = ipaddress.ip_network(destination, strict=False)
        except ValueError:
            continue
        if other.version == 4 and other.prefixlen > 0 and other.overlaps(whole):
            found.append(f"{destination} dev {device}" if device else f"{route.get('type', 'unicast')} {destination}")
    return found
