# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The claims about models: they answer, demand their key, and queue instead of dropping. Private to the collection."""

from __future__ import annotations

import secrets
import statistics
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer, ChatClient, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError

ANSWERS: t.Final = Claim(
    "model-answers",
    "live",
    "Every model answers a streamed chat completion and counts its usage.",
    "status 200, text in more than one piece, prompt and completion tokens counted",
)
REQUIRES_KEY: t.Final = Claim(
    "model-requires-key",
    "live",
    "Every model refuses a caller without the right key.",
    "right key 200, no key 401, wrong key 401",
)
QUEUES: t.Final = Claim(
    "model-queues",
    "live",
    "A model with more requests than slots queues them, shows it in its metrics and answers all.",
    "vllm:num_requests_waiting above 0 under load and 0 afterwards, every request answered",
)

WAITING: t.Final = "vllm:num_requests_waiting"
RUNNING: t.Final = "vllm:num_requests_running"
_SETTLE_SECONDS: t.Final = 10.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a client reaches it."""

    name: str
    client: ChatClient
    key: str | None
    version: str
    simulated: bool
    slots: int = 8


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is asked."""

    requests: int = 5
    max_tokens: int = 64
    parallel_factor: int = 3
    # Short answers make a quick probe; on a busy machine, which brings the requests one after the other, only long
    # ones meet in the queue.
    queued_tokens: tuple[int, ...] = (48, 384)
    poll_seconds: float = 0.05
    prompt: str = "Name the seven colours of the rainbow."


def observe_answers(models: t.Sequence[Model], effort: Effort) -> Observation:
    seen = _observation(models)
    for model in models:
        answers = [_ask(model, model.key, effort) for _turn in range(effort.requests)]
        seen.faults += [f"{model.name}: {fault}" for answer in answers for fault in answer_faults(answer)]
        first = [answer.first_token * 1000 for answer in answers if answer.first_token is not None]
        gaps = [gap * 1000 for answer in answers for gap in answer.gaps]
        counted = sum(answer.completion_tokens for answer in answers)
        fact = f"{model.name}: {len(answers)} answers, {counted} tokens counted"
        if first:
            fact += f", time to first token {statistics.median(first):.0f} ms (median)"
        if gaps:
            fact += f", between tokens {statistics.median(gaps):.1f} ms (median)"
        seen.facts.append(fact)
        seen.series.setdefault("ttft_ms", {})[model.name] = [round(value, 2) for value in first]
        seen.series.setdefault("itl_ms", {})[model.name] = [round(value, 2) for value in gaps]
    return seen


def answer_faults(answer: Answer) -> list[str]:
    """What speaks against an answer; empty when it is whole."""
    if answer.status != 200:
        return [f"status {answer.status} {answer.error}".strip()]
    faults = []
    if answer.error:
        faults.append(answer.error)
    if not answer.text.strip():
        faults.append("no text in the answer")
    if not answer.gaps:
        faults.append("the answer came in one piece, not as a stream")
    if answer.prompt_tokens < 1 or answer.completion_tokens < 1:
        faults.append(f"usage not counted (usage: {answer.usage or 'missing'})")
    return faults


def observe_requires_key(models: t.Sequence[Model], effort: Effort) -> Observation:
    seen = _observation(models)
    for model in models:
        if model.key is None:
            seen.faults.append(f"{model.name}: serves without a key (no api_key_secret is configured)")
            continue
        # The positive control comes first: a server that refuses everybody would look safe.
        wanted = (
            ("right key", model.key, 200),
            ("no key", None, 401),
            ("wrong key", secrets.token_hex(16), 401),
            ("empty key", "", 401),
        )
        got = [(label, _ask(model, key, effort).status, status) for label, key, status in wanted]
        seen.faults += [
            f"{model.name}: {label} gave {code}, not {status}" for label, code, status in got if code != status
        ]
        seen.facts.append(f"{model.name}: " + ", ".join(f"{label} {code}" for label, code, _status in got))
    return seen


def observe_queues(models: t.Sequence[Model], effort: Effort) -> Observation:
    seen = _observation(models)
    for model in models:
        if model.slots < 1:
            raise ProbeError(
                f"the slots of model {model.name!r} are unknown; set its --max-num-seqs to have its queue tried"
            )
        count = model.slots * effort.parallel_factor
        for tokens in effort.queued_tokens:
            samples, answers = _load(model, effort, count, tokens)
            faults = [fault for answer in answers for fault in answer_faults(answer)]
            waiting = max(sample["waiting"] for sample in samples)
            running = max(sample["running"] for sample in samples)
            if waiting or faults:
                break
        if waiting < 1:
            faults.append(f"nothing was seen waiting in {len(samples)} looks at the metrics")
        if samples[-1]["waiting"] or samples[-1]["running"]:
            faults.append(f"the queue was not empty {_SETTLE_SECONDS:.0f} s after the last answer")
        seen.faults += [f"{model.name}: {fault}" for fault in dict.fromkeys(faults)]
        whole = sum(not answer_faults(answer) for answer in answers)
        seen.facts.append(
            f"{model.name}: {count} requests at once, {whole} answered,"
            f" at most {running:.0f} running and {waiting:.0f} waiting"
        )
        seen.series.setdefault("queue", {})[model.name] = samples
    return seen


def _load(model: Model, effort: Effort, count: int, tokens: int) -> tuple[list[dict[str, float]], list[Answer]]:
    began = time.monotonic()
    samples: list[dict[str, float]] = []
    stop = threading.Event()

    def look() -> dict[str, float]:
        found = model.client.gauges((WAITING, RUNNING))
        missing = sorted({WAITING, RUNNING} - set(found))
        if missing:
            raise ProbeError(f"the metrics of model {model.name!r} lack {', '.join(missing)}")
        at = round(time.monotonic() - began, 3)
        return {"seconds": at, "waiting": found[WAITING], "running": found[RUNNING]}

    def watch() -> None:
        while not stop.wait(effort.poll_seconds):
            samples.append(look())

    try:
        samples.append(look())
        with ThreadPoolExecutor(count + 1) as pool:
            watcher = pool.submit(watch)
            asked = [pool.submit(_ask_for_long, model, effort, tokens) for _turn in range(count)]
            try:
                answers = [future.result() for future in asked]
            finally:
                stop.set()
            watcher.result()
        until = time.monotonic() + _SETTLE_SECONDS
        samples.append(look())
        while (samples[-1]["waiting"] or samples[-1]["running"]) and time.monotonic() < until:
            time.sleep(effort.poll_seconds)
            samples.append(look())
    except ChatError as exc:
        raise ProbeError(str(exc)) from exc
    return samples, answers


def _ask(model: Model, key: str | None, effort: Effort) -> Answer:
    try:
        return model.client.chat(effort.prompt, key=key, max_tokens=effort.max_tokens)
    except ChatError as exc:
        raise ProbeError(str(exc)) from exc


def _ask_for_long(model: Model, effort: Effort, tokens: int) -> Answer:
    try:
        return model.client.chat(effort.prompt, key=model.key, max_tokens=tokens, full_length=True)
    except ChatError as exc:
        raise ProbeError(str(exc)) from exc


def _observation(models: t.Sequence[Model]) -> Observation:
    return Observation(simulated=any(model.simulated for model in models))


CLAIMS: t.Final[dict[str, Claim]] = {"answers": ANSWERS, "requires_key": REQUIRES_KEY, "queues": QUEUES}
PROBES: t.Final[dict[str, t.Callable[[t.Sequence[Model], Effort], Observation]]] = {
    "answers": observe_answers,
    "requires_key": observe_requires_key,
    "queues": observe_queues,
}
