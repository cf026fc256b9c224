# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The page needs nothing but itself, shows observations as text and puts failures first."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence import Run, build
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_page import PageError, render_page

TEMPLATE = pathlib.Path(__file__).parents[4] / "roles" / "evidence" / "templates" / "latest.html.j2"
SERIES = {
    "ttft_ms": {"chat": [30.0, 31.0], "silent": []},
    "itl_ms": {"chat": [5.0, 5.5, 6.0]},
    "revoked_seconds": {"deleted key": [0.1, 9.8], "blocked team": []},
    "ledger_usd": {"told to clients": 0.00012, "ledger": 0.00012},
    "queue": {"chat": [{"seconds": 0.0, "running": 0, "waiting": 0}, {"seconds": 1.0, "running": 8, "waiting": 3}]},
    "budget_use": {"burst": [0.9], "no limit": [1.0]},
    "outage": {
        "Redis": [
            {"seconds": 0, "answered": 4, "refused": 0, "away": 0},
            {"seconds": 1, "answered": 0, "refused": 3, "away": 1},
        ]
    },
    "somebody-elses": {"x": [1]},
}
HOSTILE = "<script>alert(1)</script> {{ 7 * 6 }} &amp; \"'"


def page(*checks: dict[str, t.Any], engines: dict[str, t.Any] | None = None) -> str:
    if not TEMPLATE.exists():
        pytest.skip("the template belongs to a role, which is not there without the collection")
    run = Run("local", "abc", "sha256:1", "2026-11-23T10:30:00+00:00", 83, {"python": "3.12", "engines": engines or {}})
    return render_page(TEMPLATE.read_text(encoding="utf-8"), build(run, checks, []))


def check(name: str, *, ok: bool = True, observed: str = "yes", **rest: t.Any) -> dict[str, t.Any]:
    return Claim(name, "live", f"{name} holds.", "yes").check(ok=ok, observed=observed, seconds=1, **rest)


def test_the_page_loads_nothing() -> None:
    text = page(check("a", series=SERIES))
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"' >)]+", text)) <= names
    assert "<script" not in text
    assert "<link" not in text


def test_whatever_was_observed_is_text() -> None:
    text = page(check("a", observed=HOSTILE, ok=False, reason=HOSTILE))
    assert "<script" not in text
    assert "{{ 7 * 6 }}" in text
    assert "&amp;amp;" in text


def test_the_headline_counts_and_failures_come_first() -> None:
    text = page(check("good"), check("bad", ok=False, reason="it was empty"))
    assert "<h1>1 of 2 checks ok, 1 failed</h1>" in text
    assert text.index(">bad<") < text.index(">good<")
    assert "it was empty" in text


def test_a_simulation_is_called_one() -> None:
    engines = {"chat": {"version": "1.0.0", "simulated": True}, "code": {"version": "0.23.0", "simulated": False}}
    text = page(check("a", simulated=True), check("b"), engines=engines)
    assert "1 of 2 checks were made on simulated parts" in text
    assert "Model <code>chat</code> is served by a simulator" in text
    assert "Model <code>code</code>" not in text


def test_a_table_is_shown_below_its_check_as_text() -> None:
    table = {"columns": ["Attack", "Overshoot"], "rows": [[HOSTILE, 0.25], ["burst", 0.5]]}
    text = page(check("a", table=table), check("b"))
    assert text.count("<details>") == 1
    assert "2 rows of a" in text
    assert '<th scope="col">Overshoot</th>' in text
    assert '<td class="number">0.25</td>' in text
    assert "<script" not in text


def test_series_are_drawn_with_the_pages_colours_and_ids_of_their_own() -> None:
    pytest.importorskip("matplotlib")
    text = page(check("a", series=SERIES))
    assert text.count("<svg ") == len(SERIES) - 1
    assert "currentColor" in text
    assert "#010203" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'url\(#([^)]+)\)|xlink:href="#([^"]+)"', text))
    assert {first or second for first, second in used} <= set(ids)


def test_a_template_with_a_mistake_is_a_clear_error() -> None:
    with pytest.raises(PageError, match="nonsense"):
        render_page("{{ nonsense }}", build(Run("e", "", "", "now", 1, {}), [], []))
