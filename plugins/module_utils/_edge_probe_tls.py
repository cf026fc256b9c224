# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Is the public entrance reached by TLS of today alone? Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_entrance import TLS_1_0, TLS_1_1, TLS_1_2

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_stage import Stage

CLAIM: t.Final = Claim(
    "edge-tls",
    "live",
    "The public entrance is reached by TLS 1.2 or newer alone, with a certificate of its host.",
    "with the host's certificate checked against its authority a good request gets 200 and HSTS; TLS 1.0 and 1.1 and a"
    " foreign host are refused where TLS 1.2 is not; without TLS everything is redirected",
)
_MODELS: t.Final = "/v1/models"


def observe(stage: Stage) -> Observation:
    public, plain = stage.demand_public()
    seen = stage.observation()
    key = stage.guests.guest([stage.models[0].name]).value
    good = public.send("GET", _MODELS, key=key)
    if good.status != 200:
        seen.faults.append(f"control GET {_MODELS} gave {good.status} {good.error.get('code', '')}")
    for name, part in (("strict-transport-security", "max-age="), ("x-content-type-options", "nosniff")):
        if part not in good.headers.get(name, ""):
            seen.faults.append(f"the answer has {name}: {good.headers.get(name)!r}")
    if good.headers.get("cache-control") != "no-store":
        seen.faults.append(f"the answer may be stored: cache-control is {good.headers.get('cache-control')!r}")

    # Without this the refusals below would say nothing: it is the same hello.
    accepted = public.hello(TLS_1_2)
    if accepted != "accepted":
        seen.faults.append(f"control: a hello with TLS 1.2 got {accepted}")
    refused = {
        "TLS 1.0": public.hello(TLS_1_0),
        "TLS 1.1": public.hello(TLS_1_1),
        "a host that is not ours": public.hello(TLS_1_2, f"foreign.{public.host}"),
    }
    seen.faults += [f"{what} is accepted" for what, answer in refused.items() if answer == "accepted"]

    redirected = 0
    for method, path in (("GET", _MODELS), ("POST", "/v1/chat/completions"), ("GET", "/key/list")):
        reply = plain.send(method, path, {} if method == "POST" else None, key=key)
        place = reply.headers.get("location", "")
        if reply.status == 301 and place.startswith(f"https://{public.host}") and place.endswith(path):
            redirected += 1
        else:
            seen.faults.append(f"without TLS {method} {path} gave {reply.status} {place}".rstrip())
    stranger = dataclasses.replace(plain, host=f"foreign.{public.host}").send("GET", _MODELS)
    if stranger.status != 404:
        seen.faults.append(f"without TLS a foreign host got {stranger.status}")
    seen.facts.append(
        f"{public.host}: GET {_MODELS} gave {good.status} with {good.headers.get('strict-transport-security')};"
        f" TLS 1.2 {accepted}, {', '.join(f'{what}: {answer}' for what, answer in refused.items())};"
        f" {redirected} of 3 requests without TLS redirected to it"
    )
    return seen
