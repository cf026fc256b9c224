# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The HTTP surface of a running server."""

from __future__ import annotations

import json
import threading
import time
import typing as t

import pytest

if t.TYPE_CHECKING:
    import httpx
    from conftest import Running

HELLO: dict[str, t.Any] = {"model": "sim", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 12}


def events(response: httpx.Response) -> list[dict[str, t.Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def until(condition: t.Callable[[], bool], what: str, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_it_says_that_it_is_a_simulator(fast: Running) -> None:
    with fast.client(key=None) as client:
        version = client.get("/version").json()
    assert version["simulator"] is True
    with fast.client() as client:
        (card,) = client.get("/v1/models").json()["data"]
    assert card["owned_by"] == "llm-platform-simulator"
    assert card["max_model_len"] == 8192


@pytest.mark.parametrize("path", ["/v1/models", "/simulator/requests", "/simulator/faults"])
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", "Basic key-of-the-tests", "key-of-the-tests"]
)
def test_without_the_key_nothing_behind_it_answers(fast: Running, path: str, authorization: str | None) -> None:
    with fast.client(key=None) as client:
        headers = {} if authorization is None else {"Authorization": authorization}
        refused = client.get(path, headers=headers)
        allowed = client.get(path, headers={"Authorization": "Bearer key-of-the-tests"})
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == 401
    assert allowed.status_code == 200


@pytest.mark.parametrize("path", ["/health", "/metrics", "/version"])
def test_probes_and_metrics_are_open(fast: Running, path: str) -> None:
    with fast.client(key=None) as client:
        assert client.get(path).status_code == 200


def test_without_a_configured_key_the_debug_paths_stay_closed(serve: t.Callable[..., Running]) -> None:
    with serve("--simulator-profile", "fast", key=None).client() as client:
        assert client.get("/v1/models").status_code == 200
        assert client.get("/simulator/requests").status_code == 401


def test_a_chat_is_answered_and_counted(fast: Running) -> None:
    with fast.client() as client:
        first, second = (client.post("/v1/chat/completions", json=HELLO).json() for _turn in range(2))
    choice = first["choices"][0]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == "length"
    assert first["usage"]["completion_tokens"] == 12
    assert first["usage"]["total_tokens"] == first["usage"]["prompt_tokens"] + 12
    assert second["choices"] == first["choices"], "the same request has the same answer"


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_says_the_same_in_pieces(fast: Running, include_usage: bool) -> None:
    with fast.client() as client:
        whole = client.post("/v1/chat/completions", json=HELLO).json()
        options = {"stream": True, "stream_options": {"include_usage": include_usage}}
        response = client.post("/v1/chat/completions", json={**HELLO, **options})
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = events(response)
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert len(deltas) == 13, "the role and one piece for each token"
    assert "".join(delta["content"] for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert reasons == [None] * 12 + ["length"]
    usages = [chunk["usage"] for chunk in chunks if "usage" in chunk]
    assert [usage["completion_tokens"] for usage in usages] == ([12] if include_usage else [])
    assert all(not chunk["choices"] for chunk in chunks if "usage" in chunk)


def test_several_prompts_and_answers_are_choices_in_order(fast: Running) -> None:
    body = {"model": "sim", "prompt": ["alpha", "beta"], "n": 2, "max_tokens": 5, "stream": True}
    with fast.client() as client:
        whole = client.post("/v1/completions", json={**body, "stream": False}).json()
        chunks = events(client.post("/v1/completions", json=body))
    texts = ["", "", "", ""]
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["text"]
    assert [choice["text"] for choice in whole["choices"]] == texts
    assert len(set(texts)) == 4
    assert whole["usage"]["completion_tokens"] == 20
    assert whole["usage"]["prompt_tokens"] == 2 + 1


def test_a_stop_string_ends_the_answer_before_it(fast: Running) -> None:
    with fast.client() as client:
        body = {"model": "sim", "prompt": "tell me", "max_tokens": 60, "ignore_eos": True}
        text = client.post("/v1/completions", json=body).json()["choices"][0]["text"]
        stop = text.split()[7]
        choice = client.post("/v1/completions", json={**body, "stop": ["never there", stop]}).json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["text"] == text[: text.index(stop)]


def test_without_a_limit_the_answer_ends_by_itself(fast: Running) -> None:
    body = {key: value for key, value in HELLO.items() if key != "max_tokens"}
    with fast.client() as client:
        answer = client.post("/v1/chat/completions", json=body).json()
        longer = client.post("/v1/chat/completions", json={**body, "min_tokens": 300}).json()
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert 24 <= answer["usage"]["completion_tokens"] <= 200
    assert longer["usage"]["completion_tokens"] == 300


def test_the_server_has_a_limit_of_its_own(serve: t.Callable[..., Running]) -> None:
    server = serve("--simulator-profile", "fast", "--override-generation-config", '{"max_new_tokens": 5}')
    with server.client() as client:
        answer = client.post("/v1/chat/completions", json={**HELLO, "ignore_eos": True}).json()
    assert answer["usage"]["completion_tokens"] == 5


def test_embeddings_are_unit_vectors_and_like_texts_lie_close(fast: Running) -> None:
    texts = ["the node is down", "the node is slow", "pancakes with maple syrup"]
    with fast.client() as client:
        body = {"model": "sim", "input": texts, "dimensions": 256}
        answer = client.post("/v1/embeddings", json=body).json()
    same, near, far = (item["embedding"] for item in answer["data"])
    assert sum(value * value for value in same) == pytest.approx(1.0)

    def likeness(other: list[float]) -> float:
        return sum(a * b for a, b in zip(same, other, strict=True))

    assert likeness(near) > likeness(far) + 0.3
    assert answer["usage"]["completion_tokens"] == 0
    assert answer["usage"]["prompt_tokens"] > 10


CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
BAD: list[tuple[str, t.Any, int, str]] = [
    (CHAT, {**HELLO, "model": "other"}, 404, "other"),
    (CHAT, {**HELLO, "model": 5}, 400, "model"),
    (CHAT, [], 400, "JSON object"),
    (CHAT, {"model": "sim"}, 400, "messages"),
    (CHAT, {**HELLO, "messages": ["x"]}, 400, "messages[0]"),
    (CHAT, {**HELLO, "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "text"),
    (CHAT, {**HELLO, "max_tokens": 0}, 400, "max_tokens"),
    (CHAT, {**HELLO, "max_tokens": "12"}, 400, "max_tokens"),
    (CHAT, {**HELLO, "max_completion_tokens": True}, 400, "max_completion_tokens"),
    (CHAT, {**HELLO, "max_tokens": 9000}, 400, "8192"),
    (CHAT, {**HELLO, "messages": [{"role": "user", "content": "word " * 9000}]}, 400, "8192"),
    (CHAT, {**HELLO, "n": 0}, 400, "n is 0"),
    (CHAT, {**HELLO, "stop": [""]}, 400, "stop"),
    (CHAT, {**HELLO, "stream": "yes"}, 400, "stream"),
    (CHAT, {**HELLO, "cache_salt": ""}, 400, "cache_salt"),
    (CHAT, {**HELLO, "tool_choice": "required"}, 400, "tool_choice"),
    (CHAT, {**HELLO, "logprobs": True}, 400, "logprobs"),
    (COMPLETIONS, {"model": "sim", "prompt": ""}, 400, "prompt"),
    (COMPLETIONS, {"model": "sim", "prompt": [[1, "x"]]}, 400, "prompt"),
    ("/v1/embeddings", {"model": "sim", "input": "x", "dimensions": 0}, 400, "dimensions"),
    ("/v1/nothing", {}, 404, "/v1/nothing"),
]


@pytest.mark.parametrize(("path", "body", "status", "word"), BAD)
def test_a_bad_request_gets_one_clear_error(fast: Running, path: str, body: t.Any, status: int, word: str) -> None:
    with fast.client() as client:
        answer = client.post(path, json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == status
    assert word in error["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_json_is_a_bad_request(fast: Running, content: bytes) -> None:
    with fast.client() as client:
        answer = client.post(CHAT, content=content)
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize("text", ["yes", "1e3", "a: b", "{{ 7 * 7 }}", "line\nline", "\x00", "é" * 300, "😀\ud800"])
def test_any_text_is_a_prompt(fast: Running, text: str) -> None:
    with fast.client() as client:
        content = json.dumps({**HELLO, "messages": [{"role": "user", "content": text}], "cache_salt": text})
        assert client.post(CHAT, content=content).status_code == 200


def test_more_requests_than_slots_wait_and_all_are_answered(serve: t.Callable[..., Running]) -> None:
    server = serve("--max-num-seqs", "2")
    answers: list[int] = []

    def ask() -> None:
        with server.client() as client:
            body = {**HELLO, "max_tokens": 200, "ignore_eos": True}
            answers.append(client.post(CHAT, json=body).json()["usage"]["completion_tokens"])

    threads = [threading.Thread(target=ask) for _thread in range(6)]
    for thread in threads:
        thread.start()
    waiting, running = [], []
    while any(thread.is_alive() for thread in threads):
        waiting.append(server.metric("vllm:num_requests_waiting"))
        running.append(server.metric("vllm:num_requests_running"))
        time.sleep(0.02)
    assert answers == [200] * 6
    assert max(waiting) >= 2
    assert max(running) == 2
    assert server.metric("vllm:num_requests_waiting") == 0
    assert server.metric("vllm:num_requests_running") == 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_hangs_up_frees_its_slot(serve: t.Callable[..., Running], stream: bool) -> None:
    server = serve("--max-num-seqs", "1")
    body = {**HELLO, "max_tokens": 8000, "ignore_eos": True, "stream": stream}
    connection = server.client(timeout=0.3) if not stream else server.client()
    with connection as client:
        if stream:
            with client.stream("POST", CHAT, json=body) as response:
                lines = response.iter_lines()
                next(lines)
                assert server.metric("vllm:num_requests_running") == 1
        else:
            with pytest.raises(Exception, match="timed out"):
                client.post(CHAT, json=body)
    until(lambda: server.metric("vllm:num_requests_running") == 0, "the slot was not freed")
    assert server.metric("vllm:request_success_total", finished_reason="abort") == 1
    assert server.metric("vllm:kv_cache_usage_perc") == 0
    with server.client() as client:
        assert client.post(CHAT, json=HELLO).status_code == 200


def test_what_came_in_is_logged_without_secrets(serve: t.Callable[..., Running]) -> None:
    server = serve("--simulator-profile", "fast", "--simulator-request-log-size", "3")
    with server.client() as client:
        for number in range(5):
            headers = {"x-team": f"team-{number}", "x-api-key": "hidden-1", "cookie": "hidden-2"}
            client.post(CHAT, json={**HELLO, "cache_salt": "team", "api_key": "hidden-3"}, headers=headers)
        answer = client.get("/simulator/requests")
        entries = answer.json()["requests"]
        assert client.delete("/simulator/requests").json() == {"requests": []}
    assert [entry["number"] for entry in entries] == [3, 4, 5]
    assert dict(entries[-1]["headers"])["x-team"] == "team-4"
    assert entries[-1]["body"]["cache_salt"] == "team"
    assert entries[-1]["path"] == CHAT
    assert "hidden" not in answer.text
    assert "key-of-the-tests" not in answer.text


def test_the_log_tells_what_became_of_each_request(serve: t.Callable[..., Running]) -> None:
    server = serve("--simulator-profile", "fast")
    with server.client() as client:
        usage = client.post(CHAT, json={**HELLO, "n": 2, "max_tokens": 3, "ignore_eos": True}).json()["usage"]
        embedded = client.post("/v1/embeddings", json={"model": "sim", "input": ["one", "two"]}).json()["usage"]
        assert client.post(CHAT, json={**HELLO, "max_tokens": 0}).status_code == 400
        two, both, refused = (entry["outcome"] for entry in client.get("/simulator/requests").json()["requests"])
    assert two["generated_tokens"] == usage["completion_tokens"] == 6
    # Each choice has a sequence with the whole prompt, and the metrics count it so, too.
    assert two["prompt_tokens"] == server.metric("vllm:prompt_tokens_total") - embedded["prompt_tokens"]
    assert two["finished"] == ["length", "length"]
    assert both == {"prompt_tokens": embedded["prompt_tokens"], "generated_tokens": 0, "finished": ["stop", "stop"]}
    assert refused == {"prompt_tokens": 0, "generated_tokens": 0, "finished": []}


def test_failures_can_be_asked_for_single_requests(serve: t.Callable[..., Running]) -> None:
    server = serve("--simulator-profile", "fast")
    mine = {**HELLO, "messages": [{"role": "user", "content": "mine: ü"}]}
    with server.client() as client:
        assert client.put("/simulator/faults", json={"error_rate": 1, "only_with": "mine: ü"}).status_code == 200
        assert [client.post(CHAT, json=body).status_code for body in (HELLO, mine, HELLO)] == [200, 500, 200]
        assert client.put("/simulator/faults", json={"only_with": 1}).status_code == 400
        assert client.put("/simulator/faults", json={"only_with": ""}).status_code == 200
        assert client.post(CHAT, json=HELLO).status_code == 500


def test_failures_can_be_asked_for_and_taken_back(serve: t.Callable[..., Running]) -> None:
    server = serve("--simulator-profile", "fast")
    with server.client() as client:
        assert client.put("/simulator/faults", json={"error_rate": 1, "error_status": 503}).status_code == 200
        assert client.post(CHAT, json=HELLO).status_code == 503
        assert client.put("/simulator/faults", json={"error_rate": 0, "stall_rate": 1}).status_code == 200
        with pytest.raises(Exception, match="timed out"):
            client.post(CHAT, json=HELLO, timeout=0.3)
        assert client.put("/simulator/faults", json={"stall_rate": 0, "delay_seconds": 0.3}).status_code == 200
        start = time.monotonic()
        assert client.post(CHAT, json=HELLO).status_code == 200
        assert time.monotonic() - start > 0.3
        assert client.put("/simulator/faults", json={"delay_seconds": 0, "unhealthy": True}).status_code == 200
        assert client.get("/health").status_code == 503
        for wrong in ({"nonsense": 1}, {"error_rate": 2}, {"error_status": 200}, {"unhealthy": 1}, []):
            assert client.put("/simulator/faults", json=wrong).status_code == 400
        assert client.get("/simulator/faults").json()["error_rate"] == 0


def test_a_slow_start_is_unhealthy_first(serve: t.Callable[..., Running]) -> None:
    server = serve("--simulator-profile", "fast", "--simulator-startup-seconds", "0.5")
    with server.client() as client:
        assert client.get("/health").status_code == 503
        assert client.post(CHAT, json=HELLO).status_code == 503
        until(lambda: client.get("/health").status_code == 200, "it never became healthy")
        assert client.post(CHAT, json=HELLO).status_code == 200


def test_a_dead_engine_is_unhealthy(serve: t.Callable[..., Running], monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve("--simulator-profile", "fast")

    def broken(_now: float) -> t.NoReturn:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(server.server.engine.scheduler, "begin", broken)
    with server.client() as client:
        with pytest.raises(Exception, match="timed out"):
            client.post(CHAT, json=HELLO, timeout=0.3)
        assert client.get("/health").status_code == 503
