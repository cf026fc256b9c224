# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What of a body reaches LiteLLM, and how long an answer may be."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .conftest import Gateway, Reply

SAID = [{"role": "user", "content": "hi"}]
EVIL: t.Final[dict[str, t.Any]] = {
    "user_config": {"model_list": []},
    "api_base": "http://evil",
    "base_url": "http://evil",
    "api_key": "sk-evil",
    "api_version": "1",
    "custom_llm_provider": "openai",
    "extra_headers": {"x-gateway-inference-fairness-id": "evil"},
    "headers": {"x-gateway-inference-fairness-id": "evil"},
    "extra_body": {"cache_salt": "evil"},
    "extra_query": {"a": "b"},
    "cache_salt": "evil",
    "metadata": {"user_api_key_team_id": "evil"},
    "litellm_metadata": {"user_api_key_team_id": "evil"},
    "litellm_params": {"model": "evil"},
    "litellm_call_id": "evil",
    "litellm_logging_obj": "evil",
    "proxy_server_request": {"body": {}},
    "tags": ["evil"],
    "fallbacks": ["evil"],
    "context_window_fallbacks": [{"a": ["b"]}],
    "model_list": [],
    "models": ["a", "b"],
    "mock_response": "evil",
    "mock_testing_fallbacks": True,
    "mock_timeout": True,
    "cache": {"no-cache": True},
    "caching": True,
    "guardrails": ["none"],
    "disable_global_guardrails": True,
    "num_retries": 100,
    "max_retries": 100,
    "timeout": 9999,
    "stream_timeout": 9999,
    "drop_params": False,
    "additional_drop_params": ["max_tokens"],
    "allowed_openai_params": ["a"],
    "input_cost_per_token": 0,
    "output_cost_per_token": 0,
    "model_info": {"max_output_tokens": 10**9},
    "service_tier": "flex",
    "store": True,
    "prompt_id": "evil",
    "prompt_variables": {},
    "no-log": True,
    "ttl": 1,
    "chat_template": "evil",
    "chat_template_kwargs": {"documents": "evil"},
    "documents": ["evil"],
    "add_generation_prompt": False,
    "truncate_prompt_tokens": 1,
    "priority": 1,
    "kv_transfer_params": {},
    "vllm_xargs": {},
    "request_id": "evil",
    "_litellm_strip_stream_usage": False,
}
ROUTES: t.Final[dict[str, dict[str, t.Any]]] = {
    "/v1/chat/completions": {"model": "chat", "messages": SAID},
    "/v1/completions": {"model": "chat", "prompt": "hi"},
    "/v1/embeddings": {"model": "embed", "input": "hi"},
    "/v1/responses": {"model": "chat", "input": "hi"},
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", EVIL)
def test_a_field_that_is_not_on_the_list_is_left_out_and_named(gateway: Gateway, path: str, name: str) -> None:
    reply = gateway.ask("POST", path, {**ROUTES[path], name: EVIL[name]})
    assert reply.status == 200
    assert name not in gateway.application.body
    assert b"evil" not in gateway.application.bodies[0]
    assert reply.headers["x-llm-platform-left-out"] == name


def test_all_of_them_together_are_left_out(gateway: Gateway) -> None:
    reply = gateway.chat(**EVIL)
    assert gateway.application.body == {"model": "chat", "messages": SAID, "max_tokens": 100}
    assert len(reply.headers["x-llm-platform-left-out"].split(", ")) == 16


def test_a_strange_name_is_not_echoed(gateway: Gateway) -> None:
    assert gateway.chat(**{"a\r\nset-cookie: b": 1}).headers["x-llm-platform-left-out"] == "?"


USED: t.Final[dict[str, t.Any]] = {
    "temperature": 0.5,
    "top_p": 1,
    "seed": 7,
    "stop": ["a", "b"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "n": 2,
    "logprobs": True,
    "top_logprobs": 3,
    "logit_bias": {"1": -100},
    "presence_penalty": 0.1,
    "frequency_penalty": 0,
    "user": "somebody",
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True},
    },
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "ignore_eos": True,
    "min_tokens": 3,
}


@pytest.mark.parametrize("name", USED)
def test_what_clients_use_passes_unchanged(gateway: Gateway, name: str) -> None:
    reply = gateway.chat(**{name: USED[name]})
    assert reply.status == 200, reply.body
    assert gateway.application.body[name] == USED[name]
    assert "x-llm-platform-left-out" not in reply.headers


