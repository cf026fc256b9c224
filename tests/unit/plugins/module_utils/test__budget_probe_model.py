# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a budget really bought is read from the model's log, and a gap in it is never taken for nothing."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_model import ModelLog, Work
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError

TEAM = "llm-platform-probe-6b044843-2a1126-3"


def entry(number: int, team: str = TEAM, *, body: t.Mapping[str, t.Any] | None = None, **outcome: t.Any) -> t.Any:
    return {
        "number": number,
        "time": 100.0 + number,
        "headers": [["x-gateway-inference-fairness-id", team]],
        "body": {"max_tokens": 16, **(body or {})},
        "outcome": {"prompt_tokens": 30, "generated_tokens": 16, "finished": ["length"], **outcome},
    }


class Pod:
    """A simulator that remembers as many requests as it was told to."""

    def __init__(self, *entries: t.Any, keep: int = 100, status: int = 200) -> None:
        self.entries = list(entries)
        self.keep = keep
        self.status = status

    def get(self, path: str, *, key: str | None = None) -> tuple[int, str]:
        assert (path, key) == ("/simulator/requests", "secret")
        return self.status, json.dumps({"requests": self.entries[-self.keep :]})


def follow(*pods: t.Any) -> ModelLog:
    return ModelLog(t.cast("t.Any", pods), "secret", pause=30.0)


def test_choices_share_a_prompt_in_the_bill() -> None:
    work = Work.of(entry(1, body={"n": 2}, prompt_tokens=60, generated_tokens=20, finished=["length", "stop"]))
    assert work == Work(TEAM, 101.0, 30, 20, 32, ("length", "stop"))


@pytest.mark.parametrize(
    ("finished", "done", "aborted"), [(["stop", None], False, False), (["abort"], True, True), ([], True, False)]
)
def test_what_became_of_a_request(finished: list[str | None], done: bool, aborted: bool) -> None:
    work = Work.of(entry(1, finished=finished))
    assert work is not None
    assert (work.done, work.aborted) == (done, aborted)


def test_a_team_is_found_in_the_prompt_too() -> None:
    found = entry(1, team="", body={"messages": [{"content": f"hello [{TEAM}]"}]})
    assert Work.of(found) is not None
    assert Work.of(entry(1, team="somebody")) is None


def test_only_what_is_new_counts_and_it_counts_as_it_ended() -> None:
    pod = Pod(entry(1))
    with follow(pod) as log:
        assert log.of(TEAM) == []
        pod.entries += [entry(2, finished=[None], generated_tokens=1), entry(3, team="somebody")]
        assert [work.generated_tokens for work in log.of(TEAM)] == [1]
        pod.entries[1] = entry(2)
        assert [work.generated_tokens for work in log.settled(TEAM)] == [16]


def test_two_pods_number_their_requests_alike() -> None:
    pods = Pod(), Pod()
    with follow(*pods) as log:
        for pod in pods:
            pod.entries.append(entry(1))
        assert len(log.of(TEAM)) == 2


def test_entries_that_were_gone_before_they_were_read_are_an_error() -> None:
    pod = Pod(entry(1), keep=2)
    with follow(pod) as log:
        pod.entries += [entry(number) for number in (2, 3, 4, 5)]
        with pytest.raises(ProbeError, match="2 requests left the model's log"):
            log.of(TEAM)


def test_a_model_without_a_log_proves_nothing() -> None:
    with pytest.raises(ProbeError, match="only with the simulator"), follow(Pod(status=404)):
        pass


def test_an_old_simulator_is_named() -> None:
    old = entry(1)
    del old["outcome"]
    with pytest.raises(ProbeError, match="build its image anew"), follow(Pod(old)):
        pass
