# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers that are still being written: a slow writer stands in for the real model, the server is the real one."""

from __future__ import annotations

import concurrent.futures
import json
import threading
import time
import typing as t

import pytest

if t.TYPE_CHECKING:
    from conftest import Running

TOKEN_SECONDS = 0.03
WORDS = ["It", " is", " sunny", " to", "day", "."]


class Writer:
    """Blocks its thread as the model does, one token after the other."""

    def __init__(self, words: t.Sequence[str] | None = None, *, breaks_after: int | None = None) -> None:
        self.words = WORDS if words is None else words
        self.breaks_after = breaks_after
        self.asked: list[dict[str, t.Any]] = []
        self.written = 0
        self.at_work = self.most_at_work = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._lock = threading.Lock()

    def __call__(self, wanted: dict[str, t.Any], hand_on: t.Callable[[dict[str, t.Any]], bool]) -> None:
        with self._lock:
            self.asked.append(wanted)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            for index in range(wanted["max_tokens"]):
                time.sleep(TOKEN_SECONDS)
                if index == self.breaks_after:
                    raise RuntimeError("out of memory")
                if index == len(self.words):
                    break
                self.written += 1
                if hand_on({"choices": [{"text": self.words[index], "finish_reason": None}]}):
                    return
                assert self.go_on.wait(10)
            hand_on({"choices": [{"text": "", "finish_reason": "stop"}]})
        finally:
            with self._lock:
                self.at_work -= 1


class Endless(Writer):
    def __init__(self) -> None:
        super().__init__([f" {number}" for number in range(1000, 9999)])


class Answered(t.NamedTuple):
    pieces: list[str]
    times: list[float]
    reason: str | None
    usage: dict[str, t.Any]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


Start = t.Callable[..., "Running"]


@pytest.fixture
def start(serve: Start) -> Start:
    from model_simulator.real_text import RealText

    def started(writer: Writer, *arguments: str) -> Running:
        return serve("--simulator-profile", "fast", *arguments, source=RealText(writer))

    return started


def body(**more: t.Any) -> dict[str, t.Any]:
    return {"model": "sim", "messages": [{"role": "user", "content": "how is the weather?"}], "max_tokens": 100, **more}


