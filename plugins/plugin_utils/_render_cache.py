# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Compiles each Jinja text once, however often it is rendered. Private to the collection."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

import jinja2

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# The lexer stands for every setting that decides what a text means.
Compiled = dict[tuple[object, str], t.Any]


@contextmanager
def compiled_once(known: Compiled) -> Iterator[None]:
    """Inside, texts without a file name are compiled at their first use and remembered in `known`.

    Ansible compiles a variable's template each time the variable is read. A role with fifty computed variables and two
    models compiles them a hundred times over, which is nearly all the time that rendering takes.
    """
    original = jinja2.Environment.compile

    def compile_once(self: jinja2.Environment, source: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        if arguments or options or not isinstance(source, str):
            return original(self, source, *arguments, **options)
        key = (self.lexer, str(source))
        if key not in known:
            known[key] = original(self, source)
        return known[key]

    jinja2.Environment.compile = compile_once  # type: ignore[method-assign]
    try:
        yield
    finally:
        jinja2.Environment.compile = original  # type: ignore[method-assign]
