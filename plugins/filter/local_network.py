# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Filters `local_network` and `local_network_clashes`."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.wmx.llm_platform.plugins.module_utils._local_network import LocalNetworkError, clashes, network


def local_network(name: str, cidr: str = "") -> dict[str, str]:
    """Addresses and interface name of the local cluster with this name."""
    try:
        return network(name, cidr)
    except LocalNetworkError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names as templates use them."""
        return {"local_network": local_network, "local_network_clashes": clashes}
