# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A model with real text from the inventory to its words. Only with --real-text: it takes minutes and 1 GB of disk."""

from __future__ import annotations

import base64
import re
import typing as t

import pytest
from platform_run import SERVING_ONLY, Environment

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer, ChatClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    forward,
    kubernetes_dial,
    service_target,
)

MODEL = {
    "name": "chat",
    "engine": "simulator",
    "max_output_tokens": 512,
    "simulator": {"max_num_seqs": 4, "real_text": True},
}
WORDS = re.compile(r"\b(the|of|and|is|to|in|that|it|was|for|with)\b")

Ask = t.Callable[..., Answer]


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Environment]:
    if not request.config.getoption("--real-text", default=False):
        pytest.skip("takes minutes and 1 GB of disk; ask for it with --real-text")
    found = Environment.copy(
        "local", tmp_path_factory.mktemp("text"), "llm-e2e-text", {**SERVING_ONLY, "llm_models": [MODEL]}
    )
    found.run("local_down", local_cluster_remove_volumes=True)
    try:
        found.site()
        yield found
    finally:
        found.run("local_down", local_cluster_remove_volumes=True)


@pytest.fixture(scope="module")
def client(environment: Environment) -> t.Iterator[ChatClient]:
    dial = kubernetes_dial({"kubeconfig": str(environment.kubeconfig)})
    with forward(dial, service_target(environment.client, "llm-serving", "chat", 8000)) as tunnel:
        yield ChatClient(tunnel.url, "chat")


@pytest.fixture(scope="module")
def ask(environment: Environment, client: ChatClient) -> Ask:
    secret = environment.client.get_json("/api/v1/namespaces/llm-serving/secrets/vllm-api-key")
    key = base64.b64decode(secret["data"]["api-key"]).decode()

    def asked(prompt: str) -> Answer:
        answer = client.chat(prompt, key=key, max_tokens=48)
        assert answer.status == 200, answer.error
        return answer

    return asked


def test_the_words_follow_from_the_question(ask: Ask) -> None:
    capitals = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo"}
    told = {country: ask(f"What is the capital of {country}?").text for country in capitals}
    # A model this small does not know everything, but made-up words never hit.
    assert any(capitals[country] in text for country, text in told.items()), told
    sky, sea = (ask(question).text for question in ("Why is the sky blue?", "Tell me about the sea."))
    assert sky != sea
    assert WORDS.search(sky), sky
    assert WORDS.search(sea), sea


def test_the_same_question_has_the_same_answer(ask: Ask) -> None:
    first, second = ask("Why is the sky blue?"), ask("Why is the sky blue?")
    assert first.text == second.text
    assert first.completion_tokens == second.completion_tokens


def test_tokens_are_streamed_and_all_counted(ask: Ask) -> None:
    answer = ask("Tell a long story about a small boat.")
    assert answer.completion_tokens == len(answer.gaps) + 1
    assert answer.first_token is not None
    assert answer.first_token < answer.seconds / 2


def test_a_second_run_changes_nothing(environment: Environment, ask: Ask) -> None:
    assert ask("What is the capital of France?").text
    assert environment.site().changed == []