@pytest.mark.parametrize("name", USED)
def test_null_is_the_same_as_nothing(gateway: Gateway, name: str) -> None:
    assert gateway.chat(**{name: None}).status == 200
    assert name not in gateway.application.body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "1"),
        ("top_p", True),
        ("seed", 1.5),
        ("stream", "true"),
        ("stream", 1),
        ("stop", [1]),
        ("stop", ["a"] * 17),
        ("stop", {}),
        ("stream_options", "yes"),
        ("stream_options", {"include_usage": 1}),
        ("logit_bias", [1]),
        ("logit_bias", {"1": "x"}),
        ("user", {"id": 1}),
        ("user", "x" * 257),
        ("response_format", "json"),
        ("response_format", {}),
        ("parallel_tool_calls", "no"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(gateway: Gateway, name: str, value: object) -> None:
    reply = gateway.chat(**{name: value})
    assert reply.status == 400
    assert reply.error["param"].startswith(name)
    assert gateway.application.scopes == []


# How long an answer may be


CAPS = [
    ("/v1/chat/completions", "max_tokens"),
    ("/v1/chat/completions", "max_completion_tokens"),
    ("/v1/completions", "max_tokens"),
    ("/v1/responses", "max_output_tokens"),
]


def ask(gateway: Gateway, path: str, **fields: t.Any) -> Reply:
    return gateway.ask("POST", path, {**ROUTES[path], **fields})


@pytest.mark.parametrize(("path", "name"), CAPS)
@pytest.mark.parametrize("value", [0, -1, -(10**9), 1.0, 0.5, True, "5", "-5", [5], {}, 1e300])
def test_a_cap_that_is_no_positive_integer_is_refused(gateway: Gateway, path: str, name: str, value: object) -> None:
    reply = ask(gateway, path, **{name: value})
    assert (reply.status, reply.error["param"]) == (400, name)
    assert gateway.application.scopes == []


@pytest.mark.parametrize(("path", "name"), CAPS)
@pytest.mark.parametrize("value", [101, 2**31, 10**18])
def test_a_cap_above_the_models_is_refused(gateway: Gateway, path: str, name: str, value: int) -> None:
    reply = ask(gateway, path, **{name: value})
    assert (reply.status, reply.error["param"]) == (400, name)
    assert "at most 100" in reply.error["message"]


@pytest.mark.parametrize(("path", "name"), CAPS)
@pytest.mark.parametrize("value", [1, 100])
def test_a_cap_within_the_models_passes(gateway: Gateway, path: str, name: str, value: int) -> None:
    assert ask(gateway, path, **{name: value}).status == 200
    body = gateway.application.body
    assert [body[key] for key in ("max_tokens", "max_output_tokens") if key in body] == [value]


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/v1/chat/completions", "max_tokens", 100),
        ("/v1/completions", "max_tokens", 16),
        ("/v1/responses", "max_output_tokens", 100),
    ],
)
@pytest.mark.parametrize("given", [{}, {"max_tokens": None, "max_output_tokens": None}])
def test_a_missing_cap_is_set(gateway: Gateway, path: str, name: str, value: int, given: dict[str, t.Any]) -> None:
    assert ask(gateway, path, **given).status == 200
    assert gateway.application.body[name] == value


def test_a_completion_without_cap_is_no_longer_than_the_model_allows(gateway: Gateway) -> None:
    ask(gateway, "/v1/completions", model="org/chat")
    assert gateway.application.body["max_tokens"] == 8


@pytest.mark.parametrize(("one", "other"), [(1, 100), (100, 1)])
def test_of_two_caps_one_is_left_and_it_is_the_smaller(gateway: Gateway, one: int, other: int) -> None:
    gateway.chat(max_tokens=one, max_completion_tokens=other)
    assert gateway.application.body["max_tokens"] == 1
    assert "max_completion_tokens" not in gateway.application.body


def test_a_cap_of_another_route_does_not_pass(gateway: Gateway) -> None:
    # LiteLLM would reserve for this one and the model obey max_tokens.
    ask(gateway, "/v1/completions", max_completion_tokens=1, max_output_tokens=1, max_tokens=90)
    assert gateway.application.body == {"model": "chat", "prompt": "hi", "max_tokens": 90}


