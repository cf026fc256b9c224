# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs probes that make guests: reach, clear what dead probes left, probe, clean up. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from contextlib import ExitStack
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    Claim,
    Observation,
    ProbeError,
    run_probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests

UNREACHABLE: t.Final = (LiteLLMError, KubeError)
"""What cannot be asked ends one probe, not all."""


class Staged(t.Protocol):
    @property
    def guests(self) -> Guests: ...


S = t.TypeVar("S", bound=Staged)


def with_guests(  # noqa: UP047 - as Query of _transport
    claims: t.Sequence[Claim], reach: t.Callable[[ExitStack], S], work: t.Callable[[S], list[Check]]
) -> tuple[list[Check], list[str]]:
    """All checks, and warnings. What cannot be reached is a failed check of every claim."""
    began = time.monotonic()
    with ExitStack() as stack:
        try:
            stage = reach(stack)
        except (ProbeError, *UNREACHABLE) as exc:
            return [claim.not_run(str(exc), time.monotonic() - began) for claim in claims], []
        warnings = _tidy(stage.guests.remove_leftovers)
        try:
            checks = work(stage)
        finally:
            warnings += _tidy(stage.guests.remove)
    return checks, warnings


def carry_out(  # noqa: UP047
    probes: t.Mapping[str, tuple[Claim, t.Callable[[S], Observation]]],
    kinds: t.Sequence[str],
    reach: t.Callable[[ExitStack], S],
) -> tuple[list[Check], list[str]]:
    """One after the other: they look at the same counters and logs, and come from one address, which is limited."""
    chosen = [probes[kind] for kind in kinds]

    def one_by_one(stage: S) -> list[Check]:
        return [run_probe(claim, partial(observe, stage), UNREACHABLE) for claim, observe in chosen]

    return with_guests([claim for claim, _observe in chosen], reach, one_by_one)


def _tidy(remove: t.Callable[[], object]) -> list[str]:
    """What is left behind does no harm, for its keys expire; it must not hide what the probes have seen."""
    try:
        remove()
    except LiteLLMError as exc:
        return [f"teams of a probe could not be removed, the next one will try again: {exc}"]
    return []
