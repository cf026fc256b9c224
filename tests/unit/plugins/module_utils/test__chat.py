# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Streams are read whatever way the bytes are cut, and answers are judged."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer, EventReader, read_gauges
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_checks import (
    CLAIMS,
    Effort,
    Model,
    answer_faults,
    observe_answers,
    observe_queues,
    observe_requires_key,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError

STREAM = b': comment\r\n\r\ndata: {"a": "gr\xc3\xbc\xc3\x9f"}\r\n\r\nevent: x\ndata: one\ndata: two\n\ndata:[DONE]\n\n'
EVENTS = ['{"a": "grüß"}', "one\ntwo", "[DONE]"]


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=20))
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    reader = EventReader()
    events = [event for start, end in itertools.pairwise(edges) for event in reader.feed(STREAM[start:end])]
    assert events == EVENTS


METRICS = """# HELP vllm:num_requests_waiting Number of requests waiting.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="a b"} 3.0
vllm:num_requests_waiting{engine="1",model_name="a } b"} 4.0 1700000000
vllm:num_requests_waiting_by_reason{reason="capacity"} 9.0
plain 7
"""


def test_gauges_are_summed_over_their_labels_and_not_over_other_names() -> None:
    assert read_gauges(METRICS, {"vllm:num_requests_waiting", "plain", "absent"}) == {
        "vllm:num_requests_waiting": 7.0,
        "plain": 7.0,
    }


def whole(**changes: t.Any) -> Answer:
    values = {
        "status": 200,
        "text": "Red, orange",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        "first_token": 0.03,
        "gaps": [0.005],
        **changes,
    }
    return Answer(**values)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"text": " "}, "no text"),
        ({"gaps": []}, "one piece"),
        ({"usage": {}}, "usage not counted"),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 0}}, "usage not counted"),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": "2"}}, "usage not counted"),
        ({"error": "the stream ended without [DONE]"}, "without [DONE]"),
        ({"status": 500, "error": "boom"}, "status 500 boom"),
    ],
    ids=str,
)
def test_an_answer_with_a_fault_is_no_answer(changes: dict[str, t.Any], fault: str) -> None:
    faults = answer_faults(whole(**changes))
    assert len(faults) == 1
    assert fault in faults[0]


def test_a_whole_answer_has_no_faults() -> None:
    assert answer_faults(whole()) == []


class Server:
    """Stands in for ChatClient: lets in whom it is told to, and shows the gauges it is given."""

    def __init__(self, admits: t.Callable[[str | None], bool], waiting: t.Sequence[float] = (0,)) -> None:
        self.admits = admits
        self.waiting = list(waiting)

    def chat(self, prompt: str, *, key: str | None, max_tokens: int, full_length: bool = False) -> Answer:
        return whole() if self.admits(key) else Answer(status=401)

    def gauges(self, names: t.Collection[str]) -> dict[str, float]:
        value = self.waiting.pop(0) if len(self.waiting) > 1 else self.waiting[0]
        return dict.fromkeys(names, value)


def model(server: Server, key: str | None = "right", slots: int = 2) -> Model:
    return Model("chat", t.cast("t.Any", server), key, "1.0.0", simulated=True, slots=slots)


def test_a_server_that_knows_its_key_holds_the_claim() -> None:
    seen = observe_requires_key([model(Server(lambda key: key == "right"))], Effort())
    assert seen.faults == []
    assert seen.facts == ["chat: right key 200, no key 401, wrong key 401, empty key 401"]


@pytest.mark.parametrize(
    ("admits", "fault"),
    [
        (lambda _key: True, "no key gave 200"),
        (lambda _key: False, "right key gave 401"),
        (lambda key: key in ("right", ""), "empty key gave 200"),
        (lambda key: key is not None, "wrong key gave 200"),
    ],
    ids=["everybody", "nobody", "empty", "any key"],
)
def test_a_server_that_lets_in_the_wrong_ones_does_not(admits: t.Callable[[str | None], bool], fault: str) -> None:
    faults = observe_requires_key([model(Server(admits))], Effort()).faults
    assert any(fault in text for text in faults)


def test_a_model_without_a_key_does_not_require_one() -> None:
    assert observe_requires_key([model(Server(lambda _key: True), key=None)], Effort()).faults


def test_answers_are_measured() -> None:
    seen = observe_answers([model(Server(lambda _key: True))], Effort(requests=2))
    assert seen.faults == []
    assert seen.series == {"ttft_ms": {"chat": [30.0, 30.0]}, "itl_ms": {"chat": [5.0, 5.0]}}
    assert seen.simulated


def test_a_queue_that_was_never_seen_is_no_queue() -> None:
    seen = observe_queues([model(Server(lambda _key: True, waiting=[0]))], Effort(poll_seconds=0.001))
    assert any("nothing was seen waiting" in fault for fault in seen.faults)


def test_a_queue_that_was_seen_and_emptied_holds_the_claim() -> None:
    seen = observe_queues([model(Server(lambda _key: True, waiting=[0, 3, 0]))], Effort(poll_seconds=0.001))
    assert seen.faults == []
    assert max(sample["waiting"] for sample in seen.series["queue"]["chat"]) == 3


def test_a_model_whose_slots_are_unknown_is_not_flooded() -> None:
    with pytest.raises(ProbeError, match="slots"):
        observe_queues([model(Server(lambda _key: True), slots=0)], Effort())


def test_the_claims_are_those_of_the_evidence() -> None:
    assert [claim.id for claim in CLAIMS.values()] == ["model-answers", "model-requires-key", "model-queues"]
