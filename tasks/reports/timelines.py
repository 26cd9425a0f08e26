"""A recording along its time: coverage, action units, expressions, arousal and valence, head pose.

Traces are means over time bins, at most `MAX_POINTS` of them; a bin without a valid frame is empty, and nothing is drawn
across it. Coverage is drawn from the runs of frames themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.facs import AROUSAL, EXPRESSION_COLUMNS, VALENCE
from features.frame_table import INVALID_REASONS, POSE
from tasks.reports.figures import (
    BLUE,
    EXPRESSION_COLOURS,
    GREEN,
    MUTED,
    NEUTRAL,
    REASON_COLOURS,
    SEQUENTIAL,
    VERMILION,
    Chart,
    Drawing,
    make_chart,
    new_figure,
    rounded,
)
from tasks.reports.formatting import LANE_LABELS, REASON_LABELS, chart_text, listing, number, percent

MAX_POINTS: Final = 600
_LEFT: Final = 92  # pixels for row labels: the same in every timeline, so that times stand above each other
_SEGMENT_TINTS: Final = ("#e9eef2", "#f6f8fa")
_LANE_PX: Final = 22
_LANES: Final = {"ticks": "", "showgrid": False, "showline": False}
_TIME_AXIS: Final = {"showgrid": False, "fixedrange": False, "automargin": False}
_ZERO: Final = {"zeroline": True, "zerolinecolor": NEUTRAL}


@dataclass(frozen=True, slots=True)
class Timeline:
    """One recording, ready to draw.

    Attributes
    ----------
    key
        Prefix of chart identifiers; charts of one recording zoom together.
    frames
        Frame table in order of time.
    binned
        `time_s` (middle of the bin), `start_s`, and the mean of every numeric column over the bin's frames.
    end_s
        End of the recording, seconds.
    events
        `onset`, `duration`, `trial_type`; empty where the stimulus has no segments.
    bin_s
        Width of a bin, seconds.
    """

    key: str
    frames: pd.DataFrame
    binned: pd.DataFrame
    end_s: float
    events: pd.DataFrame
    bin_s: float


def prepare_timeline(frames: pd.DataFrame, events: pd.DataFrame | None, *, key: str) -> Timeline:
    """Sort and bin a frame table.

    Parameters
    ----------
    frames
        Frame table of one recording with at least one row.
    events
        Stimulus segments, or None.
    key
        Prefix of chart identifiers.
    """
    ordered = frames.sort_values("frame").reset_index(drop=True)
    start, end = float(ordered["time_s"].iloc[0]), frame_ends(ordered["time_s"])[-1]
    segments = pd.DataFrame(columns=["onset", "duration", "trial_type"]) if events is None else events
    segments = segments.dropna(subset=["onset", "duration"])
    n_bins = max(min(MAX_POINTS, len(ordered)), 1)
    width = max((end - start) / n_bins, 1e-6)
    return Timeline(
        key, ordered, bin_frames(ordered, n_bins=n_bins, start_s=start, width_s=width), end, segments, width
    )


def frame_ends(times: pd.Series) -> npt.NDArray[np.float64]:
    """End of each frame in seconds: the time of the next one; the last lasts a median interval."""
    values = times.to_numpy(dtype=np.float64)
    steps = np.diff(values)
    return np.append(values[1:], values[-1] + (float(np.median(steps)) if len(steps) else 0.0))


def bin_frames(frames: pd.DataFrame, *, n_bins: int, start_s: float, width_s: float) -> pd.DataFrame:
    """Mean of each numeric column over equal bins of time; NaN where a bin has no value.

    Parameters
    ----------
    frames
        Frame table; signals are null in frames that are not valid, so these do not enter a mean.
    n_bins
        Number of bins.
    start_s, width_s
        Start of the first bin and width of all, in seconds.

    Returns
    -------
    DataFrame
        `n_bins` rows: `time_s`, `start_s`, and the numeric columns of `frames`.
    """
    times = frames["time_s"].to_numpy(dtype=np.float64)
    index = np.clip(((times - start_s) / width_s + 1e-9).astype(np.int64), 0, n_bins - 1)
    numeric = frames.select_dtypes("number").drop(columns=["frame", "time_s"])
    means = numeric.groupby(index).mean().reindex(range(n_bins))
    starts = start_s + width_s * np.arange(n_bins)
    return means.assign(start_s=starts, time_s=starts + width_s / 2)


def find_runs(frames: pd.DataFrame, *, merge_s: float = 0.0) -> pd.DataFrame:
    """Runs of consecutive frames with the same `invalid_reason`.

    Parameters
    ----------
    frames
        Frame table in order of time.
    merge_s
        Runs of the same reason that are less than this many seconds apart are drawn as one.

    Returns
    -------
    DataFrame
        `reason`, `start_s`, `end_s`, in order of start within each reason.
    """
    reason = frames["invalid_reason"].astype(str)
    run = (reason != reason.shift()).cumsum()
    ends = pd.Series(frame_ends(frames["time_s"]), index=frames.index)
    runs = pd.DataFrame(
        {
            "reason": reason.groupby(run).first(),
            "start_s": frames["time_s"].groupby(run).min(),
            "end_s": ends.groupby(run).max(),
        }
    ).sort_values(["reason", "start_s"], ignore_index=True)
    if merge_s <= 0:
        return runs
    apart = (runs["reason"] != runs["reason"].shift()) | (runs["start_s"] - runs["end_s"].shift() >= merge_s)
    merged = runs.groupby(apart.cumsum()).agg(
        reason=("reason", "first"), start_s=("start_s", "min"), end_s=("end_s", "max")
    )
    return merged.reset_index(drop=True)


def draw_coverage(timeline: Timeline) -> Chart:
    """Lanes of valid frames and of each reason for invalid ones."""
    runs = find_runs(timeline.frames)
    if len(runs) > MAX_POINTS:
        runs = find_runs(timeline.frames, merge_s=timeline.bin_s)
    counts = timeline.frames["invalid_reason"].value_counts(normalize=True)
    lanes = [reason for reason in INVALID_REASONS if reason in counts.index]
    figure = start_chart(timeline, rows=len(lanes) * _LANE_PX)
    for reason in lanes:
        part = runs[runs["reason"] == reason]
        label = REASON_LABELS[reason]
        figure.add(
            "bar",
            y=[LANE_LABELS[reason]] * len(part),
            base=rounded(part["start_s"]),
            x=rounded(part["end_s"] - part["start_s"]),
            orientation="h",
            width=0.74,
            marker={"color": REASON_COLOURS[reason], "line": {"width": 0}},
            hovertemplate=label + ": %{base:.1f} s to %{x:.1f} s<extra></extra>",
        )
    order = [LANE_LABELS[reason] for reason in lanes][::-1]
    figure.lay_out(yaxis={"type": "category", "categoryorder": "array", "categoryarray": order, **_LANES})
    lost = [f"{REASON_LABELS[reason]} {percent(counts[reason], 1)}" for reason in lanes if reason != "ok"]
    return finish_chart(
        figure,
        timeline,
        name="coverage",
        title="Coverage",
        alternative=f"{percent(counts.get('ok', 0.0))} of {len(timeline.frames):,} frames are valid"
        + (f"; the rest: {listing(lost)}." if lost else "."),
        caption="",
        rows=len(lanes) * _LANE_PX,
    )


def draw_action_units(timeline: Timeline, aus: Sequence[str]) -> Chart:
    """Heat map of the probabilities of the action units; white where nothing was measured."""
    figure = start_chart(timeline, rows=len(aus) * _LANE_PX)
    figure.add(
        "heatmap",
        z=[rounded(timeline.binned[au]) for au in aus],
        x=rounded(timeline.binned["time_s"]),
        y=list(aus),
        zmin=0,
        zmax=1,
        colorscale=SEQUENTIAL,
        hoverongaps=False,
        hovertemplate="%{y} at %{x:.1f} s: %{z:.2f}<extra></extra>",
        showscale=False,
        ygap=2,
    )
    figure.lay_out(yaxis={"autorange": "reversed", "dtick": 1, **_LANES})
    active = (timeline.frames[list(aus)] > 0.5).sum() / max(int(timeline.frames["valid"].sum()), 1)
    top = active.sort_values(ascending=False).head(3)
    return finish_chart(
        figure,
        timeline,
        name="units",
        title="Action units, probability",
        alternative=f"Most often above 0.5: "
        f"{listing(f'{au} ({percent(value)} of valid frames)' for au, value in top.items())}.",
        caption="Pale: near 0; dark blue: near 1. White: not measured.",
        rows=len(aus) * _LANE_PX,
    )


def draw_expressions(timeline: Timeline) -> Chart:
    """Stacked areas of the expression probabilities; they drop to nothing where nothing was measured."""
    figure = start_chart(timeline, rows=190, legend=True)
    measured = timeline.binned[EXPRESSION_COLUMNS[0]].notna().to_numpy()
    for column in EXPRESSION_COLUMNS:
        name = column.removeprefix("expr_")
        values = timeline.binned[column].to_numpy(dtype=np.float64)
        figure.add(
            "scatter",
            x=rounded(timeline.binned["start_s"]),
            y=rounded(np.where(measured, values, 0.0)),
            mode="lines",
            stackgroup="expressions",
            line={"width": 0, "color": EXPRESSION_COLOURS[name], "shape": "hv"},
            fillcolor=EXPRESSION_COLOURS[name],
            name=name,
            hovertemplate=name + " %{y:.2f}<extra></extra>",
        )
    figure.lay_out(yaxis={"range": [0, 1], "dtick": 0.5})
    means = timeline.frames[list(EXPRESSION_COLUMNS)].mean().sort_values(ascending=False).head(3)
    found = listing(f"{str(name).removeprefix('expr_')} ({number(value)})" for name, value in means.items())
    return finish_chart(
        figure,
        timeline,
        name="expressions",
        title="Expressions, probability",
        alternative=f"Highest mean probability: {found}.",
        caption="The probabilities of the eight classes sum to 1. Empty: not measured.",
        rows=190,
        legend=True,
    )


def draw_affect(timeline: Timeline) -> Chart:
    """Lines of arousal and valence."""
    figure = start_chart(timeline, rows=170, legend=True)
    _add_lines(figure, timeline, {AROUSAL: (AROUSAL, VERMILION, "solid"), VALENCE: (VALENCE, BLUE, "solid")}, digits=2)
    figure.lay_out(yaxis={"range": [-1.02, 1.02], "dtick": 0.5, **_ZERO})
    means = timeline.frames[[AROUSAL, VALENCE]].mean()
    return finish_chart(
        figure,
        timeline,
        name="affect",
        title="Arousal and valence",
        alternative=f"Mean arousal {number(means[AROUSAL])}, mean valence {number(means[VALENCE])}.",
        caption="Scale −1 to 1. Lines break where nothing was measured.",
        rows=170,
        legend=True,
    )


def draw_pose(timeline: Timeline, *, max_yaw_deg: float, max_pitch_deg: float) -> Chart:
    """Lines of the head's yaw, pitch and roll, in every frame with a face, also where it is turned too far."""
    figure = start_chart(timeline, rows=170, legend=True)
    styles = zip(
        POSE,
        ("turn (yaw)", "nod (pitch)", "tilt (roll)"),
        (BLUE, VERMILION, GREEN),
        ("solid", "solid", "dot"),
        strict=True,
    )
    _add_lines(figure, timeline, {column: (name, colour, dash) for column, name, colour, dash in styles}, digits=0)
    spread = float(np.nanmax(np.abs(timeline.binned[list(POSE)].to_numpy()), initial=0.0))
    limit = max(30.0, 10 * np.ceil(spread / 10))
    figure.lay_out(yaxis={"range": [-limit, limit], "ticksuffix": "°", **_ZERO})
    yaw = timeline.frames["yaw_deg"].abs()
    beyond = float((timeline.frames["invalid_reason"] == "extreme_pose").mean())
    return finish_chart(
        figure,
        timeline,
        name="pose",
        title="Head pose",
        alternative=f"Median turn {number(yaw.median(), 0)}° to either side; beyond the limits in "
        f"{percent(beyond, 1)} of frames.",
        caption=f"Positive: turned toward the right of the image, nodding upward, tilted clockwise. Frames beyond "
        f"{max_yaw_deg:.0f}° of turn or "
        f"{max_pitch_deg:.0f}° of nod are not valid but are drawn here.",
        rows=170,
        legend=True,
    )


