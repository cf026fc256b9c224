# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The scripts behind the Makefile report failures as failures."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def fake_make(tmp_path: pathlib.Path) -> dict[str, str]:
    """An environment whose make fails for the target `broken` and passes for every other."""
    make = tmp_path / "make"
    make.write_text(
        '#!/bin/sh\nfor last in "$@"; do :; done\n[ "$last" = broken ] || exit 0\n'
        'echo "FAILED tests/a.py::test_b - it is broken"\nseq 100\nexit 1\n',
        encoding="utf-8",
    )
    make.chmod(0o755)
    return {**os.environ, "MAKE": str(make)}


def steps(environment: dict[str, str], *targets: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "steps.py"), *targets]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_a_failed_step_fails_the_run_and_does_not_hide_the_steps_after_it(fake_make: dict[str, str]) -> None:
    result = steps(fake_make, "lint", "broken", "unit")
    assert result.returncode == 1
    assert re.search(r"^broken +\d+  FAILED$", result.stdout, re.MULTILINE)
    assert re.search(r"^unit +\d+  passed$", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1] == "2 passed, 1 failed"


def test_what_failed_is_said_again_where_the_run_ends(fake_make: dict[str, str]) -> None:
    end = steps(fake_make, "broken", "unit").stdout.splitlines()[-12:]
    assert end[end.index("── broken FAILED") + 1].strip() == "FAILED tests/a.py::test_b - it is broken"


def test_a_run_ends_with_a_table_of_times_and_a_plain_line(fake_make: dict[str, str]) -> None:
    result = steps(fake_make, "lint", "unit")
    assert result.returncode == 0
    assert re.search(r"^step +seconds +result$", result.stdout, re.MULTILINE)
    assert re.search(r"^all +\d+$", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1] == "2 passed, 0 failed"


def test_ansible_test_that_finds_nothing_to_test_has_failed(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "ansible-test"
    program.write_text("#!/bin/sh\necho 'WARNING: All targets skipped.' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    search = f"{tmp_path}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": search}
    script = str(ROOT / "tools" / "ansible-test.sh")
    command = [script, str(tmp_path), str(tmp_path / "home"), "sanity"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "found nothing to test" in result.stderr


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a copy without .git has nothing to stage from")
def test_a_staged_copy_holds_the_collection_and_nothing_ignored(tmp_path: pathlib.Path) -> None:
    destination = tmp_path / "ansible_collections" / "wmx" / "llm_platform"
    command = [sys.executable, str(ROOT / "tools" / "stage.py"), str(destination)]
    subprocess.run(command, check=True, timeout=60)
    assert (destination / "galaxy.yml").is_file()
    assert (destination / ".ansible-lint").is_file()
    assert not [name for name in (".git", ".venv", ".cache", "build", "evidence") if (destination / name).exists()]


FINDING = {"check_id": "CKV_1", "check_name": "Do not", "resource": "Pod.a.b", "file_path": "/x.yml"}


def check_tree(tmp_path: pathlib.Path, answer: str, exceptions: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The tool with a checkov that answers as told."""
    program = tmp_path / "checkov"
    (tmp_path / "answer").write_text(answer, encoding="utf-8")
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/answer"\nexit {code}\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "exceptions.yml").write_text(exceptions, encoding="utf-8")
    command = [sys.executable, str(ROOT / "tools" / "check_tree.py"), str(program), str(tmp_path)]
    command.append(str(tmp_path / "exceptions.yml"))
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def answer(*failed: dict[str, str], objects: int = 3) -> str:
    return json.dumps({"summary": {"resource_count": objects}, "results": {"failed_checks": list(failed)}})


def excuse(check: str, pattern: str, reason: str) -> str:
    return f"exceptions:\n  - {{check: {check}, object: '{pattern}', reason: '{reason}'}}\n"


NONE = "exceptions: []\n"


@pytest.mark.parametrize(
    ("given", "exceptions", "code", "line"),
    [
        (answer(), NONE, 0, "checkov looked at 3 objects: 0 findings, 0 problems"),
        (answer(FINDING), NONE, 1, "checkov: /x.yml: Pod.a.b: Do not (CKV_1)"),
        (answer(FINDING), excuse("CKV_1", "Pod.a.*", "why"), 0, "checkov looked at 3 objects: 1 findings, 0 problems"),
        (answer(FINDING), excuse("CKV_2", "Pod.a.*", "why"), 1, "checkov: /x.yml: Pod.a.b: Do not (CKV_1)"),
        (
            answer(FINDING),
            excuse("CKV_1", "Pod.a.*", " "),
            1,
            "checkov: the exception from CKV_1 for Pod.a.* has no reason",
        ),
        (
            answer(),
            excuse("CKV_1", "Pod.a.*", "why"),
            1,
            "checkov: the exception from CKV_1 for Pod.a.* excuses nothing; remove it",
        ),
    ],
)
def test_a_finding_fails_unless_an_exception_with_a_reason_excuses_it(
    tmp_path: pathlib.Path, given: str, exceptions: str, code: int, line: str
) -> None:
    result = check_tree(tmp_path, given, exceptions)
    assert line in result.stdout.splitlines(), result.stdout + result.stderr
    assert result.returncode == code


@pytest.mark.parametrize(
    ("given", "code"),
    [("", 0), ("Traceback", 2), (answer(), 1), (answer(objects=0), 0), ('{"passed": 0, "resource_count": 0}', 0)],
)
def test_a_checkov_that_did_not_judge_is_a_failure(tmp_path: pathlib.Path, given: str, code: int) -> None:
    result = check_tree(tmp_path, given, NONE, code)
    assert result.returncode == 1
    assert "ended with" in result.stdout
