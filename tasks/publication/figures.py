"""Figures of a comparison for print: vector graphics, colours that colour-blind readers tell apart, no reading by colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from tasks.emotion_tests import CONSTANT
from tasks.publication.drawing import COLOURS, HATCHES, MARKERS, STYLE, make_panels
from tasks.reports.figures import BLUE, INK, MUTED, VERMILION
from tasks.reports.formatting import p_equals

_SHOWN_BY_PERSON: Final = 6


def draw_effects(over_participants: pd.DataFrame, over_frames: pd.DataFrame, *, alpha: float) -> Figure:
    """Forest plot of the effect of group on each action, a panel an emotion.

    Parameters
    ----------
    over_participants
        ``desc-emotionaus_tests``.
    over_frames
        ``desc-emotionframes_tests``.
    alpha
        Level under which an adjusted p-value fills a marker.

    Returns
    -------
    Figure
    """
    emotions, signals = _levels(over_participants)
    with mpl.rc_context(STYLE):
        figure, axes = make_panels(len(emotions), height=1.2 + 0.19 * len(signals), share_y=True)
        for axis, emotion in zip(axes, emotions, strict=True):
            people = over_participants[over_participants["emotion"] == emotion].set_index("signal").reindex(signals)
            frames = over_frames[over_frames["emotion"] == emotion].set_index("signal").reindex(signals)
            axis.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
            _draw_forest(axis, people, frames, alpha)
            first = people.iloc[0]
            axis.set_title(f"{emotion}\nn = {first['n_a']} and {first['n_b']}")
            axis.set_xlim(-1.05, 1.05)
            axis.set_xlabel("rank-biserial r")
        axes[0].set_yticks(range(len(signals)), signals)
        axes[0].set_ylim(len(signals) - 0.5, -0.5)
        a, b = over_participants["group_a"].iloc[0], over_participants["group_b"].iloc[0]
        figure.suptitle(
            f"Share of frames with the unit active, {a} against {b}: Mann-Whitney over participants (right: higher in {a})",
            fontsize=9,
        )
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        return figure


def _draw_forest(axis: Axes, people: pd.DataFrame, frames: pd.DataFrame, alpha: float) -> None:
    rows = np.arange(len(people))
    people = people.where(people["note"] != CONSTANT)  # nothing was seen of them
    r = people["rank_biserial"].to_numpy(dtype=float)
    low, high = people["ci_low"].to_numpy(dtype=float), people["ci_high"].to_numpy(dtype=float)
    axis.hlines(rows, low, high, color=BLUE, linewidth=1.2)
    found = (people["p_bh"] < alpha).to_numpy()
    axis.scatter(r[found], rows[found], s=22, color=BLUE, zorder=3, label=f"adjusted p < {alpha:g} over participants")
    axis.scatter(
        r[~found], rows[~found], s=22, facecolor="white", edgecolor=BLUE, zorder=3, label="not over participants"
    )
    only = (frames["units_agree"] == "frames only").to_numpy()
    axis.scatter(
        np.full(only.sum(), 1.0), rows[only], marker="x", s=18, color=VERMILION, zorder=3, clip_on=False,
        label="significant over frames only: pseudo-replicated",
    )  # fmt: skip


def draw_complexity(complexity: pd.DataFrame, groups: Sequence[str], *, emotions: Sequence[str]) -> Figure:
    """Bars of distinct combinations by complexity, a panel an emotion (Ji et al., 2025, figure 4).

    Parameters
    ----------
    complexity
        ``desc-combinations_complexity``; with laterality codes where there are any.
    groups
        First and second group.
    emotions
        Emotions in the order of the panels.

    Returns
    -------
    Figure
    """
    table = complexity[complexity["directions"] == complexity["directions"].any()]
    with mpl.rc_context(STYLE):
        figure, axes = make_panels(len(emotions), height=2.9, share_y=False)
        for axis, emotion in zip(axes, emotions, strict=True):
            shown = table[(table["emotion"] == emotion) & (table["complexity"] > 0)]
            sizes = table[table["emotion"] == emotion].groupby("group")["n_frames"].sum()
            for k, group in enumerate(groups):
                rows = shown[shown["group"] == group]
                x = rows["complexity"].to_numpy() + (k - 0.5) * 0.4
                axis.bar(
                    x, rows["n_types"], width=0.38, color=COLOURS[k], alpha=0.75, hatch=HATCHES[k], edgecolor="white",
                    label=group,
                )  # fmt: skip
                expected = rows["expected_types"].to_numpy()
                reach = np.abs([expected - rows["ci_low"].to_numpy(), rows["ci_high"].to_numpy() - expected])
                axis.errorbar(
                    x, expected, yerr=reach, fmt=MARKERS[k], color=INK, markersize=3, linewidth=0.9, markerfacecolor="white",
                    label=f"{group}, equal frames",
                )  # fmt: skip
            counted = ", ".join(f"{group} {int(sizes.get(group, 0)):,}" for group in groups)
            axis.set_title(f"{emotion}\nframes: {counted}")
            axis.set_xlabel("active units in a frame")
            axis.set_xticks(sorted(set(shown["complexity"])))
        axes[0].set_ylabel("distinct combinations")
        figure.suptitle(
            "Distinct combinations of action units by complexity; points: brought to equal frames", fontsize=9
        )
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        return figure


def draw_rates(over_participants: pd.DataFrame) -> Figure:
    """Heat map of the mean share of frames with each action active, by emotion and group.

    Parameters
    ----------
    over_participants
        ``desc-emotionaus_tests``.

    Returns
    -------
    Figure
    """
    emotions, signals = _levels(over_participants)
    columns, names = [], []
    for emotion in emotions:
        rows = over_participants[over_participants["emotion"] == emotion].set_index("signal").reindex(signals)
        for which in ("a", "b"):
            columns.append(100 * rows[f"mean_{which}"].to_numpy(dtype=float))
            names.append(f"{rows[f'group_{which}'].iloc[0]}\nn = {rows[f'n_{which}'].iloc[0]}")
    values = np.stack(columns, axis=1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.4 + 0.62 * len(names), 1.3 + 0.2 * len(signals)), layout="constrained")
        axis = figure.subplots()
        top = max(float(np.nanmax(values, initial=1.0)), 1.0)
        picture = axis.imshow(values, aspect="auto", cmap="cividis", vmin=0, vmax=top)
        for (row, column), value in np.ndenumerate(values):
            text = "n/a" if np.isnan(value) else f"{value:.0f}"
            dark = not np.isnan(value) and value < 0.45 * top
            axis.text(column, row, text, ha="center", va="center", color="white" if dark else "black", fontsize=7)
        axis.set_xticks(range(len(names)), names)
        axis.set_yticks(range(len(signals)), signals)
        for k, emotion in enumerate(emotions):
            axis.text(2 * k + 0.5, -0.9, emotion, ha="center", va="bottom", fontweight="bold")
            if k:
                axis.axvline(2 * k - 0.5, color="white", linewidth=3)
        axis.spines[:].set_visible(False)
        figure.colorbar(picture, ax=axis, label="% of frames", shrink=0.6)
        figure.suptitle("Share of frames with the unit active, mean over participants", fontsize=9)
        return figure


def draw_participants(rates: pd.DataFrame, over_participants: pd.DataFrame) -> Figure:
    """Rainclouds of participants' shares for the actions and emotions with the smallest p-values.

    Parameters
    ----------
    rates
        ``desc-emotionrates_participants``.
    over_participants
        ``desc-emotionaus_tests``.

    Returns
    -------
    Figure
    """
    shown = over_participants[over_participants["p"].notna()].nsmallest(_SHOWN_BY_PERSON, "p")
    with mpl.rc_context(STYLE):
        figure, axes = make_panels(len(shown), height=4.6 if len(shown) > 3 else 2.6, share_y=False, columns=3)
        for axis, (_, row) in zip(axes, shown.iterrows(), strict=True):
            people = rates[(rates["emotion"] == row["emotion"]) & rates["counts"]]
            groups = (str(row["group_a"]), str(row["group_b"]))
            for k, group in enumerate(groups):
                values = 100 * people.loc[people["group"] == group, str(row["signal"])].to_numpy(dtype=float)
                _draw_raincloud(axis, values, k)
            axis.set_yticks([0, 1], [f"{groups[0]}\nn = {row['n_a']}", f"{groups[1]}\nn = {row['n_b']}"])
            axis.set_ylim(1.6, -0.75)
            largest = 100 * float(people[str(row["signal"])].max())
            top = min(max(1.1 * largest, 1.0), 103.0)
            axis.set_xlim(-0.03 * top, top)
            axis.set_xlabel("% of frames active")
            mark = " (selects the frames)" if row["selection"] else ""
            axis.set_title(
                f"{row['signal']} in {row['emotion']}{mark}\n{p_equals(row['p'])}, adjusted {p_equals(row['p_bh'])}"
            )
        figure.suptitle(
            "Each participant's share; the smallest p-values of Mann-Whitney tests over participants", fontsize=9
        )
        return figure


def _draw_raincloud(axis: Axes, values: np.ndarray, k: int) -> None:
    """Density above, box in the middle, participants below; spread of points by their order, not at random."""
    if len(values) > 4 and values.std() > 0:
        grid = np.linspace(0, 100, 1000)
        density = stats.gaussian_kde(values)(grid)
        axis.fill_between(
            grid, k - 0.14 - 0.45 * density / density.max(), k - 0.14, color=COLOURS[k], alpha=0.5, linewidth=0
        )
    if len(values):
        low, middle, high = np.percentile(values, [25, 50, 75])
        axis.plot([low, high], [k, k], color=COLOURS[k], linewidth=4, solid_capstyle="butt", alpha=0.6)
        axis.plot([middle, middle], [k - 0.1, k + 0.1], color=INK, linewidth=1.4)
        offsets = 0.18 + 0.2 * ((np.argsort(np.argsort(values)) * 0.618) % 1)
        axis.scatter(values, k + offsets, s=9, marker=MARKERS[k], color=COLOURS[k], edgecolor="white", linewidth=0.3)


def _levels(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    return list(dict.fromkeys(table["emotion"])), list(dict.fromkeys(table["signal"]))
