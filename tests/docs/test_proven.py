# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of claims and the README say what the evidence says, for every claim there is."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def proven() -> t.Any:
    spec = importlib.util.spec_from_file_location("proven", ROOT / "tools" / "proven.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def claims_in(value: object) -> t.Iterator[str]:
    if isinstance(value, dict):
        if {"id", "class", "claim"} <= value.keys():
            yield value["id"]
        for inner in value.values():
            yield from claims_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from claims_in(inner)


def test_the_tables_are_those_that_the_evidence_gives(proven: t.Any) -> None:
    for path, text in proven.written().items():
        assert path.read_text(encoding="utf-8") == text, "run: python tools/proven.py"


def test_every_claim_of_the_roles_was_proven_before_it_was_printed(proven: t.Any) -> None:
    claimed = {
        claim
        for path in (ROOT / "roles").glob("*/vars/*.yml")
        for claim in claims_in(yaml.safe_load(path.read_text(encoding="utf-8")))
    }
    assert claimed, "no role claims anything: the search in this test is out of date"
    written = {row["id"] for row in json.loads(proven.PROVEN.read_text(encoding="utf-8"))}
    assert claimed <= written, f"run make evidence: {sorted(claimed - written)} have no result in docs/proven.json"


def test_a_failed_claim_is_not_written(proven: t.Any) -> None:
    check = {"id": "model-answers", "claim": "A model answers", "ok": False}
    with pytest.raises(SystemExit, match="model-answers"):
        proven.proven_of({"checks": [check]})


def test_a_simulated_result_says_so(proven: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    check = {"id": "model-answers", "claim": "A model answers", "ok": True, "simulated": True}
    monkeypatch.setattr(proven, "PROVEN", tmp_path / "proven.json")
    proven.PROVEN.write_text(json.dumps(proven.proven_of({"checks": [check]})), encoding="utf-8")
    assert "| A model answers | local, partly simulated | `model-answers` |" in proven.claims()
