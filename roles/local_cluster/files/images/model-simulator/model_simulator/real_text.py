# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers of a small real model on the CPU; their timing is the simulated one, or the model's where that is slower."""

from __future__ import annotations

import asyncio
import importlib
import pathlib
import secrets
import threading
import typing as t

from . import text

if t.TYPE_CHECKING:
    from .protocol import Generation, Prompt

MODEL = "/opt/real-text/model.gguf"
CONTEXT = 2048
PROMPT = 1000
"""Characters of a prompt that are read: its end is what an answer follows from."""
LONGEST_ANSWER = 256
"""Tokens: a shared processor makes ten or more in a second."""

Chunk = dict[str, t.Any]
Generate = t.Callable[[dict[str, t.Any], t.Callable[[Chunk], bool]], object]
"""Blocks until the answer is whole or the callback, which gets it in OpenAI's chunks, returns True."""


class RealText:
    """One answer at a time, in a thread beside the event loop; who hangs up stops it at its next token."""

    described = (
        f"gemma-3-270m (base model, Q4_K_M) by llama.cpp on the CPU, temperature 0.7, at most {LONGEST_ANSWER} tokens,"
        f" one answer at a time, from the last {PROMPT} characters of the prompt;"
        " made up where ignore_eos or min_tokens force a length"
    )
    counting = "answers by gemma-3's own tokens; prompts and texts of a forced length by "

    def __init__(self, generate: Generate) -> None:
        self._generate = generate
        self._one = asyncio.Lock()

    @classmethod
    def load(cls, model: str) -> RealText:
        if not pathlib.Path(model).is_file():
            raise SystemExit(f"--simulator-real-text: there is no model at {model}: use the image with real text in it")
        library: t.Any = importlib.import_module("xllamacpp")
        parameters = library.CommonParams()
        parameters.model.path = model
        parameters.n_ctx = CONTEXT
        parameters.n_parallel = 1
        parameters.n_gpu_layers = 0
        # as many as the pod's default limit has processors: more would only be throttled
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
        parameters.verbosity = 0
        # the library opens a port of its own, which nobody shall use
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.ui = False
        parameters.api_keys = [secrets.token_urlsafe()]
        return cls(library.Server(parameters).handle_completions)

    def pieces(
        self, request: Generation, prompt: Prompt, seed: int, limit: int, /
    ) -> t.Iterable[str] | t.AsyncGenerator[str]:
        """A forced length is what load tests ask for: they measure the simulated hardware, not this processor."""
        if request.ignore_eos or request.min_tokens:
            return text.made_up(seed)
        asked = prompt.text[-PROMPT:] or " "
        return self._answer(
            {
                "prompt": f"Question: {asked}\nAnswer:" if request.chat else asked,
                "stop": ["\nQuestion:", "\nAnswer:"] if request.chat else [],
                # one that runs longer is cut where it is handed on, so that its end is known to be the limit
                "max_tokens": 2 * min(limit, LONGEST_ANSWER),
                "seed": seed % 2**31,
                "temperature": 0.7,
                "repeat_penalty": 1.1,
                # from a warm cache the same seed gives slightly other numbers
                "cache_prompt": False,
                "stream": True,
            }
        )

    @staticmethod
    def longest(limit: int, /) -> int:
        return min(limit, LONGEST_ANSWER)

    async def _answer(self, wanted: dict[str, t.Any]) -> t.AsyncGenerator[str]:
        async with self._one:
            loop = asyncio.get_running_loop()
            chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
            gone = threading.Event()

            def hand_on(chunk: Chunk) -> bool:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
                return gone.is_set()

            def generate() -> None:
                try:
                    self._generate(wanted, hand_on)
                finally:
                    loop.call_soon_threadsafe(chunks.put_nowait, None)

            work = asyncio.create_task(asyncio.to_thread(generate))
            try:
                while (chunk := await chunks.get()) is not None:
                    if not chunk.get("choices"):
                        raise RuntimeError(f"the real model answered {chunk}")
                    if chunk["choices"][0]["text"]:
                        yield chunk["choices"][0]["text"]
                await work
            finally:
                gone.set()
                await asyncio.wait([work])
