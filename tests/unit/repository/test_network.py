# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of flows is what the page says and what the roles render."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
TABLE: dict[str, t.Any] = yaml.safe_load(
    (ROOT / "roles" / "network" / "files" / "flows.yml").read_text(encoding="utf-8")
)
CATALOG = yaml.safe_load((ROOT / "roles" / "plan" / "vars" / "main.yml").read_text(encoding="utf-8"))["__plan_catalog"]
BROUGHT = sorted(
    {
        end["component"]
        for end in TABLE["ends"].values()
        if "pods" in end and end.get("component") and CATALOG[end["component"]]["sources"] != ["existing"]
    }
)


def said(name: str) -> list[str]:
    page = (ROOT / "docs" / "network.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}: begin .*?-->\n(.*?)<!-- {name}: end -->", page, re.DOTALL)
    assert found
    return found[1].splitlines()


def code(names: t.Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def ends() -> list[str]:
    rows = ["| end | who | component | ports |", "|---|---|---|---|"]
    for name, end in TABLE["ends"].items():
        ports = ", ".join(f"{port} {number(value)}" for port, value in end.get("ports", {}).items())
        component = f"`{end['component']}`" if "component" in end else ""
        rows.append(f"| `{name}` | {end['what']} | {component} | {ports} |")
    return rows


def number(value: t.Any) -> str:
    if isinstance(value, dict) and "number" in value:
        return f"{value['number']}/{value['protocol']}"
    return f"(`{value.get('option') or value['plan']}`)" if isinstance(value, dict) else str(value)


def flows() -> list[str]:
    rows = ["| from | to | ports | why |", "|---|---|---|---|"]
    for flow in TABLE["flows"]:
        more = [f"not with `{flow['unless']}`"] if "unless" in flow else []
        more += [f"for each {flow['each']}" + (" that downloads" if "where" in flow else "")] if "each" in flow else []
        why = flow["why"] + (f" ({'; '.join(more)})" if more else "")
        rows.append(f"| {code(flow['from'])} | {code(flow['to'])} | {', '.join(flow['ports'])} | {why} |")
    return rows


@pytest.mark.parametrize(("name", "rows"), [("ends", ends()), ("flows", flows())])
def test_the_page_shows_the_table_as_it_is(name: str, rows: list[str]) -> None:
    assert said(name) == rows, f"docs/network.md: write between the marks of {name}:\n" + "\n".join(rows)


@pytest.mark.parametrize("component", BROUGHT)
def test_whoever_brings_pods_renders_their_policies(component: str) -> None:
    templates = (ROOT / "roles" / CATALOG[component]["role"] / "templates").glob("*.j2")
    wanted = f"wmx.llm_platform.network_policies('{component}')"
    assert any(wanted in path.read_text(encoding="utf-8") for path in templates), f"no template has {wanted}"
    assert "networking.k8s.io/networkpolicies" in CATALOG[component]["kinds"]


def test_no_role_writes_a_policy_of_its_own() -> None:
    """But for the one that denies all, which is no flow."""
    others = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "roles").glob("*/templates/**/*.j2")
        if "kind: NetworkPolicy" in path.read_text(encoding="utf-8")
    ]
    assert others == ["roles/foundation/templates/network-policies.yml.j2"]


def test_every_flow_says_what_it_is_for() -> None:
    assert all(len(flow["why"]) > 10 for flow in TABLE["flows"])
    used = {name for flow in TABLE["flows"] for name in (*flow["from"], *flow["to"])}
    assert used == set(TABLE["ends"]), "an end that is in no flow is nobody"
