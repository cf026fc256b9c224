# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The evidence as one page for people: complete in itself, readable without network. Private to the collection."""

from __future__ import annotations

import typing as t
from datetime import datetime

try:
    import jinja2
    from markupsafe import Markup
except ImportError:  # said by render_page, so that the rest of the collection can be imported without it
    jinja2 = None  # type: ignore[assignment]

from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_plots import plots_of

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence import Document


class PageError(Exception):
    """The template cannot be rendered."""


def render_page(template: str, document: Document, simulations: t.Sequence[str] = ()) -> str:
    """The page; everything observed is text in it, whatever characters it has."""
    if jinja2 is None:
        raise PageError("the Python package Jinja2 is needed for the page; install it for the interpreter of this host")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    checks = document["checks"]
    # Only what we drew ourselves goes into the page as markup.
    plots = [
        {"check": plot.check, "title": plot.title, "text": plot.text, "svg": Markup(plot.svg)}  # noqa: S704
        for plot in plots_of(checks)
    ]
    try:
        return environment.from_string(template).render(
            evidence=document,
            failed=[check for check in checks if not check["ok"]],
            passed=[check for check in checks if check["ok"]],
            engines=document["versions"].get("engines") or {},
            simulations=list(simulations),
            plots=plots,
            series=any(check.get("series") for check in checks),
            started=_readable(document["started"]),
            duration=_duration(document["seconds"]),
        )
    except jinja2.TemplateError as exc:
        raise PageError(f"the template of the evidence page failed: {exc}") from exc


def _readable(started: str) -> str:
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return started
    return f"{moment:%d %B %Y, %H:%M} {moment.tzname() or ''}".strip()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