@pytest.mark.parametrize(("path", "name"), [(CAPS[0][0], "n"), (CAPS[2][0], "n"), (CAPS[2][0], "best_of")])
def test_choices_have_a_limit(gateway: Gateway, path: str, name: str) -> None:
    assert ask(gateway, path, **{name: 8}).status == 200
    for value in (9, 0, -1, 1.5, "2", True):
        assert ask(gateway, path, **{name: value}).status == 400
    assert len(gateway.application.scopes) == 1


def test_best_of_is_unknown_to_chats(gateway: Gateway) -> None:
    assert gateway.chat(best_of=100).headers["x-llm-platform-left-out"] == "best_of"


# Prompts and inputs


@pytest.mark.parametrize("prompt", ["hi", ["hi"], [1, 2, 3], [[1, 2, 3]]])
def test_one_prompt_passes_in_every_form(gateway: Gateway, prompt: object) -> None:
    assert ask(gateway, "/v1/completions", prompt=prompt).status == 200
    assert gateway.application.body["prompt"] == prompt


@pytest.mark.parametrize("prompt", [["a", "b"], [[1], [2]], ["a", [1]]])
def test_several_prompts_are_refused_unless_the_limit_allows_them(make: t.Any, prompt: object) -> None:
    assert ask(make(), "/v1/completions", prompt=prompt).error["code"] == "array_above_max_length"
    assert ask(make(prompts=2), "/v1/completions", prompt=prompt).status == 200


@pytest.mark.parametrize("prompt", [[], [[]], 5, True, {}, [1, "a", None], [[1, "a"]], [-1], [1.5], [[[1]]], [True]])
def test_a_prompt_of_another_form_is_refused(make: t.Any, prompt: object) -> None:
    assert ask(make(prompts=9), "/v1/completions", prompt=prompt).status == 400


def test_embeddings_take_many_inputs_and_no_more(make: t.Any) -> None:
    gateway = make(inputs=3)
    assert ask(gateway, "/v1/embeddings", input=["a"] * 3, dimensions=8, encoding_format="float").status == 200
    assert ask(gateway, "/v1/embeddings", input=["a"] * 4).status == 400
    assert ask(gateway, "/v1/embeddings", input=[1] * 40).status == 200


@pytest.mark.parametrize("path", ROUTES)
def test_a_request_without_its_text_is_refused(gateway: Gateway, path: str) -> None:
    reply = gateway.ask("POST", path, {"model": ROUTES[path]["model"]})
    assert (reply.status, reply.error["code"]) == (400, "missing_required_parameter")


# Models


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("model", ["nothing", "chat,org/chat", "Chat", "chat ", "*", "openai/gpt", ""])
def test_an_unknown_model_is_not_found(gateway: Gateway, path: str, model: str) -> None:
    reply = ask(gateway, path, model=model)
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")
    assert gateway.application.scopes == []


@pytest.mark.parametrize("model", [None, 1, ["chat"], {"name": "chat"}])
def test_a_model_that_is_no_name_is_refused(gateway: Gateway, model: object) -> None:
    assert gateway.chat(model=model).status == 400


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses"])
def test_a_model_that_only_embeds_writes_no_text(gateway: Gateway, path: str) -> None:
    assert ask(gateway, path, model="embed").status == 400


def test_a_streamed_completion_always_counts_its_usage(gateway: Gateway) -> None:
    for options in (None, {}, {"include_usage": False}):
        ask(gateway, "/v1/completions", stream=True, stream_options=options)
        assert gateway.application.body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/v1/chat/completions", "functions", [{}]),
        ("/v1/chat/completions", "web_search_options", {}),
        ("/v1/completions", "suffix", "end"),
        ("/v1/responses", "previous_response_id", "resp_1"),
        ("/v1/responses", "conversation", "c"),
        ("/v1/responses", "background", True),
        ("/v1/responses", "prompt", {"id": "p"}),
    ],
)
def test_what_would_silently_change_a_request_is_refused(gateway: Gateway, path: str, name: str, value: object) -> None:
    reply = ask(gateway, path, **{name: value})
    assert (reply.status, reply.error["code"]) == (400, "unsupported_parameter")
    assert ask(gateway, path, **{name: None}).status == 200