def _add_lines(figure: Drawing, timeline: Timeline, styles: dict[str, tuple[str, str, str]], *, digits: int) -> None:
    for column, (name, colour, dash) in styles.items():
        if column in timeline.binned:
            figure.add(
                "scatter",
                x=rounded(timeline.binned["time_s"]),
                y=rounded(timeline.binned[column]),
                mode="lines",
                connectgaps=False,
                name=name,
                line={"color": colour, "width": 1.6, "dash": dash},
                hovertemplate=f"{name} %{{y:.{digits}f}} at %{{x:.1f}} s<extra></extra>",
            )


def start_chart(timeline: Timeline, *, rows: int, legend: bool = False) -> Drawing:
    """A figure with the recording's time axis and, above it, the lane of stimulus segments."""
    figure = new_figure(left=_LEFT, top=26 if legend else 6, bottom=40, legend=legend)
    lane = 18 / (rows + 22) if len(timeline.events) else 0.0
    start = float(timeline.frames["time_s"].iloc[0])
    figure.lay_out(
        yaxis={"domain": [0, 1 - (22 / (rows + 22) if lane else 0)], "automargin": False},
        xaxis={"range": [start, timeline.end_s], "title": {"text": "Time (s)"}, **_TIME_AXIS},
        dragmode="zoom",
        hovermode="closest",
        bargap=0,
        barmode="overlay",
    )  # fmt: skip
    if not lane:
        return figure
    figure.lay_out(
        yaxis2={"domain": [1 - lane, 1], "visible": False, "fixedrange": True, "range": [-0.5, 0.5], "anchor": "free"},
        uniformtext={"minsize": 9, "mode": "hide"},
    )
    _add_segments(figure, timeline.events)
    return figure


