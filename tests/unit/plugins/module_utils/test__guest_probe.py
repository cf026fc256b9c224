# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Guests go whatever happens, and what fails about them hides no check."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._guest_probe import carry_out
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError


@dataclass
class Guests:
    """Notes what it is told, and fails at what `wrong` names."""

    wrong: str = ""
    told: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> t.Callable[[], int]:
        def act() -> int:
            self.told.append(name)
            if name == self.wrong:
                raise LiteLLMError("no answer")
            return 0

        return act


@dataclass
class Place:
    guests: t.Any = field(default_factory=Guests)


def see(_stage: Place) -> Observation:
    return Observation(facts=["something"])


def fail(error: Exception) -> t.Callable[[Place], Observation]:
    def observe(_stage: Place) -> Observation:
        raise error

    return observe


def probes(first: t.Callable[[Place], Observation]) -> dict[str, tuple[Claim, t.Callable[[Place], Observation]]]:
    return {"first": (Claim("one", "live", "a", "b"), first), "second": (Claim("two", "live", "a", "b"), see)}


@pytest.mark.parametrize("error", [ProbeError("away"), LiteLLMError("away"), KubeError("away")])
def test_what_cannot_be_asked_ends_one_probe_and_guests_go(error: Exception) -> None:
    place = Place()
    checks, warnings = carry_out(probes(fail(error)), ["first", "second"], lambda _stack: place)
    assert [(check["id"], check["ok"], check.get("reason")) for check in checks] == [
        ("one", False, "did not run: away"),
        ("two", True, None),
    ]
    assert (warnings, place.guests.told) == ([], ["remove_leftovers", "remove"])


@pytest.mark.parametrize("error", [ProbeError("away"), LiteLLMError("away"), KubeError("away")])
def test_what_cannot_be_reached_fails_every_claim(error: Exception) -> None:
    def reach(_stack: object) -> Place:
        raise error

    checks, warnings = carry_out(probes(see), ["second"], reach)
    assert [(check["id"], check["reason"]) for check in checks] == [("two", "did not run: away")]
    assert warnings == []


@pytest.mark.parametrize("wrong", ["remove_leftovers", "remove"])
def test_guests_that_stay_are_a_warning(wrong: str) -> None:
    place = Place(Guests(wrong))
    checks, warnings = carry_out(probes(see), ["first", "second"], lambda _stack: place)
    assert [check["ok"] for check in checks] == [True, True]
    assert warnings == ["teams of a probe could not be removed, the next one will try again: no answer"]
    assert place.guests.told == ["remove_leftovers", "remove"]


def test_guests_go_also_after_a_fault_of_ours() -> None:
    place = Place()
    with pytest.raises(ZeroDivisionError):
        carry_out(probes(fail(ZeroDivisionError())), ["first"], lambda _stack: place)
    assert place.guests.told == ["remove_leftovers", "remove"]
