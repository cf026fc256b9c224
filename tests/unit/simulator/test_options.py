# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line and what ends the program."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import typing as t

import httpx
import pytest
from model_simulator.options import parse

if t.TYPE_CHECKING:
    import pathlib


def test_flags_are_named_as_vllm_names_them() -> None:
    options = parse(
        [
            "--model=org/m",
            "--served-model-name",
            "a",
            "b",
            "--max-num-seqs=4",
            "--max-model-len",
            "1024",
            "--port",
            "9",
        ],
        {"VLLM_API_KEY": "secret"},
    )
    assert options.served_model_name == ("a", "b")
    assert (options.max_num_seqs, options.max_model_len, options.port) == (4, 1024, 9)
    assert options.api_keys == ("secret",)
    assert "secret" not in repr(options)


def test_flags_of_vllm_without_meaning_are_accepted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        parse(["--model", "m", "--enforce-eager", "--dtype=half", "--hf-token", "hidden"], {})
    assert "--enforce-eager --dtype --hf-token" in caplog.text
    assert "hidden" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--max-num-seqs", "0"], "--max-num-seqs"),
        (["--simulator-profile", "h200"], "--simulator-profile"),
        (["--simulator-eror-rate", "1"], "--simulator-eror-rate"),
        (["--simulator-error-rate", "1.5"], "between 0 and 1"),
        (["--simulator-delay-seconds", "inf"], "duration"),
        (["--max-model-len", "100000000"], "KV cache"),
        (["--override-generation-config", '{"max_new_tokens": 0}'], "max_new_tokens"),
        (["--override-generation-config", "{"], "JSON"),
    ],
)
def test_a_wrong_value_ends_it_with_one_message(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments, {})
    assert ended.value.code == 2
    assert word in capsys.readouterr().err


@pytest.mark.timeout(60)
def test_a_crash_on_demand_ends_the_process_with_its_code(key: str, package: pathlib.Path) -> None:
    with httpx.Client(
        base_url="http://127.0.0.1:28471", headers={"Authorization": f"Bearer {key}"}, trust_env=False
    ) as client:
        command = [sys.executable, "-B", "-m", "model_simulator", "--host", "127.0.0.1", "--port", "28471"]
        environment = {**os.environ, "VLLM_API_KEY": key, "PYTHONPATH": str(package)}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    if client.get("/health").status_code == 200:
                        break
                except httpx.TransportError:
                    assert time.monotonic() < deadline, "it did not start"
                    time.sleep(0.1)
            with pytest.raises(httpx.TransportError):
                client.put("/simulator/faults", json={"crash": True})
            assert process.wait(10) == 70
        finally:
            process.kill()
            output, _nothing = process.communicate()
    assert key not in output
