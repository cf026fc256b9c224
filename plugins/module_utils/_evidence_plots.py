# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Series of checks as SVG that sits in a page: its colours and fonts are the page's own. Private to the collection."""

from __future__ import annotations

import io
import re
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check

# Matplotlib knows no currentColor, so a colour that nothing else uses stands for it until the SVG is text.
_INK: t.Final = "#010203"
# Okabe and Ito's colours that are legible on white and on black and differ for colour-blind readers.
_COLOURS: t.Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

Draw = t.Callable[["Figure", t.Mapping[str, t.Any]], str]


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing and what it says in words."""

    check: str
    title: str
    text: str
    svg: str


def plots_of(checks: t.Iterable[Check]) -> list[Plot]:
    """Drawings of all series that we know how to draw; nothing when matplotlib is not installed."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        return []
    plots: list[Plot] = []
    for check in checks:
        for key, values in (check.get("series") or {}).items():
            if key not in _DRAWINGS or not any(values.values()):
                continue
            title, draw = _DRAWINGS[key]
            with rc_context(t.cast("t.Any", _style(key))):
                figure = Figure(figsize=(6.2, 2.9), layout="constrained")
                text = draw(figure, values)
                plots.append(Plot(check["id"], title, text, _svg(figure, f"plot{len(plots)}")))
    return plots


def _distribution(unit: str) -> Draw:
    def draw(figure: Figure, series: t.Mapping[str, t.Any]) -> str:
        axes = figure.add_subplot()
        sentences = []
        for name, values in series.items():
            if not values:
                continue
            axes.ecdf(values, label=f"{name} (n={len(values)})")
            sentences.append(
                f"{name}: median {_quantile(values, 0.5):.1f} ms, p95 {_quantile(values, 0.95):.1f} ms"
                f" of {len(values)} {unit}"
            )
        axes.set_xlabel("milliseconds")
        axes.set_ylabel(f"share of {unit}")
        axes.set_xlim(left=0)
        for share in (0.5, 0.95):
            axes.axhline(share, color=_INK, alpha=0.25, linewidth=0.8, linestyle=":")
        _legend(axes)
        return "; ".join(sentences)

    return draw


def _queue(figure: Figure, series: t.Mapping[str, t.Any]) -> str:
    panels = figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0]
    figure.set_figheight(2.9 + 1.6 * (len(series) - 1))
    sentences = []
    for axes, (name, samples) in zip(panels, series.items(), strict=True):
        at = [sample["seconds"] for sample in samples]
        for key in ("running", "waiting"):
            axes.step(at, [sample[key] for sample in samples], where="post", label=key)
        axes.set_ylabel(f"{name}\nrequests")
        axes.set_ylim(bottom=0)
        sentences.append(
            f"{name}: at most {max(sample['running'] for sample in samples):.0f} running"
            f" and {max(sample['waiting'] for sample in samples):.0f} waiting within {at[-1]:.1f} s"
        )
    panels[-1].set_xlabel("seconds")
    _legend(panels[0])
    return "; ".join(sentences)


def _delays(figure: Figure, series: t.Mapping[str, t.Any]) -> str:
    """One point for each replica: seconds are few, so each is shown."""
    axes = figure.add_subplot()
    sentences = []
    for place, (name, values) in enumerate(series.items()):
        axes.plot(values, [place] * len(values), "o", alpha=0.7)
        if values:
            sentences.append(f"{name}: {', '.join(f'{value:.1f}' for value in sorted(values))} s")
    axes.set_yticks(range(len(series)), list(series))
    axes.set_ylim(len(series) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds until each replica refused")
    return "; ".join(sentences)


def _dollars(figure: Figure, series: t.Mapping[str, t.Any]) -> str:
    axes = figure.add_subplot()
    bars = axes.barh(list(series), list(series.values()), color=_COLOURS[0], height=0.6)
    axes.bar_label(bars, [f" ${value:.8f}" for value in series.values()], color=_INK)
    axes.invert_yaxis()
    axes.margins(x=0.3)
    axes.set_xlabel("dollars")
    return "; ".join(f"{name}: ${value:.8f}" for name, value in series.items())


def _budget_use(figure: Figure, series: t.Mapping[str, t.Any]) -> str:
    """One bar an attack: what it cost really, of its budget."""
    axes = figure.add_subplot()
    figure.set_figheight(0.9 + 0.24 * len(series))
    names = list(series)[::-1]
    shares = [max(series[name]) for name in names]
    axes.barh(names, shares, height=0.62)
    axes.axvline(1.0, color=_INK, linewidth=1.0, linestyle="--")
    axes.set_xlim(0, max(1.15, *shares))
    axes.set_xlabel("share of the budget that was really spent")
    axes.tick_params(axis="y", length=0)
    most = max(names, key=lambda name: max(series[name]))
    return f"{len(names)} attacks; the most was spent by {most}: {max(series[most]):.0%} of its budget"


def _outage(figure: Figure, series: t.Mapping[str, t.Any]) -> str:
    panels = figure.subplots(len(series), 1, squeeze=False)[:, 0]
    figure.set_figheight(2.9 + 1.6 * (len(series) - 1))
    sentences = []
    for axes, (name, samples) in zip(panels, series.items(), strict=True):
        at = [sample["seconds"] for sample in samples]
        away = [sample["seconds"] for sample in samples if sample["away"]]
        for key in ("answered", "refused"):
            axes.step(at, [sample[key] for sample in samples], where="post", label=key)
        if away:
            axes.axvspan(away[0], away[-1] + 1, color=_INK, alpha=0.12, linewidth=0)
        axes.set_ylabel(f"without {name}\nrequests a second")
        axes.set_ylim(bottom=0)
        sentences.append(f"{name} was away for {len(away)} of {len(samples)} seconds")
    panels[-1].set_xlabel("seconds")
    _legend(panels[0])
    return "; ".join(sentences)


_DRAWINGS: t.Final[dict[str, tuple[str, Draw]]] = {
    "ttft_ms": ("Time to first token", _distribution("answers")),
    "itl_ms": ("Time between tokens", _distribution("gaps")),
    "queue": ("Requests running and waiting", _queue),
    "budget_use": ("What attacks got out of a budget", _budget_use),
    "outage": ("A tenant's requests while a datastore is away", _outage),
    "revoked_seconds": ("How long a key worked after it was taken away", _delays),
    "ledger_usd": ("The same money as each party counts it", _dollars),
}


def _quantile(values: t.Sequence[float], share: float) -> float:
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, labelcolor=_INK)


def _style(salt: str) -> dict[str, t.Any]:
    from cycler import cycler

    return {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=_COLOURS),
        "lines.linewidth": 1.8,
    }


def _svg(figure: Figure, prefix: str) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    # Matplotlib's own style would override the page's fonts.
    text = re.sub(r"font: (\d+(?:\.\d+)?)px [^;\"]*", r"font-size: \1px", text)
    # Several drawings in one page must not share ids.
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{prefix}-', text)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
