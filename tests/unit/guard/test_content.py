# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages, inputs and tools: nothing passes that a model reads and LiteLLM does not count."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .conftest import Gateway, Reply

PIXEL = "data:image/png;base64,AAAA"


def responses(gateway: Gateway, **fields: t.Any) -> Reply:
    return gateway.ask("POST", "/v1/responses", {"model": "chat", "input": "hi", **fields})


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TALK: t.Final[list[dict[str, t.Any]]] = [
    {"role": "system", "content": "be good"},
    {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
    {"role": "user", "content": "hi", "name": "ann"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
    {"role": "assistant", "refusal": "no"},
]


def test_a_conversation_passes(gateway: Gateway) -> None:
    assert gateway.chat(messages=TALK).status == 200
    kept = [{key: value for key, value in message.items() if value is not None} for message in TALK]
    assert gateway.application.body["messages"] == kept


@pytest.mark.parametrize(
    "name", ["reasoning_content", "reasoning", "search_results", "thinking_blocks", "prefix", "audio"]
)
def test_a_message_is_reduced_to_what_is_counted(gateway: Gateway, name: str) -> None:
    gateway.chat(messages=[{"role": "user", "content": "hi", name: "evil"}])
    assert gateway.application.body["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        "hi",
        ["hi"],
        [{}],
        [{"content": "hi"}],
        [{"role": "root", "content": "hi"}],
        [{"role": "function", "content": "hi", "name": "f"}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": ["hi"]}],
        [{"role": "user", "content": [{"type": "text"}]}],
        [{"role": "user", "content": [{"type": "text", "text": 5}]}],
        [{"role": "user", "content": "hi", "name": "x" * 257}],
        [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "x" * 257}}]}],
        [{"role": "assistant", "tool_calls": [{"type": "mcp", "function": {"name": "f"}}]}],
        [{"role": "assistant", "tool_calls": [{}]}],
    ],
)
def test_a_message_of_another_form_is_refused(gateway: Gateway, messages: object) -> None:
    reply = gateway.chat(messages=messages)
    assert reply.status == 400
    assert reply.error["param"].startswith("messages")


PARTS: t.Final[list[dict[str, t.Any]]] = [
    {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
]


@pytest.mark.parametrize("part", PARTS)
def test_pictures_and_sound_are_for_models_that_take_them(gateway: Gateway, part: dict[str, t.Any]) -> None:
    messages = [{"role": "user", "content": [part]}]
    assert gateway.chat(messages=messages).status == 400
    assert gateway.chat(messages=messages, model="seeing").status == 200
    assert gateway.application.body["messages"] == messages


@pytest.mark.parametrize(
    "url", ["http://postgresql:5432", "https://a/b.png", "file:///etc/passwd", "//a", "", " data:,"]
)
def test_nothing_is_fetched_for_a_client(gateway: Gateway, url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    assert gateway.chat(messages=[{"role": "user", "content": [part]}], model="seeing").status == 400
    said = [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]
    assert responses(gateway, input=said, model="seeing").status == 400
    assert gateway.application.scopes == []


@pytest.mark.parametrize("kind", ["file", "document", "video_url", "image", "tool_result", "input_file", None, 5])
def test_parts_of_other_types_are_refused(gateway: Gateway, kind: object) -> None:
    part = {"type": kind, kind if isinstance(kind, str) else "x": {"file_id": "a", "url": PIXEL}}
    assert gateway.chat(messages=[{"role": "user", "content": [part]}], model="seeing").status == 400
    assert responses(gateway, input=[{"role": "user", "content": [part]}], model="seeing").status == 400


TOOLS: t.Final[list[dict[str, t.Any]]] = [
    {"type": "mcp", "server_url": "http://evil", "server_label": "a"},
    {"type": "web_search"},
    {"type": "file_search", "vector_store_ids": ["a"]},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "custom", "custom": {"name": "a"}},
    {"function": {"name": "f"}, "name": "f"},
    {"googleSearch": {}},
]


@pytest.mark.parametrize("tool", TOOLS)
def test_only_functions_are_tools(gateway: Gateway, tool: dict[str, t.Any]) -> None:
    assert gateway.chat(tools=[tool]).status == 400
    assert responses(gateway, tools=[tool]).status == 400
    assert gateway.application.scopes == []


def test_a_tool_is_reduced_to_its_function(gateway: Gateway) -> None:
    function = {"name": "f", "parameters": {"type": "object"}}
    gateway.chat(
        tools=[{"type": "function", "function": {**function, "cache_control": 1}, "server_url": "http://evil"}]
    )
    assert gateway.application.body["tools"] == [{"type": "function", "function": function}]
    responses(gateway, tools=[{"type": "function", **function, "server_url": "http://evil"}])
    assert gateway.application.body["tools"] == [{"type": "function", **function}]


@pytest.mark.parametrize("choice", ["auto", {"type": "function", "function": {"name": "f"}}])
def test_a_choice_of_tools_passes(gateway: Gateway, choice: object) -> None:
    assert gateway.chat(tool_choice=choice).status == 200
    assert gateway.application.body["tool_choice"] == choice


@pytest.mark.parametrize("choice", [5, {"type": "mcp"}, {"type": "function"}, "x" * 300])
def test_another_choice_does_not(gateway: Gateway, choice: object) -> None:
    assert gateway.chat(tool_choice=choice).status == 400
    assert responses(gateway, tool_choice=choice).status == 400


def test_what_is_not_counted_has_a_size(make: t.Any) -> None:
    gateway = make(uncounted_bytes=500)
    schema = {"type": "object", "x-hidden": "y" * 500}
    function = {"name": "f", "parameters": schema}
    assert gateway.chat(tools=[{"type": "function", "function": function}]).status == 400
    assert responses(gateway, tools=[{"type": "function", **function}]).status == 400
    assert gateway.chat(response_format={"type": "json_schema", "json_schema": {"schema": schema}}).status == 400
    assert responses(gateway, text={"format": {"type": "json_schema", "schema": schema}}).status == 400
    assert make(uncounted_bytes=700).chat(tools=[{"type": "function", "function": function}]).status == 200


def test_tools_have_a_number(make: t.Any) -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert make(tools=2).chat(tools=[tool] * 2).status == 200
    assert make(tools=2).chat(tools=[tool] * 3).status == 400


# Responses


def test_instructions_become_the_first_message_because_that_is_counted(gateway: Gateway) -> None:
    responses(gateway, instructions="be good")
    said = [{"role": "system", "content": "be good"}, {"role": "user", "content": "hi"}]
    assert gateway.application.body == {"model": "chat", "input": said, "max_output_tokens": 100}
    responses(gateway, instructions="be good", input=said[1:])
    assert gateway.application.body["input"] == said


def test_what_was_said_and_called_passes(gateway: Gateway) -> None:
    said = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ho"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]
    thoughts = {"type": "reasoning", "summary": [], "encrypted_content": "x" * 999}
    fields = {"text": {"format": {"type": "text"}}, "reasoning": {"effort": "low", "summary": "auto"}}
    assert responses(gateway, input=[*said, thoughts], **fields).status == 200
    body = gateway.application.body
    assert body["input"] == said
    assert body["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(
    "item", ["hi", {"type": "item_reference", "id": "a"}, {"type": "mcp_call"}, {"type": "message", "role": "user"}, {}]
)
def test_an_input_of_another_form_is_refused(gateway: Gateway, item: object) -> None:
    assert responses(gateway, input=[item]).status == 400
    assert responses(gateway, input=[]).status == 400
