# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: the apply engine and its task keep their bounds against kubectl and kubernetes.core."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_apply_engine_and_its_task_keep_their_bounds() -> None:
    """In a process of its own: nothing that pytest loads is timed. BENCH_ARGS=--growth shows growth to 10,000."""
    if not (os.environ.get("K8S_AUTH_KUBECONFIG") or os.environ.get("KUBECONFIG")):
        pytest.fail("set K8S_AUTH_KUBECONFIG to the kubeconfig of a cluster, for example with `make up`")
    if not (os.environ.get("KUBECTL") or shutil.which("kubectl")):
        pytest.fail("set KUBECTL to the path of kubectl")
    command = [sys.executable, "-m", "tests.bench", *os.environ.get("BENCH_ARGS", "").split()]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == 0, "a bound was missed; the table above says which"
