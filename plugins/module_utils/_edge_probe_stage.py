# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What probes of the entrances work with. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation, ProbeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_entrance import Entrance
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_inside import Inside
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import Model
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import Gateway
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests


@dataclass(frozen=True, slots=True)
class Limits:
    """What the entrances were told."""

    body_bytes: int
    requests: int
    seconds: int
    burst: int


@dataclass(frozen=True, slots=True)
class Stage:
    """`plain` is the public entrance without TLS; it and `public` are not there where no domain is."""

    internal: Entrance
    public: Entrance | None
    plain: Entrance | None
    # LiteLLM itself, with its master key, which no entrance lets in anywhere else.
    admin: Gateway
    master_key: t.Callable[[], str]
    models: t.Sequence[Model]
    guests: Guests
    inside: t.Callable[[int], Inside]
    limits: Limits

    @property
    def entrances(self) -> list[Entrance]:
        return [entrance for entrance in (self.public, self.internal) if entrance]

    def observation(self) -> Observation:
        return Observation(simulated=any(model.simulated for model in self.models))

    def demand_public(self) -> tuple[Entrance, Entrance]:
        if not self.public or not self.plain:
            raise ProbeError("there is no public entrance: llm_domain is empty")
        return self.public, self.plain
