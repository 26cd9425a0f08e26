"""Predicted atypicality: a section of the group report, and a track of each recording in the participant report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from features.facs import action_name
from tasks.reports.atypicality_inputs import AtypicalityTables, AtypicalityTrack
from tasks.reports.blocks import Absent, Block, Cell, Charts, Findings, Heading, Table, Text, number_cell, numeric
from tasks.reports.figures import (
    BLACK,
    GROUP_SYMBOLS,
    LINES,
    Chart,
    Drawing,
    add_interval_points,
    add_reference_line,
    list_rows_from_top,
    make_chart,
    new_figure,
    rounded,
)
from tasks.reports.formatting import estimate, is_missing, listing, number, plural
from tasks.reports.pages import absent_reason
from tasks.reports.timelines import Timeline, finish_chart, start_chart

_LABELS: Final = {
    "gru": "GRU",
    "bilstm": "BiLSTM",
    "median": "Constant: median",
    "mean": "Constant: mean",
    "ridge": "Ridge regression",
    "boosting": "Gradient boosting",
}
_NETWORKS: Final = ("gru", "bilstm")
_BASELINES: Final = ("ridge", "boosting")
_MEASURES: Final = (
    ("mse", "MSE", "Mean squared error, points squared; the constant beside it is the training mean"),
    ("mae", "MAE", "Mean absolute error, points; the constant beside it is the training median"),
    ("rmse", "RMSE", "Root of the mean squared error, points"),
    ("mape", "MAPE", "Mean absolute error as a fraction of the rating"),
    ("pearson", "Pearson r", "Correlation of prediction and mean of the judges"),
    ("ccc", "CCC", "Concordance correlation coefficient (Lin)"),
    ("icc", "ICC(2,1)", "Absolute agreement of prediction and mean of the judges"),
)
_MOST_UNITS: Final = 15

NOT_MEANT: Final = (
    "What this is not: a measure of autism, of a person, or of how an expression felt. It says how far a computer can tell, from "
    "action units alone, what these judges said of these segments; judges' ratings carry their own notions of what is typical. "
    "Importance says what the networks hang on, not what causes a rating, and units that move together share it."
)


def describe_atypicality(tables: AtypicalityTables) -> list[Block]:
    """Blocks of the section on predicted atypicality of the group report."""
    performance = tables.performance
    if performance is None or performance.empty:
        return [Absent(absent_reason(tables.problem))]
    blocks: list[Block] = [Findings(_find(performance, tables)), _tabulate(performance)]
    charts = []
    if tables.signals is not None and len(tables.signals):
        charts.append(_draw_importance(tables.signals))
    if tables.moments is not None and len(tables.moments):
        charts.append(_draw_moments(tables.moments))
    if charts:
        blocks.append(Charts(charts, columns=min(len(charts), 2)))
    return [*blocks, Text(NOT_MEANT)]


def _find(performance: pd.DataFrame, tables: AtypicalityTables) -> list[str]:
    errors = performance[performance["measure"] == "mse"].set_index("model")
    networks = [name for name in _NETWORKS if name in errors.index]
    better = [name for name in networks if errors.loc[name, "verdict"] == "better than the constant"]
    findings = [_judge_networks(networks, better)]
    findings += [_compare(errors, name) for name in networks]
    findings += _compare_baselines(errors, networks)
    findings += _compare_planted(tables)
    if (performance["protocol"] == "as_published").any():
        findings.append(
            "Made by the published protocol: ratings are cut to whole numbers, and schedule and epoch are chosen on those who "
            "are tested. Every number above is optimistic, the comparison with the constant included."
        )
    row = errors.iloc[0]
    findings.append(
        f"{plural(int(row['n_participants']), 'participant')}, {plural(int(row['n_windows']), 'window')}, "
        f"{plural(int(row['n_repeats']), 'repeat')} of the cross-validation; no participant is in training and test at once."
    )
    return findings + _describe_gaps(tables)


def _judge_networks(networks: Sequence[str], better: Sequence[str]) -> str:
    if not better:
        return (
            "The networks do not beat a constant: the interval of no network's gain excludes 0. That is a result too."
        )
    names = listing(_LABELS[name] for name in better)
    rest = [_LABELS[name] for name in networks if name not in better]
    ending = f"; {listing(rest)} {'does' if len(rest) == 1 else 'do'} not" if rest else ""
    return f"{names} {'beats' if len(better) == 1 else 'beat'} a constant prediction{ending}."


def _compare(errors: pd.DataFrame, name: str) -> str:
    row = errors.loc[name]
    gain = estimate(row["less_constant"], row["less_constant_low"], row["less_constant_high"], 3)
    return (
        f"{_LABELS[name]}: mean squared error {estimate(row['estimate'], row['ci_low'], row['ci_high'], 3)}; less that of the "
        f"training mean: {gain} ({row['verdict']})."
    )


def _compare_baselines(errors: pd.DataFrame, networks: Sequence[str]) -> list[str]:
    simple = errors.loc[[name for name in _BASELINES if name in errors.index], "estimate"]
    if not len(simple) or not networks:
        return []
    own = errors.loc[list(networks), "estimate"]
    best, network = str(simple.idxmin()), str(own.idxmin())
    relation = "lower than" if simple.min() < own.min() else "not lower than"
    text = (
        f"{_LABELS[best]} on statistics of the same windows has {number(simple.min(), 3)}, {relation} the best network "
        f"({_LABELS[network]}, {number(own.min(), 3)})."
    )
    return [text]


def _compare_planted(tables: AtypicalityTables) -> list[str]:
    """Of a rendered study: the relation by which ratings were drawn, beside what the networks hang on."""
    if not tables.planted or tables.signals is None:
        return []
    means = tables.signals.groupby("signal")[["importance", "direction"]].mean()
    ranks, directions = means["importance"].rank(ascending=False), means["direction"]
    parts = []
    for name, weight in tables.planted.items():
        if name not in means.index:
            parts.append(f"{name} with weight {number(weight, 1, signed=True)}, not among the inputs")
            continue
        same = directions[name] * weight > 0
        parts.append(
            f"{name} with weight {number(weight, 1, signed=True)}, found at rank {ranks[name]:.0f} of {len(means)} with "
            f"{'the same' if same else 'the opposite'} direction"
        )
    return [f"Planted in the ratings of the rendered participants: {'; '.join(parts)}."]


def _describe_gaps(tables: AtypicalityTables) -> list[str]:
    found = []
    if tables.segments is not None:
        counts = tables.segments["status"].value_counts()
        left_out = {str(name): int(count) for name, count in counts.items() if name != "used"}
        if left_out:
            reasons = listing(f"{name} ({count})" for name, count in left_out.items())
            found.append(
                f"{sum(left_out.values())} of {plural(len(tables.segments), 'rated segment')} left out: {reasons}. "
                "desc-segments_atypicality lists them."
            )
    if tables.folds is not None and "one_group" in tables.folds:
        count = tables.folds[tables.folds["one_group"]].groupby(["repeat", "fold"]).ngroups
        if count:
            found.append(f"In {plural(count, 'fold')} all who are tested are of one group.")
    return found


def _tabulate(performance: pd.DataFrame) -> Table:
    rows = {(row["model"], row["measure"]): row for row in performance.to_dict("records")}
    models = [name for name in _LABELS if (name, "mse") in rows]
    cells = []
    for model in models:
        verdict = str(rows[model, "mse"]["verdict"])
        line = [Cell(_LABELS[model], detail="" if verdict == "n/a" else verdict)]
        for measure, _, _ in _MEASURES:
            row = rows[model, measure]
            spread = f"; SD {number(row['sd_repeats'], 3)}" if not is_missing(row["sd_repeats"]) else ""
            detail = "" if is_missing(row["ci_low"]) else f"[{number(row['ci_low'])}, {number(row['ci_high'])}]{spread}"
            line.append(number_cell(number(row["estimate"], 3), row["estimate"], detail=detail))
        cells.append(line)
    headings = [Heading("Model"), *(numeric(text, hint) for _, text, hint in _MEASURES)]
    note = (
        "Under a model: its MSE beside that of the constant. "
        "Pooled over all tested windows, mean over repeats; in brackets the interval over resampled participants, SD the spread "
        "over repeats. A dash: not defined, as for correlations of a constant."
    )
    return Table("atypicality-models", "Predicted against judged atypicality", headings, cells, note=note)


def _draw_importance(signals: pd.DataFrame) -> Chart:
    models = [name for name in _NETWORKS if name in set(signals["model"])]
    ranks = signals.groupby("signal")["importance"].mean().sort_values(ascending=False)
    shown = [str(name) for name in ranks.index[:_MOST_UNITS]]
    figure = new_figure(top=26, bottom=44, legend=True)
    for number_of, model in enumerate(models):
        own = signals[signals["model"] == model].set_index("signal").loc[shown]
        add_interval_points(
            figure,
            labels=shown,
            values=list(own["importance"]),
            low=list(own["importance_low"]),
            high=list(own["importance_high"]),
            colour=LINES[number_of],
            symbol=GROUP_SYMBOLS[number_of % 2],
            name=_LABELS[model],
            hover=[
                f"{name} ({action_name(str(name))}), {_LABELS[model]}: {number(row['importance'], 3)}; "
                f"prediction {number(row['direction'], 2, signed=True)} from its low to its high value"
                for name, row in own.iterrows()
            ],
        )
    add_reference_line(figure, 0.0)
    list_rows_from_top(figure, shown)
    figure.x_axis(title="Growth of the squared error when the unit is shuffled")
    directions = signals.groupby("signal")["direction"].mean()
    top = listing(
        f"{name} ({'raises' if directions[name] > 0 else 'lowers'} the prediction by {number(abs(directions[name]))})"
        for name in shown[:3]
    )
    return make_chart(
        figure,
        name="atypicality-importance",
        title="Which action units the prediction hangs on",
        alternative=f"Most: {top}.",
        caption="Mean over tested participants with its 95% interval. Direction: from the unit's low to its high value.",
        height=96 + 24 * len(shown),
    )


def _draw_moments(moments: pd.DataFrame) -> Chart:
    figure = new_figure(top=26, bottom=44, left=48, legend=True)
    models = [name for name in _NETWORKS if name in set(moments["model"])]
    peaks = []
    for number_of, model in enumerate(models):
        own = moments[moments["model"] == model].sort_values("position")
        figure.add(
            "scatter",
            x=[int(value) + 1 for value in own["position"]],
            y=rounded(own["change"]),
            mode="lines+markers",
            name=_LABELS[model],
            line={"color": LINES[number_of], "width": 1.6},
            marker={"symbol": GROUP_SYMBOLS[number_of % 2], "size": 6},
            hovertemplate=_LABELS[model] + ": frame %{x}, %{y:.3f} points<extra></extra>",
        )
        peaks.append(f"{_LABELS[model]}: frame {int(own['position'].iloc[int(own['change'].argmax())]) + 1}")
    figure.x_axis(title="Frame of the window that shows the average face")
    figure.y_axis(title="Mean change of the prediction, points", rangemode="tozero")
    return make_chart(
        figure,
        name="atypicality-moments",
        title="Which moments of a window the prediction hangs on",
        alternative=f"Largest change, of {int(moments['position'].max()) + 1} frames: {listing(peaks)}.",
        caption="A network reads its window from first to last frame; late frames may count more for that alone.",
        height=330,
    )


def draw_track(timeline: Timeline, track: AtypicalityTrack | None) -> list[Chart]:
    """Predicted atypicality along a recording, with its spread over repeats and the judges' means; none without a prediction."""
    if track is None or track.frames.empty:
        return []
    figure = start_chart(timeline, rows=190, legend=True)
    times = timeline.frames.set_index("frame")["time_s"]
    rate = _bins_of(timeline)
    means, spreads = [], []
    for number_of, model in enumerate(name for name in _NETWORKS if name in set(track.frames["model"])):
        own = track.frames[track.frames["model"] == model].set_index("frame").reindex(times.index)
        binned = own[["prediction", "sd_repeats"]].groupby(rate).mean().reindex(range(len(timeline.binned)))
        _add_track(figure, timeline, binned, _LABELS[model], LINES[number_of])
        means.append(f"{_LABELS[model]} {number(own['prediction'].mean())}")
        spreads.append(own["sd_repeats"].mean())
    judged = _add_judges(figure, track.segments, times)
    figure.lay_out(yaxis={"range": [0.9, 5.1], "dtick": 1})
    spread = np.nanmean(spreads) if np.isfinite(spreads).any() else np.nan
    uncertainty = (
        "One repeat: there is no spread to show."
        if is_missing(spread)
        else f"Band: plus and minus the standard deviation over repeats, {number(spread)} on average."
    )
    rated = f" Judges' mean over {plural(judged, 'rated segment')}." if judged else " No segment was rated."
    chart = finish_chart(
        figure,
        timeline,
        name="atypicality",
        title="Predicted atypicality",
        alternative=f"Mean prediction: {listing(means)}.{rated}",
        caption=f"1 natural to 5 highly atypical; by networks that have not seen this participant. {uncertainty} "
        "A prediction of what these judges would say, not a measure of the person.",
        rows=190,
        legend=True,
    )
    return [chart]


