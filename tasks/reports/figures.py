"""Charts of the reports: one theme, one way into the page, and a text alternative for each.

A chart stands in the page as JSON beside an empty ``<div>``; the page's script draws it with the copy of plotly.js that
lies beside the reports. Colours are those of Okabe & Ito; no reading depends on colour alone.

References
----------
.. [1] Okabe, M. & Ito, K. (2008). Color universal design: how to make figures and presentations that are friendly to
   colorblind people. https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.io

BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
PURPLE: Final = "#CC79A7"
BLACK: Final = "#000000"
INK: Final = "#1b2530"
MUTED: Final = "#52606d"
GRID: Final = "#e3e8ed"
NEUTRAL: Final = "#b3bcc5"

GROUP_COLOURS: Final = (BLUE, VERMILION)
"""Positive group, comparison group."""
GROUP_SYMBOLS: Final = ("circle", "square")
LINES: Final = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Seven lines that stay apart for colour-blind readers, together with `DASHES`."""
DASHES: Final = ("solid", "solid", "solid", "dash", "dash", "dash", "dot")

EXPRESSION_COLOURS: Final[dict[str, str]] = {
    "neutral": "#d5dbe1",
    "happy": YELLOW,
    "sad": BLUE,
    "surprise": SKY,
    "fear": PURPLE,
    "disgust": GREEN,
    "anger": VERMILION,
    "contempt": ORANGE,
}
REASON_COLOURS: Final[dict[str, str]] = {
    "ok": "#9fc5df",
    "no_face": "#333333",
    "low_score": ORANGE,
    "not_target": PURPLE,
    "too_small": GREEN,
    "extreme_pose": VERMILION,
    "blurred": YELLOW,
    "decode_error": "#8c6d46",
}
DIVERGING: Final = [[0.0, "#e8853d"], [0.25, "#f4c5a3"], [0.5, "#ffffff"], [0.75, "#abd1e8"], [1.0, "#52a3d3"]]
"""Negative (lower in the positive group) to positive; light enough at both ends for dark numbers."""
SEQUENTIAL: Final = [[0.0, "#f2f6f9"], [0.35, "#9cc6e0"], [0.7, "#2f83b8"], [1.0, "#08304f"]]

_AXIS: Final[dict[str, Any]] = {
    "gridcolor": GRID,
    "zeroline": False,
    "linecolor": NEUTRAL,
    "ticks": "outside",
    "tickcolor": NEUTRAL,
    "ticklen": 4,
    "automargin": True,
    "title": {"font": {"size": 12, "color": MUTED}, "standoff": 8},
    "fixedrange": True,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in the page.

    Attributes
    ----------
    id
        Identifier within the page.
    title
        What the chart shows.
    caption
        What it says: n, interval, and what a reader may take from it.
    alternative
        The finding in words, for readers who do not see the chart.
    spec
        The figure as JSON; ``<``, ``>`` and ``/`` are escaped, so it is safe within a script element.
    height
        Pixels.
    zoom_group
        Charts of the same group share the range of their horizontal axis.
    """

    id: str
    title: str
    caption: str
    alternative: str
    spec: str
    height: int
    zoom_group: str = ""


class Drawing:
    """Traces and layout of a chart, as plotly.js reads them.

    Plain dictionaries: validating figure objects took most of a report's time. The tests validate every chart of every page
    against plotly's schema.

    Attributes
    ----------
    traces
        Traces in drawing order.
    layout
        Layout.
    """

    def __init__(self, layout: Mapping[str, Any]) -> None:
        self.traces: list[dict[str, Any]] = []
        self.layout: dict[str, Any] = {}
        self.lay_out(**layout)

    def add(self, kind: str, **values: Any) -> None:
        """Add a trace of the type `kind`; values that are None are left out."""
        self.traces.append({"type": kind} | {name: value for name, value in values.items() if value is not None})

    def lay_out(self, **values: Any) -> None:
        """Set parts of the layout; dictionaries are merged with what is there."""
        _merge(self.layout, values)

    def x_axis(self, *, title: str = "", **values: Any) -> None:
        """Set parts of the horizontal axis."""
        self.lay_out(xaxis=values | ({"title": {"text": title}} if title else {}))

    def y_axis(self, *, title: str = "", **values: Any) -> None:
        """Set parts of the vertical axis."""
        self.lay_out(yaxis=values | ({"title": {"text": title}} if title else {}))

    def add_shape(self, **values: Any) -> None:
        """Add a shape behind the traces."""
        self.layout.setdefault("shapes", []).append({"layer": "below"} | values)

    def annotate(self, **values: Any) -> None:
        """Add a text without an arrow."""
        self.layout.setdefault("annotations", []).append({"showarrow": False} | values)

    def to_json(self) -> str:
        """The chart as JSON in which ``<``, ``>`` and ``/`` are escaped."""
        text = plotly.io.to_json({"data": self.traces, "layout": self.layout}, validate=False, engine="json")
        return str(text)


def _merge(target: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _merge(target.setdefault(name, {}), value)
        else:
            target[name] = value


def make_chart(
    figure: Drawing,
    *,
    name: str,
    title: str,
    caption: str,
    alternative: str,
    height: int,
    zoom_group: str = "",
) -> Chart:
    """Freeze a drawing as a `Chart`.

    Parameters
    ----------
    figure
        From `new_figure`.
    name
        Identifier within the page.
    title, caption, alternative, height, zoom_group
        As in `Chart`.
    """
    figure.lay_out(height=height)
    return Chart(name, title, caption, alternative, figure.to_json(), height, zoom_group)


def new_figure(*, left: int = 8, right: int = 12, top: int = 8, bottom: int = 40, legend: bool = False) -> Drawing:
    """An empty figure in the reports' theme; margins in pixels grow where labels need it."""
    return Drawing(
        {
            "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 12, "color": INK},
            "paper_bgcolor": "#ffffff",
            "plot_bgcolor": "#ffffff",
            "margin": {"l": left, "r": right, "t": top, "b": bottom, "pad": 0},
            "showlegend": legend,
            "legend": {
                "orientation": "h",
                "yanchor": "bottom",
                "y": 1.0,
                "xanchor": "left",
                "x": 0,
                "font": {"size": 12},
            },
            "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": NEUTRAL, "font": {"color": INK, "size": 12}},
            "dragmode": False,
            "xaxis": _AXIS,
            "yaxis": _AXIS,
        }
    )