def _add_segments(figure: Drawing, events: pd.DataFrame) -> None:
    names = [chart_text(name) for name in events["trial_type"].fillna("")]
    figure.add(
        "bar",
        y=[0] * len(events),
        base=rounded(events["onset"]),
        x=rounded(events["duration"]),
        orientation="h",
        width=1,
        yaxis="y2",
        marker={"color": _SEGMENT_TINTS[0], "line": {"width": 0}},
        text=names,
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        textfont={"size": 11, "color": MUTED},
        showlegend=False,
        hovertemplate="%{text}: %{base:.1f} s to %{x:.1f} s<extra></extra>",
    )
    for row in events.itertuples():
        onset, length = float(row.onset), float(row.duration)  # type: ignore[arg-type]
        figure.add_shape(
            type="rect", x0=onset, x1=onset + length, y0=0, y1=1, yref="paper", layer="below",
            line={"width": 0}, fillcolor=_SEGMENT_TINTS[1],
        )  # fmt: skip


def finish_chart(
    figure: Drawing,
    timeline: Timeline,
    *,
    name: str,
    title: str,
    alternative: str,
    caption: str,
    rows: int,
    legend: bool = False,
) -> Chart:
    """Freeze a figure of `start_chart`, as high as its rows and what stands around them."""
    height = rows + (22 if len(timeline.events) else 0) + 46 + (20 if legend else 0)
    return make_chart(
        figure,
        name=f"{timeline.key}-{name}",
        title=title,
        alternative=alternative,
        caption=caption,
        height=height,
        zoom_group=timeline.key,
    )