def _bins_of(timeline: Timeline) -> np.typing.NDArray[np.int64]:
    """Number of the time bin of each frame, as the other charts of the recording have them."""
    times = timeline.frames["time_s"].to_numpy(dtype=np.float64)
    bins = ((times - times[0]) / timeline.bin_s + 1e-9).astype(np.int64)
    return np.asarray(np.clip(bins, 0, len(timeline.binned) - 1))


def _add_track(figure: Drawing, timeline: Timeline, binned: pd.DataFrame, name: str, colour: str) -> None:
    times, spread = timeline.binned["time_s"], binned["sd_repeats"]
    for low in (True, False) if spread.notna().any() else ():
        figure.add(
            "scatter",
            x=rounded(times),
            y=rounded(binned["prediction"] + (-spread if low else spread)),
            mode="lines",
            line={"width": 0, "color": colour},
            fill=None if low else "tonexty",
            fillcolor=None if low else f"{colour}30",
            showlegend=False,
            hoverinfo="skip",
            connectgaps=False,
        )
    figure.add(
        "scatter",
        x=rounded(times),
        y=rounded(binned["prediction"]),
        mode="lines",
        name=name,
        line={"color": colour, "width": 1.6},
        connectgaps=False,
        hovertemplate=name + " %{y:.2f} at %{x:.1f} s<extra></extra>",
    )


def _add_judges(figure: Drawing, segments: pd.DataFrame, times: pd.Series) -> int:
    """Add the judges' means as level lines; gives the number of segments."""
    rated = segments[segments["mean"].notna() & segments["start_frame"].isin(times.index)]
    if rated.empty:
        return 0
    x: list[float | None] = []
    y: list[float | None] = []
    for row in rated.to_dict("records"):
        inside = times[(times.index >= row["start_frame"]) & (times.index <= row["end_frame"])]
        x += [*rounded([inside.iloc[0], inside.iloc[-1]]), None]
        y += [*rounded([row["mean"], row["mean"]]), None]
    figure.add(
        "scatter",
        x=x,
        y=y,
        mode="lines",
        name="judges",
        line={"color": BLACK, "width": 2.5, "dash": "dot"},
        hovertemplate="judges %{y:.2f}<extra></extra>",
    )
    return len(rated)
