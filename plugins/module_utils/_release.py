# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Versions of releases as tags write them. Private to the collection."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+")
_HEAD = re.compile(r"[^\d]*(\d+(?:\.\d+)*)")


def version_of(tag: str) -> tuple[int, ...]:
    """The leading numbers of a tag: v1.108.7-rc.1 is (1, 108, 7); a suffix never makes a release look newer."""
    head = _HEAD.match(tag)
    return tuple(int(number) for number in _NUMBER.findall(head[1])) if head else ()


def has_since(version: tuple[int, ...], first_releases: tuple[str, ...]) -> bool:
    """Whether a release has what each line (major.minor) got with a first release: lines newer than all have it."""
    firsts = sorted(map(version_of, first_releases))
    of_line = [first for first in firsts if first[:2] == version[:2]]
    return version >= of_line[0] if of_line else version > firsts[-1]
