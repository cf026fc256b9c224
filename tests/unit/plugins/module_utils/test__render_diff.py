# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from ansible_collections.wmx.llm_platform.plugins.module_utils._render_diff import diff_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import FileChange
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import dump

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
PATH = "serving/demo/core.Secret.ns.s.yml"


def test_the_values_of_a_secret_show_only_whether_they_change() -> None:
    before = dump(SECRET | {"data": {"same": "c2FtZQ==", "new": "b2xk", "gone": "Z29uZQ=="}})
    after = dump(SECRET | {"data": {"same": "c2FtZQ==", "new": "bmV3"}})
    (shown,) = diff_of([FileChange(PATH, before, after)])
    text = str(shown)
    assert not any(value in text for value in ("c2FtZQ==", "b2xk", "bmV3", "Z29uZQ=="))
    assert "same: <masked>" in shown["before"].replace('"', "")
    assert "new: <masked, before>" in shown["before"].replace('"', "")
    assert "new: <masked, after>" in shown["after"].replace('"', "")
    assert "gone" not in shown["after"]


def test_a_file_that_is_new_or_gone_has_one_empty_side() -> None:
    config = "serving/demo/core.ConfigMap.ns.c.yml"
    shown = diff_of(
        [FileChange(config, None, "a: 1\n"), FileChange(PATH, dump(SECRET), None), FileChange("x/y/stray", "s", None)]
    )
    assert [(entry["before"], entry["after"]) for entry in shown] == [("", "a: 1\n"), (dump(SECRET), ""), ("s", "")]
