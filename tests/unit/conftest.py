# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What unit tests share: hostile strings, and the same examples in every run."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from hypothesis import HealthCheck, configuration, settings

# Before any test imports ours: what was imported as a plain package has no filters that a template finds.
try:
    from ansible.plugins.loader import init_plugin_loader
    from ansible.utils.collection_loader import AnsibleCollectionConfig
except ImportError:  # ansible-test brings a loader of its own, and of ansible-core only what modules may use
    pass
else:
    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader([])

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The same examples in every run; what is found belongs into a test of its own. How long one takes says nothing here: a
# machine that is busy with something else would fail a test that has nothing wrong.
configuration.set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
settings.register_profile(
    "repository", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repository")

# What YAML, Jinja, JSON or a shell could take for something else than text.
HOSTILE: t.Final[tuple[str, ...]] = (
    "yes",
    "no",
    "null",
    "~",
    "",
    "1e3",
    "0o17",
    "017",
    "1_000",
    "12:30:45",
    "2001-12-14",
    ".inf",
    "<<",
    "=",
    "a: b",
    "- a",
    "? a",
    "a #b",
    "#",
    "&a",
    "*a",
    "!!python/object/apply:os.system ['false']",
    "%YAML",
    "@a",
    "`a`",
    "---",
    "...",
    "\n---\nkind: Secret\n",
    "{{ lookup('ansible.builtin.pipe', 'false') }}",
    "{% raw %}",
    "{#",
    "{}",
    "[1, 2",
    "'",
    '"',
    '"}, {"a": "b',
    "\\",
    "\\u0041",
    "$(HOME)",
    "a\nb\n",
    " leading",
    "trailing ",
    "\ttab",
    "\r\n",
    "\u0085\u2028\ufeff",
    "gr\u00fc\u00df \U0001f600",
    "x" * 300,
)


@pytest.fixture(scope="session")
def hostile_strings() -> tuple[str, ...]:
    """All of them, for a test that can check them in one go."""
    return HOSTILE


@pytest.fixture(params=HOSTILE, ids=ascii)
def hostile(request: pytest.FixtureRequest) -> str:
    return t.cast("str", request.param)
