# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From what was measured of each hop to what is said about it."""

from __future__ import annotations

import typing as t

import pytest

from tests.bench._usage import Look, busy, looks_of, process_of
from tests.bench.hops import REST, Load, costs, report, results_of

SIDES = ("model", "gateway", "litellm", "internal")


def measured() -> dict[str, t.Any]:
    """Two rounds, the second one on a machine that was half as fast."""
    took = {"model": 2.0, "gateway": 4.0, "litellm": 12.0, "internal": 15.0}
    forms = {
        form: {side: [[value] * 10, [2 * value] * 10] for side, value in took.items()} for form in ("plain", "streamed")
    }
    return {**forms, "rate": {side: [1200 / value, 600 / value] for side, value in took.items()}}


def test_every_hop_is_held_against_the_model_and_against_the_hop_below() -> None:
    found = results_of(measured(), SIDES)
    assert found["hop-gateway-plain-p50"] == {
        "ours": 6.0,
        "ratio-model": 2.0,
        "added-model": 3.0,
        "ratio-below": 2.0,
        "added-below": 3.0,
    }
    assert found["hop-internal-streamed-p95"]["ratio-model"] == 7.5
    assert found["hop-internal-streamed-p95"]["ratio-below"] == 1.25
    assert found["hop-litellm-rate"]["ratio-below"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["hop-model-rate"] == {"ours": 450.0}


def test_the_report_names_every_side() -> None:
    found = results_of(measured(), SIDES)
    found["hop-gateway-cpu"] = {"endpoint picker": 2.5, "model": 0.5, "Redis": 0.001}
    text = "\n".join(report(found))
    assert text.count("inference gateway, picker") == 3
    assert "endpoint picker 2.50, model 0.50" in text
    assert "Redis" not in text
    found["hop-model-cpu"] = {"model": 0.5}
    assert "Redis not seen, endpoint picker not seen" in "\n".join(report(found))
    assert "public" not in text


def test_what_a_process_uses_at_rest_is_not_the_request_s() -> None:
    loads = {REST: Load(0.0, {"LiteLLM": 0.1}), "litellm": Load(50.0, {"LiteLLM": 1.1, "model": 0.05})}
    assert costs(loads) == {"hop-litellm-cpu": {"LiteLLM": 20.0, "model": 1.0}}


def test_a_look_from_before_the_load_does_not_count() -> None:
    looks = [Look(0.0, 5.0), Look(10.0, 6.0), Look(20.0, 16.0), Look(15.0, 11.0)]
    assert busy(looks) == 1.0


@pytest.mark.parametrize("looks", [[], [Look(0.0, 1.0)], [Look(0.0, 1.0), Look(10.0, 2.0)]])
def test_too_few_looks_say_nothing(looks: list[Look]) -> None:
    assert busy(looks) is None


def test_a_kubelet_s_summary_is_read_by_container() -> None:
    container = {"name": "main", "cpu": {"time": "2026-01-01T00:00:10Z", "usageCoreNanoSeconds": 2_500_000_000}}
    fresh = {"name": "fresh", "cpu": {"time": "2026-01-01T00:00:10Z"}}
    summary = {"pods": [{"podRef": {"namespace": "a", "name": "b"}, "containers": [container, fresh]}, {"podRef": {}}]}
    assert [(key, look.used) for key, look in looks_of(summary)] == [(("a", "b", "main"), 2.5)]


def test_only_processes_on_the_way_are_named() -> None:
    model = {"llm-platform.wmx.dev/model": "mine", "app.kubernetes.io/name": "model-server"}
    assert process_of(model, "mine") == "model"
    assert process_of(model, "another") == ""
    assert process_of({"llm-platform.wmx.dev/picker": "mine"}, "mine") == "endpoint picker"
    gateway = {"gateway.networking.k8s.io/gateway-name": "inference", "app.kubernetes.io/name": "x"}
    assert process_of(gateway, "mine") == "Envoy of inference"
    assert process_of({"app.kubernetes.io/name": "litellm"}, "mine") == "LiteLLM"
    assert process_of({"app.kubernetes.io/name": "litellm-migrate"}, "mine") == ""
