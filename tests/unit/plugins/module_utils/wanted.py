# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Objects as a tree has them: what tests of a delivery ask for."""

from __future__ import annotations

import typing as t

Object = dict[str, t.Any]
PART_OF = "applyset.kubernetes.io/part-of"


def named(api_version: str, kind: str, name: str, namespace: str = "", **rest: t.Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **rest.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def config(name: str, namespace: str = "ns", **data: str) -> Object:
    return named("v1", "ConfigMap", name, namespace, data=data)


NS = named("v1", "Namespace", "ns")
HOOK = "llm-platform.wmx.dev/phase"
