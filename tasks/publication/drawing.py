"""How figures for print look and are written: one style, vector graphics, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.reports.figures import BLUE, INK, MUTED, VERMILION

COLOURS: Final = (BLUE, VERMILION)
MARKERS: Final = ("o", "s")
HATCHES: Final = ("", "////")
STYLE: Final[Any] = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "text.color": INK,
    "axes.labelcolor": INK,
    "svg.hashsalt": "facetrace",
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,
}


def make_panels(n: int, *, height: float, share_y: bool, columns: int = 4) -> tuple[Figure, list[Axes]]:
    """A figure with `n` panels, at most `columns` side by side; `height` in inches."""
    width = min(max(n, 1), columns)
    rows = -(-max(n, 1) // width)
    figure = Figure(figsize=(1.2 + 2.0 * width, height), layout="constrained")
    axes = figure.subplots(rows, width, sharey=share_y, squeeze=False).ravel()
    for axis in axes[n:]:
        axis.set_visible(False)
    return figure, list(axes[: max(n, 1)])[:n]


def draw_nothing(reason: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 1), layout="constrained")
        figure.text(0.5, 0.5, reason, ha="center", va="center", color=INK, wrap=True)
        return figure


def to_svg(figure: Figure, title: str) -> str:
    """The figure as an ``<svg>`` element with `title` as its text alternative, to stand in a page or a file."""
    text = _save(figure, "svg", {"Date": None, "Title": title}).decode()
    return text[text.index("<svg") :]


def to_pdf(figure: Figure, title: str) -> bytes:
    """The figure as a PDF without a date; its letters stay letters."""
    return _save(figure, "pdf", {"CreationDate": None, "Title": title})


def _save(figure: Figure, kind: str, metadata: Mapping[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format=kind, metadata=dict(metadata))
    return buffer.getvalue()
