# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""How long an engine step takes. Times grow with the running batch, its context and the tokens that are prefilled."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class TimingProfile:
    """Seconds of work per unit; `gpu_blocks` is the size of the KV cache this hardware has room for."""

    name: str
    described: str
    ingest: float
    """Work of the one front-end process per request (parse, tokenize); requests queue for it."""
    transit: float
    """Latency each request pays on its way to the scheduler, in parallel with others."""
    step: float
    """Floor of every step: reading the weights once."""
    decode_sequence: float
    decode_context_token: float
    """Reading one token of KV cache in a decode step."""
    prefill: float
    """Extra floor of a step that prefills: it cannot use the decode graph."""
    prefill_sequence: float
    prefill_token: float
    gpu_blocks: int

    def step_seconds(self, *, decodes: int, context_tokens: int, prefills: int, prefill_tokens: int) -> float:
        seconds = self.step + decodes * self.decode_sequence + context_tokens * self.decode_context_token
        if prefills:
            seconds += self.prefill + prefills * self.prefill_sequence + prefill_tokens * self.prefill_token
        return seconds


PROFILES: dict[str, TimingProfile] = {
    profile.name: profile
    for profile in (
        TimingProfile(
            name="l4",
            described="0.5B parameters in BF16 on one NVIDIA L4, fitted to a measured closed-loop table, 1 to 32 users",
            ingest=0.0036,
            transit=0.0088,
            step=0.00504,
            decode_sequence=0.00005,
            decode_context_token=4e-8,
            prefill=0.0047,
            prefill_sequence=0.0019,
            prefill_token=0.0000145,
            gpu_blocks=67584,
        ),
        TimingProfile(
            name="fast",
            described="no hardware: a tenth of a millisecond per step, for functional tests",
            ingest=0.0,
            transit=0.0,
            step=0.0001,
            decode_sequence=0.00001,
            decode_context_token=0.0,
            prefill=0.0,
            prefill_sequence=0.0,
            prefill_token=0.000001,
            gpu_blocks=4096,
        ),
    )
}
