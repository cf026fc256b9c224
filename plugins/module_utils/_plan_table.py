# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes a plan as tables for people. Private to the collection."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def plan_table(plan: Mapping[str, t.Any]) -> str:
    """What will exist, where it comes from, and what of it this run leaves out."""
    selected = set(plan["selected"])
    features = ", ".join(name for name, on in plan["features"].items() if on) or "none"
    cluster = plan["kubeconfig"] + (f", context {plan['context']}" if plan["context"] else "")
    lines = [
        f"Environment {plan['environment']}: profile {plan['profile']}, tier {plan['tier']}, features {features}",
        f"Cluster     {plan['substrate']} ({cluster})",
        f"Tree        {plan['tree']}",
        "",
        *_table(
            ("COMPONENT", "LAYER", "SOURCE", "NAMESPACE", "REQUIRES", "THIS RUN"),
            (
                (
                    entry["name"],
                    entry["layer"],
                    entry["source"],
                    entry["namespace"] or "-",
                    ", ".join(entry["requires"]) or "-",
                    _run(entry, selected),
                )
                for entry in plan["components"]
            ),
        ),
    ]
    if plan["models"]:
        header = ("MODEL", "ENGINE", "SOURCE", "REPLICAS", "GPU", "MAX OUTPUT", "$ IN/TOKEN", "$ OUT/TOKEN")
        lines += ["", *_table(header, (_model(model) for model in (*plan["models"], *plan["canaries"])))]
        for model in plan["models"]:
            if canary := model["canary"]:
                lines.append(f"{canary['name']} gets {canary['weight']} % of the requests to {model['name']}")
    if plan["providers"]:
        names = ("MODEL OF A PROVIDER", "KIND", "HOST", "ITS NAME THERE", "MAX OUTPUT", "$ IN/TOKEN", "$ OUT/TOKEN")
        lines += ["", *_table(names, map(_provider, plan["providers"]))]
    if plan["tenants"]:
        columns = ("TENANT", "NAMESPACE", "STATE", "BUDGET", "MODELS", "KEYS")
        lines += ["", *_table(columns, (_tenant(tenant) for tenant in plan["tenants"]))]
    if plan["flows"]:
        lines += ["", *_table(("FROM", "TO", "PORTS", "WHY"), dict.fromkeys(map(_flow, plan["flows"])))]
    exceptions = [entry for entry in plan["namespaces"] if entry["pod_security"] != "restricted"]
    lines += ["", *(f"Namespace {e['name']} allows {e['pod_security']} pods: {e['reason']}" for e in exceptions)]
    return "\n".join(lines).rstrip()


def _run(entry: Mapping[str, t.Any], selected: set[str]) -> str:
    if entry["source"] == "existing":
        return "checked only"
    return "yes" if entry["name"] in selected else "left out by tags"


def _model(model: Mapping[str, t.Any]) -> tuple[str, ...]:
    gpu = model["gpu"]
    return (
        model["name"],
        model["engine"],
        model["source"] + (f"@{model['revision']}" if model["revision"] else "") or "-",
        str(model["replicas"]),
        f"{gpu['count']} x {gpu['product'] or gpu['resource']}" if gpu["count"] else "-",
        str(model["max_output_tokens"]),
        f"{model['price']['input_per_token']:g}",
        f"{model['price']['output_per_token']:g}",
    )


def _provider(model: Mapping[str, t.Any]) -> tuple[str, ...]:
    return (
        model["name"],
        model["kind"],
        model["host"] + (" (simulated)" if model["simulated"] else ""),
        model["model"],
        str(model["max_output_tokens"]),
        f"{model['price']['input_per_token']:g}",
        f"{model['price']['output_per_token']:g}",
    )


def _tenant(tenant: Mapping[str, t.Any]) -> tuple[str, ...]:
    return (
        tenant["name"],
        tenant["namespace"],
        tenant["state"],
        f"${tenant['budget']['usd']:g} per {tenant['budget']['period']}",
        ", ".join(tenant["models"]),
        ", ".join(key["name"] for key in tenant["keys"]) or "-",
    )


def _flow(flow: Mapping[str, t.Any]) -> tuple[str, ...]:
    ports = ", ".join(f"{entry['port']}" + ("/UDP" if entry["protocol"] == "UDP" else "") for entry in flow["ports"])
    return flow["from"]["name"], flow["to"]["name"], ports, flow["why"]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
