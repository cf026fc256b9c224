# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about the cluster. Private to the collection."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
    run_probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import (
    READY,
    RESTRICTED,
    observe_ready,
    observe_restricted,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_network import ENFORCED, observe_enforced
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

CLAIMS: t.Final[dict[str, Claim]] = {"ready": READY, "pods_restricted": RESTRICTED, "policies_enforced": ENFORCED}


def probe(params: t.Mapping[str, t.Any]) -> list[Check]:
    """One check for each kind; a cluster that does not answer makes failed checks, not a failed task."""
    probes: dict[str, t.Callable[[KubeClient], Observation]] = {
        "ready": observe_ready,
        "pods_restricted": lambda client: observe_restricted(client, params["namespaces"], params["image"]),
        "policies_enforced": lambda client: observe_enforced(client, params["image"], params["timeout"]),
    }

    def carry_out(kind: str) -> Observation:
        try:
            return probes[kind](KubeClient.from_options(params))
        except KubeError as exc:
            raise ProbeError(str(exc)) from exc

    return [run_probe(CLAIMS[kind], partial(carry_out, kind)) for kind in params["kinds"]]
