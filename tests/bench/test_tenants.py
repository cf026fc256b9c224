# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: many tenants come in the time that was promised, and an unchanged list costs seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_tenants_keep_their_bounds() -> None:
    """TENANTS_BENCH_ARGS=--growth shows growth to 1,000 tenants."""
    if not (os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")):
        pytest.fail(
            "set K8S_AUTH_KUBECONFIG to the kubeconfig of a cluster with the LLM gateway, as `make demo` makes it"
        )
    command = [sys.executable, "-m", "tests.bench.tenants", *os.environ.get("TENANTS_BENCH_ARGS", "").split()]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == 0, "a bound was missed; the lines above say which"
