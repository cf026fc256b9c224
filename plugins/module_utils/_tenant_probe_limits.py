# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Limits of requests, tokens and parallel requests, counted over all replicas together. Private to the collection."""

from __future__ import annotations

import itertools
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    Key,
    Replica,
    Stage,
    ask,
    control_faults,
    good,
    marked,
    verdict,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer

LIMITED: t.Final = Claim(
    "rate-limit-refused",
    "live",
    "Requests, tokens and parallel requests beyond a limit are refused, counted over all replicas together.",
    "through alternating replicas exactly the limit of requests (of a key; of two keys of a team), no more tokens than"
    " the limit and the prompts, no more parallel requests are answered, then 429 on each; a key without limits 200",
)
TOO_MANY: t.Final = 429
_REQUESTS: t.Final = 4
_TOKENS: t.Final = 400
_PARALLEL: t.Final = 2
# A limit that is not enforced is noticed after that many answers.
_MOST: t.Final = 24
_WINDOW_SECONDS: t.Final = 50.0
# A slot is given back some time after the answer.
_RELEASED_SECONDS: t.Final = 10.0
_LENGTHS: t.Final = (128, 512, 2048)


@dataclass(slots=True)
class _Tally:
    """What came of asking until everybody refuses."""

    answered: list[Answer] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def observe_limits(stage: Stage) -> Observation:
    stage.demand_replicas()
    seen = stage.observation()
    model = stage.models[0].name
    free = stage.guests.guest([model])
    team = stage.guests.team([model], rpm_limit=_REQUESTS)
    requests = [stage.guests.guest([model], rpm_limit=_REQUESTS)]
    shared = [stage.guests.key(team), stage.guests.key(team)]
    tokens = [stage.guests.guest([model], tpm_limit=_TOKENS)]
    with ThreadPoolExecutor(4) as pool:
        by_key = pool.submit(_until_refused, stage, requests, 8)
        by_team = pool.submit(_until_refused, stage, shared, 8)
        by_tokens = pool.submit(_until_refused, stage, tokens, 64)
        at_once = pool.submit(_parallel, stage)
        for label, future in (("key", by_key), ("two keys of a team", by_team)):
            tally = future.result()
            seen.faults += [f"requests of {label}: {fault}" for fault in tally.faults]
            if len(tally.answered) != _REQUESTS:
                seen.faults.append(f"requests of {label}: {len(tally.answered)} answered, the limit is {_REQUESTS}")
            seen.facts.append(f"requests of {label}: {len(tally.answered)} of {_REQUESTS} a minute answered, then 429")
        tally = by_tokens.result()
        used = sum(answer.prompt_tokens + answer.completion_tokens for answer in tally.answered)
        seen.faults += [f"tokens: {fault}" for fault in tally.faults]
        # The gateway admits a request with an estimate of its prompt, and corrects it some time after the answer.
        prompts = sum(answer.prompt_tokens for answer in tally.answered)
        if used > _TOKENS + prompts:
            seen.faults.append(f"tokens: {used} answered, {prompts} of them prompts, the limit is {_TOKENS}")
        seen.facts.append(
            f"tokens: {used} of {_TOKENS} a minute answered in {len(tally.answered)} requests (prompts, {prompts}, are"
            " admitted by an estimate), then 429"
        )
        facts, faults = at_once.result()
        seen.facts += facts
        seen.faults += faults
    for replica in stage.replicas:
        seen.faults += control_faults(
            {f"of a key without limits on {replica.name}": ask(replica, model, free.value, marked(), 8)}
        )
    return seen


def _until_refused(stage: Stage, keys: t.Sequence[Key], max_tokens: int) -> _Tally:
    """Ask through every replica in turn, with every key in turn, until all replicas refuse one after the other."""
    tally = _Tally()
    began = time.monotonic()
    turns = itertools.cycle([(key, replica) for key in keys for replica in stage.replicas])
    row: set[tuple[str, str]] = set()
    everybody = {(key.hash, replica.name) for key in keys for replica in stage.replicas}
    while row != everybody:
        key, replica = next(turns)
        answer = ask(replica, stage.models[0].name, key.value, marked(), max_tokens)
        if answer.status == TOO_MANY:
            row.add((key.hash, replica.name))
            tally.refused.add(replica.name)
        elif good(answer):
            row.clear()
            tally.answered.append(answer)
        else:
            tally.faults.append(f"{replica.name}: {verdict(answer)}")
            return tally
        if len(tally.answered) >= _MOST:
            tally.faults.append(f"{_MOST} requests answered and no end")
            return tally
        if time.monotonic() - began > _WINDOW_SECONDS:
            raise ProbeError(
                f"the gateway is too slow: a limit per minute cannot be reached in {_WINDOW_SECONDS:.0f} s"
            )
    if not tally.answered:
        tally.faults.append("nothing was answered, not even the first request")
    return tally


def _parallel(stage: Stage) -> tuple[list[str], list[str]]:
    """Hold one request open on each of two replicas, then ask for one more through each."""
    model = stage.models[0]
    holders = stage.replicas[:_PARALLEL]
    most = model.max_output_tokens
    for length in dict.fromkeys(min(length, most) for length in _LENGTHS):
        key = stage.guests.guest([model.name], max_parallel_requests=_PARALLEL)
        facts, faults, held = _hold(stage, key, holders, length)
        if held or faults:
            return facts, faults
    raise ProbeError(
        f"{_PARALLEL} answers of {most} tokens were over before a third request was refused; the model is too fast for"
        " its max_output_tokens"
    )


def _hold(stage: Stage, key: Key, holders: t.Sequence[Replica], length: int) -> tuple[list[str], list[str], bool]:
    """The last value tells whether all held requests were still open when the others had been refused or answered."""
    model = stage.models[0].name

    def hold(replica: Replica, heard: threading.Event) -> tuple[Answer, float]:
        try:
            answer = ask(replica, model, key.value, marked(), length, stream=True, full_length=True, heard=heard.set)
        finally:
            heard.set()
        return answer, time.monotonic()

    with ThreadPoolExecutor(len(holders)) as pool:
        open_now = [threading.Event() for _replica in holders]
        holding = [pool.submit(hold, *pair) for pair in zip(holders, open_now, strict=True)]
        for event in open_now:
            event.wait()
        sent = [(replica, ask(replica, model, key.value, marked(), 1), time.monotonic()) for replica in stage.replicas]
        held = [future.result() for future in holding]
    faults = control_faults(
        {f"held open on {replica.name}": answer for replica, (answer, _end) in zip(holders, held, strict=True)}
    )
    if faults:
        return [], [f"parallel: {fault}" for fault in faults], False
    first_end = min(end for _answer, end in held)
    in_time = [(replica, answer) for replica, answer, at in sent if at < first_end]
    if len(in_time) < len(stage.replicas):
        return [], [], False
    for replica, answer in in_time:
        if answer.status != TOO_MANY:
            faults.append(f"parallel: {replica.name}: a third request beside {len(held)} open ones: {verdict(answer)}")
    until = first_end + _RELEASED_SECONDS
    for replica in stage.replicas:
        answer = ask(replica, model, key.value, marked(), 1)
        while answer.status == TOO_MANY and time.monotonic() < until:
            time.sleep(stage.effort.pause)
            answer = ask(replica, model, key.value, marked(), 1)
        if not good(answer):
            faults.append(f"parallel: {replica.name} after the open requests had ended: {verdict(answer)}")
    fact = f"parallel: {len(held)} of {_PARALLEL} open over {len(held)} replicas, a third 429 on each, 200 afterwards"
    return [fact], faults, True