def stream(running: Running, **more: t.Any) -> Answered:
    asked = body(stream=True, stream_options={"include_usage": True}, **more)
    pieces, times, reason, usage = [], [], None, {}
    with running.client() as client, client.stream("POST", "/v1/chat/completions", json=asked) as response:
        assert response.status_code == 200
        for line in response.iter_lines():
            if not line or line.endswith("[DONE]"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            usage = chunk.get("usage") or usage
            for choice in chunk["choices"]:
                reason = choice["finish_reason"] or reason
                if choice["delta"].get("content"):
                    pieces.append(choice["delta"]["content"])
                    times.append(time.monotonic())
    return Answered(pieces, times, reason, usage)


def test_every_token_is_handed_out_as_it_is_written(start: Start) -> None:
    answer = stream(start(Writer()))
    assert answer.pieces == WORDS
    assert answer.reason == "stop"
    assert answer.usage["completion_tokens"] == len(WORDS)
    # not all at once when the text is whole
    assert answer.times[-1] - answer.times[0] > 3 * TOKEN_SECONDS


def test_an_answer_that_is_not_streamed_is_the_same(start: Start) -> None:
    with start(Writer()).client() as client:
        whole = client.post("/v1/chat/completions", json=body()).json()
    assert whole["choices"][0]["message"]["content"] == "".join(WORDS)
    assert whole["usage"]["completion_tokens"] == len(WORDS)


def test_the_limit_ends_the_answer_and_the_writing(start: Start) -> None:
    writer = Endless()
    answer = stream(start(writer), max_tokens=4)
    assert answer.text == " 1000 1001 1002 1003"
    assert answer.reason == "length"
    time.sleep(3 * TOKEN_SECONDS)
    assert writer.at_work == 0
    assert writer.written <= 6


def test_no_answer_is_longer_than_the_sources_own_limit(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_simulator.real_text.LONGEST_ANSWER", 5)
    answer = stream(start(Endless()))
    assert len(answer.pieces) == 5
    assert answer.reason == "length"


@pytest.mark.parametrize(
    ("stop", "text"),
    [(["day"], "It is sunny to"), ([" sunny today"], "It is"), (["It"], ""), (["rain"], "".join(WORDS))],
)
def test_a_stop_string_is_never_seen(start: Start, stop: list[str], text: str) -> None:
    answer = stream(start(Writer()), stop=stop)
    assert answer.text == text
    assert answer.reason == "stop"


def test_an_empty_answer_is_an_answer(start: Start) -> None:
    answer = stream(start(Writer([])))
    assert answer.text == ""
    assert answer.reason == "stop"


def test_the_server_answers_others_while_the_model_writes(start: Start) -> None:
    running = start(Endless())
    with concurrent.futures.ThreadPoolExecutor(1) as pool, running.client(timeout=5) as client:
        busy = pool.submit(stream, running, max_tokens=40)
        slowest = 0.0
        while not busy.done():
            before = time.monotonic()
            assert client.get("/health").status_code == 200
            slowest = max(slowest, time.monotonic() - before)
    assert busy.result().reason == "length"
    assert slowest < 20 * TOKEN_SECONDS


def test_one_answer_is_written_at_a_time_and_the_others_are_seen_waiting(start: Start) -> None:
    writer = Writer()
    writer.go_on.clear()
    running = start(writer)
    deadline = time.monotonic() + 10
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(stream, running) for _number in range(5)]
        waiting = 0.0
        while waiting < 4 and time.monotonic() < deadline:
            waiting = running.metric("vllm:num_requests_waiting")
            time.sleep(0.01)
        writer.go_on.set()
    assert [answer.result().pieces for answer in answers] == [WORDS] * 5
    assert writer.most_at_work == 1
    assert waiting >= 4
    assert running.metric("vllm:generation_tokens_total") == 5 * len(WORDS)
    # the last of them waited for the other four
    assert running.metric("vllm:time_to_first_token_seconds_sum") > 10 * len(WORDS) * TOKEN_SECONDS


def test_who_hangs_up_stops_the_writing_and_the_next_is_served(start: Start) -> None:
    writer = Endless()
    running = start(writer)
    asked = body(stream=True)
    with running.client() as client, client.stream("POST", "/v1/chat/completions", json=asked) as response:
        assert next(response.iter_lines())
    deadline = time.monotonic() + 5
    while writer.at_work or not writer.asked:
        assert time.monotonic() < deadline, "it goes on writing for nobody"
        time.sleep(0.01)
    assert writer.written < 100
    assert running.metric("vllm:num_requests_running") == 0
    assert stream(running, max_tokens=2).pieces == [" 1000", " 1001"]


def test_a_model_that_breaks_off_ends_its_answer_only(start: Start) -> None:
    writer = Writer(breaks_after=3)
    running = start(writer)
    assert stream(running).reason == "error"
    writer.breaks_after = None
    assert stream(running).reason == "stop"


def test_other_sequences_go_on_while_one_starves(start: Start) -> None:
    running = start(Endless())
    with concurrent.futures.ThreadPoolExecutor(1) as pool, running.client() as client:
        busy = pool.submit(stream, running, max_tokens=60)
        time.sleep(5 * TOKEN_SECONDS)
        load = client.post("/v1/chat/completions", json=body(max_tokens=300, ignore_eos=True)).json()
        assert not busy.done()
    assert load["usage"]["completion_tokens"] == 300
    assert len(busy.result().pieces) == 60


def test_the_model_gets_the_seed_and_the_end_of_a_long_question(start: Start) -> None:
    writer = Writer()
    running = start(writer)
    for seed in (1, 1, 2):
        stream(running, seed=seed, messages=[{"role": "user", "content": "x" * 3000 + " why?"}])
    first, again, other = writer.asked
    assert first == again
    assert first["seed"] != other["seed"]
    assert first["prompt"].endswith("xx why?\nAnswer:")
    assert len(first["prompt"]) < 1100


def test_the_server_names_the_source_of_its_text(start: Start) -> None:
    with start(Writer()).client() as client:
        version = client.get("/version").json()
    assert version["simulator"] is True
    assert "gemma-3-270m" in version["text"]
    assert version["token_counting"].startswith("answers by gemma-3's own tokens")


def test_without_weights_it_does_not_start() -> None:
    from model_simulator.real_text import RealText

    with pytest.raises(SystemExit, match="use the image with real text in it"):
        RealText.load("/no/such/model.gguf")
