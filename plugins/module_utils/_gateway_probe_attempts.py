# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of a gateway to learn which of its routes are open, and what must come back. Private to the collection.

The allow-list is written down here a second time on purpose: it is the promise, the guard's is the means.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import Attempt, Verdict

Judge = t.Callable[["Attempt", "Verdict"], bool]

ALLOWED: t.Final = frozenset(
    {
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/responses"),
        ("GET", "/v1/models"),
        ("GET", "/health/liveliness"),
        ("GET", "/health/readiness"),
    }
)
PROBES: t.Final = "/health/"
"""Below it LiteLLM tells everybody whether it is well; what stands before it does not hand that on."""
METHODS: t.Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_WITH_BODY: t.Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# LiteLLM's server has hundreds; fewer mean that something else answered.
FEWEST_ROUTES: t.Final = 100
# Parts that LiteLLM mounts or loads late, so that its description of itself lacks them.
MOUNTED: t.Final = (
    "/",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/metrics",
    "/metrics/",
    "/ui",
    "/ui/",
    "/swagger",
    "/mcp",
    "/mcp/",
    "/sso/key/generate",
    "/v1/messages",
    "/v1beta/models/gemini:generateContent",
    "/v1/realtime",
    "/anthropic/v1/messages",
    "/vertex_ai/x",
    "/bedrock/x",
    "/vllm/v1/chat/completions",
    "/openai/v1/chat/completions",
    "/azure/x",
    "/config/update",
    "/debug/report",
    "/health",
    "/health/liveness",
)
# Other ways to write paths that are closed, or that end at one.
DISGUISED: t.Final = (
    "//key/list",
    "/./key/list",
    "/key/../key/list",
    "/v1/chat/completions/../../../key/list",
    "/v1/models/../../key/list",
    "/v1/models/..%2f..%2fkey/list",
    "/%6bey/list",
    "/KEY/list",
    "/key/list/",
    "/key/list%00",
    "/key/list;x=1",
    "/key/list%3f",
    "/v1/models;/key/list",
    "/v1/models%2f..%2f..%2fkey%2flist",
    "/v1/chat/completions/",
    "/V1/chat/completions",
    "/chat/completions",
    "/engines/{model}/chat/completions",
    "/openai/deployments/{model}/chat/completions",
    "/v1/engines/{model}/completions",
)
_PARAMETER: t.Final = re.compile(r"\{[^}]*\}")
_REFUSALS: t.Final = {404: {"unknown_url"}, 405: {"method_not_allowed"}}
# Readiness speaks of the database at this moment; that it answers is all that is asked here.
_ANSWERED: t.Final = {"/health/readiness": {200, 503}}


@dataclass(frozen=True, slots=True)
class Sweep:
    """One round over all routes: from where, and what came back."""

    place: str
    attempts: t.Sequence[Attempt]
    verdicts: t.Sequence[Verdict]

    def faults(self, most: int = 5, *, judge: Judge | None = None) -> list[str]:
        """What came back for attempts that were not refused as they have to be; by the guard, unless told otherwise."""
        if len(self.verdicts) != len(self.attempts):
            return [
                f"{self.place}: {len(self.verdicts)} of {len(self.attempts)} attempts came back: {self.verdicts[:1]}"
            ]
        open_ = [
            f"{attempt[0]} {attempt[1]} gave {verdict[0]} {verdict[1]}".rstrip()
            for attempt, verdict in zip(self.attempts, self.verdicts, strict=True)
            if not (judge or is_refused)(attempt, verdict)
        ]
        shown = [f"{self.place}: {one}" for one in open_[:most]]
        return [*shown, f"{self.place}: {len(open_) - most} more"] if len(open_) > most else shown

    def fact(self) -> str:
        counts = Counter(verdict[0] for verdict in self.verdicts)
        return f"{self.place}: {', '.join(f'{count} x {status}' for status, count in sorted(counts.items()))}"


def is_refused(attempt: Attempt, verdict: Verdict) -> bool:
    """Refused by the guard, in its own words: a 404 of LiteLLM's would mean that LiteLLM had been asked."""
    status, code = verdict
    if attempt[0] == "HEAD":
        return status in _REFUSALS
    return code in _REFUSALS.get(status, ())


def is_refused_at_entrance(attempt: Attempt, verdict: Verdict) -> bool:
    """By what stands before the guard: it has words of its own, knows no wrong methods and does not read every path."""
    status, code = verdict
    if attempt[0] == "HEAD":
        return bool(status == 404)
    return (status, code) in {(404, "unknown_route"), (400, "bad_request")}


def closed(description: t.Any, model: str) -> list[Attempt]:
    """Every route that LiteLLM says it has, and some that it does not say, less those that are allowed."""
    paths = description.get("paths") if isinstance(description, dict) else None
    if not isinstance(paths, dict) or len(paths) < FEWEST_ROUTES:
        raise ProbeError(
            f"/openapi.json describes {len(paths or ())} paths, LiteLLM has more: {FEWEST_ROUTES} at least"
        )
    pairs = {(method.upper(), _PARAMETER.sub("probe", path)) for path, item in paths.items() for method in item}
    pairs |= {(method, path) for _method, path in ALLOWED for method in METHODS}
    pairs |= {(method, path.format(model=model)) for path in (*MOUNTED, *DISGUISED) for method in ("GET", "POST")}
    return [attempt(method, path) for method, path in sorted(pairs - ALLOWED) if method in METHODS]


def attempt(method: str, path: str) -> Attempt:
    return (method, path, {} if method in _WITH_BODY else None)


def controls(model: str) -> list[Attempt]:
    """Good requests for all that is allowed; whoever cannot get these answered shows nothing by being refused."""
    return [
        (
            "POST",
            "/v1/chat/completions",
            {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]},
        ),
        ("POST", "/v1/completions", {"model": model, "max_tokens": 1, "prompt": "hi"}),
        ("POST", "/v1/embeddings", {"model": model, "input": "hi"}),
        ("POST", "/v1/responses", {"model": model, "max_output_tokens": 1, "input": "hi"}),
        ("GET", "/v1/models", None),
        ("GET", "/health/liveliness", None),
        ("GET", "/health/readiness", None),
    ]


def control_faults(place: str, attempts: t.Sequence[Attempt], verdicts: t.Sequence[Verdict]) -> list[str]:
    missing = len(attempts) - len(verdicts)
    faults = [
        f"{place}: control {attempt[0]} {attempt[1]} gave {verdict[0]} {verdict[1]}".rstrip()
        for attempt, verdict in zip(attempts, verdicts, strict=False)
        if verdict[0] not in _ANSWERED.get(attempt[1], {200})
    ]
    return faults if not missing else [*faults, f"{place}: {missing} controls were not tried"]
