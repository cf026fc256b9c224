# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The evidence names every claim, counts the worse of two answers and never holds a secret."""

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence import (
    EvidenceError,
    Run,
    build,
    refuse_secrets,
    short,
    table,
)

RUN = Run("local", "abc", "sha256:1", "2026-11-23T10:30:00+00:00", 12.34, {"python": "3.12"})
CLAIMS = [{"id": "a", "class": "read", "claim": "A holds."}, {"id": "b", "class": "live", "claim": "B holds."}]


def check(name: str, *, ok: bool = True, **rest: t.Any) -> dict[str, t.Any]:
    return Claim(name, "live", f"{name} holds.", "yes").check(ok=ok, observed="yes" if ok else "no", seconds=1, **rest)


def test_a_claim_that_nobody_answered_is_there_and_not_ok() -> None:
    document = build(RUN, [check("b")], CLAIMS)
    assert [(item["id"], item["ok"]) for item in document["checks"]] == [("a", False), ("b", True)]
    assert document["checks"][0]["reason"].startswith("did not run")
    assert document["summary"] == {"total": 2, "ok": 1, "failed": 1, "simulated": 0}


def test_a_check_without_a_declared_claim_is_kept() -> None:
    assert [item["id"] for item in build(RUN, [check("c")], CLAIMS)["checks"]] == ["a", "b", "c"]


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_of_two_answers_the_worse_one_counts(order: tuple[bool, bool]) -> None:
    document = build(RUN, [check("a", ok=ok) for ok in order], [])
    assert [item["ok"] for item in document["checks"]] == [False]


def test_a_malformed_check_is_an_error() -> None:
    with pytest.raises(EvidenceError, match="unknown field"):
        build(RUN, [{**check("a"), "colour": "red"}], [])


def test_the_short_form_fits_into_a_config_map_whatever_was_observed() -> None:
    checks = [check(f"c{number}", series={"ttft_ms": {"chat": [1.0] * 10000}}) for number in range(200)]
    checks[0]["observed"] = "x" * 10**6
    document = short(build(RUN, checks, []))
    assert len(json.dumps(document)) < 100_000
    assert len(document["checks"]) == 200


def test_the_table_has_failed_checks_first_with_their_reason() -> None:
    lines = table(build(RUN, [check("good"), check("bad", ok=False, reason="it was empty")], []))
    assert lines[0].startswith("FAILED bad")
    assert lines[1].strip() == "it was empty"
    assert lines[2].startswith("ok     good")
    assert lines[-1].startswith("1 of 2 checks ok")


@pytest.mark.parametrize(
    "encode", [str, lambda value: base64.b64encode(value.encode()).decode()], ids=["plain", "base64"]
)
def test_a_secret_in_the_text_is_refused_without_quoting_it(encode: t.Callable[[str], str]) -> None:
    with pytest.raises(EvidenceError, match="Secret ns/key") as caught:
        refuse_secrets(f"observed: {encode('0123456789abcdef')}", {"Secret ns/key": "0123456789abcdef"})
    assert "0123456789abcdef" not in str(caught.value)


def test_values_too_short_to_be_secret_prove_nothing() -> None:
    refuse_secrets("it is true", {"Secret ns/flag": "true"})


def test_the_document_is_what_the_schema_says() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = pathlib.Path(__file__).parents[4] / "roles" / "evidence" / "files" / "evidence.schema.json"
    if not path.exists():
        pytest.skip("the schema belongs to a role, which is not there without the collection")
    schema = json.loads(path.read_text(encoding="utf-8"))
    versions = {"python": "3.12", "kubernetes": "v1.36.3", "engines": {"chat": {"version": "1", "simulated": True}}}
    run = Run("local", "a" * 40 + "-dirty", "sha256:" + "0" * 64, "2026-11-23T10:30:00+00:00", 1, versions)
    series = {"itl_ms": {"chat": [1.0]}}
    document = build(run, [check("c", ok=False, reason="no", simulated=True, series=series)], CLAIMS)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "colour": "red"}, schema)