def rounded(values: Iterable[Any], digits: int = 3) -> list[float | None]:
    """Numbers for JSON: rounded, None where they are missing."""
    array = np.asarray(list(values), dtype=np.float64)
    return [None if not np.isfinite(value) else round(float(value), digits) for value in array]


def add_interval_points(
    figure: Drawing,
    *,
    labels: Sequence[str],
    values: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    colour: str,
    symbol: str = "circle",
    name: str = "",
    filled: Sequence[bool] | None = None,
    hover: Sequence[str] | None = None,
) -> None:
    """Add points with horizontal intervals, one row a label.

    Parameters
    ----------
    figure
        Figure with a categorical vertical axis.
    labels
        Rows.
    values, low, high
        Estimates and the ends of their intervals; missing ends leave the point alone.
    colour, symbol, name
        Of the trace.
    filled
        Points to draw solid; the others are rings. All where None.
    hover
        Texts of the points.
    """
    points = np.asarray(values, dtype=np.float64)
    ends = np.asarray(high, dtype=np.float64) - points, points - np.asarray(low, dtype=np.float64)
    solid = filled if filled is not None else [True] * len(points)
    figure.add(
        "scatter",
        x=rounded(points),
        y=list(labels),
        error_x={
            "type": "data",
            "symmetric": False,
            "array": rounded(np.nan_to_num(ends[0])),
            "arrayminus": rounded(np.nan_to_num(ends[1])),
            "color": colour,
            "thickness": 1.5,
            "width": 0,
        },
        mode="markers",
        marker={
            "size": 9,
            "symbol": symbol,
            "color": [colour if fill else "#ffffff" for fill in solid],
            "line": {"color": colour, "width": 1.8},
        },
        name=name,
        text=list(hover) if hover is not None else None,
        hovertemplate="%{text}<extra></extra>" if hover is not None else None,
    )


def add_reference_line(figure: Drawing, x: float, label: str = "") -> None:
    """Add a dashed vertical line over the whole height, labelled at its top."""
    figure.add_shape(
        type="line",
        x0=x,
        x1=x,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": MUTED, "width": 1, "dash": "dash"},
    )
    if label:
        figure.annotate(x=x, y=1, yref="paper", text=label, yanchor="bottom", font={"size": 11, "color": MUTED})


def list_rows_from_top(figure: Drawing, labels: Sequence[str]) -> None:
    """Order the rows of a categorical vertical axis as they are given, the first at the top."""
    figure.y_axis(
        type="category",
        categoryorder="array",
        categoryarray=list(labels)[::-1],
        range=[-0.6, len(labels) - 0.4],
        gridcolor="#f0f3f6",
        ticks="",
        showline=False,
        tickmode="array",
        tickvals=list(labels),
    )
