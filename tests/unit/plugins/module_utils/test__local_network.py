# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ipaddress

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._local_network import (
    GUARD_METRIC,
    LocalNetworkError,
    clashes,
    link_name,
    network,
)


def test_every_address_lies_in_the_network_that_the_guard_route_covers() -> None:
    net = network("llm-platform")
    whole = ipaddress.ip_network(net["cidr"])
    for key in ("pods", "simulated_pods", "services"):
        assert ipaddress.ip_network(net[key]).subnet_of(whole)
    for key in ("node_ip", "host_ip", "api_ip", "dns_ip"):
        assert ipaddress.ip_address(net[key]) in whole


def test_the_parts_of_a_network_do_not_overlap() -> None:
    net = network("llm-platform")
    parts = [ipaddress.ip_network(net[key]) for key in ("pods", "simulated_pods", "services")]
    parts.append(ipaddress.ip_network(f"{net['node_ip']}/24", strict=False))
    assert not any(a.overlaps(b) for i, a in enumerate(parts) for b in parts[i + 1 :])


def test_services_begin_where_the_api_server_takes_its_own_address() -> None:
    net = network("x")
    services = ipaddress.ip_network(net["services"])
    assert net["api_ip"] == str(services[1])
    assert ipaddress.ip_address(net["dns_ip"]) in services


def test_the_same_name_gives_the_same_addresses() -> None:
    assert network("llm-platform") == network("llm-platform")
    assert network("llm-platform")["cidr"] == "10.241.0.0/16"


def test_other_names_give_other_links_even_where_long_ones_are_cut() -> None:
    names = ["llm-platform", "second", "a" * 13, "a" * 14, "a" * 40]
    links = {link_name(name) for name in names}
    assert len(links) == len(names)
    assert all(len(link) <= 15 for link in links)


def test_a_given_network_is_taken() -> None:
    assert network("x", "192.168.0.0/16")["node_ip"] == "192.168.0.1"


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a_b", "1a", "a.b", "x" * 41, "a\n", "{{ a }}", "../x", "yes: no", None, 5]
)
def test_a_name_that_is_no_label_is_refused_with_its_value(name: str) -> None:
    with pytest.raises(LocalNetworkError, match="local_cluster_name = ") as caught:
        network(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "10.1.0.0/24", "8.8.0.0/16", "10.1.2.0/16", "yes", "10.1.0.0", "::/16"])
def test_a_network_that_is_no_private_16_is_refused_with_its_value(cidr: str) -> None:
    with pytest.raises(LocalNetworkError, match="local_cluster_network = ") as caught:
        network("x", cidr)
    assert repr(cidr) in str(caught.value)


def test_own_guard_and_own_link_are_no_clash() -> None:
    net = network("x")
    routes = [
        {"type": "unreachable", "dst": net["cidr"], "metric": GUARD_METRIC},
        {"dst": net["node_ip"], "dev": net["link"]},
        {"dst": "default", "dev": "eth0"},
        {"dst": "192.0.2.0/24", "dev": "eth0"},
        {"dst": "fe80::/64", "dev": "eth0"},
    ]
    assert clashes(routes, net) == []


def test_a_route_inside_and_a_route_around_the_network_clash() -> None:
    net = network("x", "10.200.0.0/16")
    routes = [
        {"dst": "10.200.7.0/24", "dev": "tun0"},
        {"dst": "10.0.0.0/8", "dev": "wg0"},
        {"dst": "10.200.0.1", "dev": "lc-other"},
        {"type": "blackhole", "dst": "10.200.0.0/15"},
    ]
    assert clashes(routes, net) == [
        "10.200.7.0/24 dev tun0",
        "10.0.0.0/8 dev wg0",
        "10.200.0.1 dev lc-other",
        "blackhole 10.200.0.0/15",
    ]


def test_a_foreign_unreachable_route_of_the_same_network_clashes() -> None:
    net = network("x")
    assert clashes([{"type": "unreachable", "dst": net["cidr"], "metric": 1}], net)
