# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The client: errors, retries, pages, and a master key that nobody sees."""

from __future__ import annotations

import socket
import traceback
import typing as t
from datetime import timedelta

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import (
    LiteLLM,
    LiteLLMError,
    RefusedError,
    UnreachableError,
    redact,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import KEY, MASTER, FakeLiteLLM


@pytest.fixture
def fake() -> t.Iterator[FakeLiteLLM]:
    with FakeLiteLLM() as running:
        yield running


def client(fake: FakeLiteLLM, key: str = MASTER) -> LiteLLM:
    return LiteLLM(fake.url, key, timeout=5, sleep=lambda _seconds: None)


def add_keys(fake: FakeLiteLLM, count: int) -> None:
    for number in range(count):
        fake.post_key_generate({"key_alias": f"a{number}", "team_id": f"team-{number % 3}"})


def test_an_answer_has_status_body_headers_and_time(fake: FakeLiteLLM) -> None:
    reply = client(fake).send("GET", "/health/readiness/details")
    assert (reply.status, reply.json["litellm_version"]) == (200, "1.108.7")
    assert "date" in reply.headers
    assert reply.seconds > 0


def test_the_version_is_that_of_the_gateway(fake: FakeLiteLLM) -> None:
    assert client(fake).version() == "1.108.7"


def test_a_server_that_does_not_say_its_version_is_refused(fake: FakeLiteLLM) -> None:
    fake.faults = [(200, {"status": "healthy"})]
    with pytest.raises(LiteLLMError, match="does not say its version"):
        client(fake).version()


def test_every_key_is_read_in_pages_of_a_hundred(fake: FakeLiteLLM) -> None:
    add_keys(fake, 305)
    llm = client(fake)
    rows = llm.keys()
    assert len({row["token"] for row in rows}) == 305
    assert llm.calls == 4


def test_an_empty_list_takes_one_call(fake: FakeLiteLLM) -> None:
    llm = client(fake)
    assert (llm.keys(), llm.calls) == ([], 1)


def test_keys_of_one_team_can_be_asked_for(fake: FakeLiteLLM) -> None:
    add_keys(fake, 9)
    assert {row["team_id"] for row in client(fake).keys("team-1")} == {"team-1"}


class _Growing(FakeLiteLLM):
    """A key comes after each page that is read, `times` times."""

    times = 0

    def get_key_list(self, query: dict[str, t.Any]) -> dict[str, t.Any]:
        answer = super().get_key_list(query)
        if query["page"] == "2" and self.times:
            self.times -= 1
            self.post_key_generate({"key_alias": f"late{self.times}", "team_id": "team-0"})
            answer = super().get_key_list(query)
        return answer


def test_a_list_that_changed_while_it_was_read_is_read_again() -> None:
    with _Growing() as fake:
        add_keys(fake, 150)
        fake.times = 1
        assert len(client(fake).keys()) == 151


def test_a_list_that_never_stands_still_still_has_all_that_was_there() -> None:
    with _Growing() as fake:
        add_keys(fake, 150)
        before = client(fake).keys()
        fake.times = 99
        after = client(fake).keys()
        assert {row["token"] for row in before} <= {row["token"] for row in after}


def test_one_key_with_broken_metadata_does_not_hide_the_others(fake: FakeLiteLLM) -> None:
    fake.post_team_new({"team_id": "team-0"})
    fake.post_key_generate({"key_alias": "good", "team_id": "team-0"})
    fake.post_key_generate({"key_alias": "broken", "team_id": "team-0", "metadata": None})
    rows = client(fake).keys()
    assert {row["key_alias"] for row in rows} == {"good", "broken"}


def test_something_that_is_not_litellm_is_said_to_be(fake: FakeLiteLLM) -> None:
    fake.faults = [(200, {"hello": "world"})]
    with pytest.raises(LiteLLMError, match="answered without `teams`"):
        client(fake).teams()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_gateway_is_asked_again_also_for_a_write(fake: FakeLiteLLM, status: int) -> None:
    fake.faults = [(status, {"error": {"message": "busy"}})]
    llm = client(fake)
    assert llm.send("POST", "/team/new", {"team_id": "a"}).status == 200
    assert llm.calls == 2


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_an_error_that_is_final_is_not_asked_again(fake: FakeLiteLLM, status: int) -> None:
    fake.faults = [(status, {"error": {"message": "no"}})]
    llm = client(fake)
    assert llm.request("GET", "/health/readiness/details") == (status, {"error": {"message": "no"}})
    assert llm.calls == 1


@pytest.mark.parametrize("fault", ["drop", "lose", (502, b"bad gateway"), (504, b"timeout")])
def test_a_write_that_may_have_been_done_is_not_done_twice(fake: FakeLiteLLM, fault: t.Any) -> None:
    fake.faults = [fault]
    llm = client(fake)
    with pytest.raises(LiteLLMError):
        llm.checked("POST", "/team/new", {"team_id": "a"})
    assert llm.calls == 1


@pytest.mark.parametrize("fault", ["drop", "lose", (500, {}), (502, b"bad gateway"), (504, b"timeout")])
def test_a_write_that_may_be_done_twice_is_tried_again(fake: FakeLiteLLM, fault: t.Any) -> None:
    add_keys(fake, 1)
    fake.faults = [fault]
    token = next(iter(fake.keys))
    client(fake).checked("POST", "/key/block", {"key": token}, repeatable=True)
    assert fake.keys[token]["blocked"] is True


@pytest.mark.parametrize("fault", ["drop", "lose", (502, b"bad gateway")])
def test_a_read_is_tried_again(fake: FakeLiteLLM, fault: t.Any) -> None:
    fake.faults = [fault, fault]
    llm = client(fake)
    assert llm.version() == "1.108.7"
    assert llm.calls == 3


def test_a_probe_asks_once(fake: FakeLiteLLM) -> None:
    fake.faults = [(503, {"error": "down"})]
    llm = client(fake)
    assert llm.send("GET", "/health/readiness/details", retry=False).status == 503
    assert llm.calls == 1


def test_a_gateway_that_is_not_there_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    llm = LiteLLM(f"http://127.0.0.1:{port}", MASTER, where="Service a/b", timeout=1, sleep=lambda _seconds: None)
    with pytest.raises(UnreachableError, match=r"GET /v2/team/list: no answer from LiteLLM at Service a/b .*refused"):
        llm.teams()
    assert llm.calls == 4


def test_what_the_port_forward_said_is_the_cause() -> None:
    with FakeLiteLLM() as fake:
        fake.faults = ["drop"] * 4
        llm = LiteLLM(fake.url, MASTER, causes=["pod a/b is gone"], sleep=lambda _seconds: None)
        with pytest.raises(UnreachableError, match="pod a/b is gone"):
            llm.version()


def test_a_refused_master_key_is_said_and_not_shown(fake: FakeLiteLLM) -> None:
    llm = client(fake, "sk-not-the-master-key-4711")
    with pytest.raises(RefusedError, match="the master key was refused") as caught:
        llm.teams()
    shown = "".join(traceback.format_exception(caught.value)) + repr(llm) + str(vars(llm)) + repr(caught.value)
    assert "4711" not in shown


@pytest.mark.parametrize(
    ("key", "status", "sent"), [("sk-of-a-tenant-0815", 401, "sk-of-a-tenant-0815"), ("", 401, ""), (None, 200, None)]
)
def test_another_key_or_none_can_be_sent(fake: FakeLiteLLM, key: str | None, status: int, sent: str | None) -> None:
    reply = client(fake).send("GET", "/health/readiness/details", key=key)
    assert reply.status == status
    if sent is not None:
        assert reply.json["error"]["message"].endswith(f"Key = {sent}")


def test_more_headers_can_be_sent_and_a_text_is_no_error(fake: FakeLiteLLM) -> None:
    fake.faults = [(200, b"I'm alive!")]
    assert client(fake).request("GET", "/health/liveliness", headers={"x-a": "b"}) == (200, "I'm alive!")


def test_the_time_is_that_of_the_gateway(fake: FakeLiteLLM) -> None:
    llm = client(fake)
    llm.version()
    assert abs(llm.now() - fake.clock) < timedelta(seconds=30)


def test_keys_are_taken_out_of_messages() -> None:
    assert redact("got sk-abcdefgh_1-2, want sk-x") == "got sk-***, want sk-x"


def test_the_fake_has_the_fields_that_are_compared() -> None:
    assert {"allowed_routes", "expires", "blocked", "metadata"} <= KEY.keys()
