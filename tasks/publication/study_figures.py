"""Figures of the group report for print: participant flow, coverage, classifiers, ROC curves, differences in features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from sklearn.metrics import roc_curve

from features import vector_58
from features.frame_table import INVALID_REASONS
from tasks.publication.drawing import COLOURS, MARKERS, STYLE, draw_nothing, make_panels
from tasks.reports.blocks import FlowLoss
from tasks.reports.classification import ALL_FEATURES, chance_f1
from tasks.reports.coverage import label_sessions, reason_shares, shares_of
from tasks.reports.feature_effects import measure_effects
from tasks.reports.figures import BLUE, GRID, INK, LINES, MUTED, NEUTRAL, REASON_COLOURS
from tasks.reports.flow import build_flow
from tasks.reports.formatting import METRIC_LABELS, REASON_LABELS, classifier_label, percent
from tasks.reports.inputs import GroupReportInputs

_DASHES: Final = ("-", "-", "-", "--", "--", "--", ":")
_WRAP: Final = 52


def draw_flow(inputs: GroupReportInputs) -> Figure:
    """Flow of participants: a box a step, beside it who did not reach the next one and why (STARD 2015, item 19)."""
    steps = build_flow(inputs).steps
    with mpl.rc_context(STYLE):
        heights = [max(1.0, 0.45 + 0.32 * sum(len(_lines(loss)) for loss in step.losses)) for step in steps]
        figure = Figure(figsize=(6.3, 0.75 * sum(heights[:-1]) + 0.9))
        axis = figure.add_axes((0.02, 0.02, 0.96, 0.96))
        axis.set_axis_off()
        bottom = -sum(heights[:-1]) - 0.65
        axis.set(xlim=(0, 10), ylim=(bottom, 0.15))
        top = 0.0
        for step, height, last in zip(steps, heights, [False] * (len(steps) - 1) + [True], strict=True):
            by_group = ", ".join(f"{group} {count}" for group, count in step.by_group)
            _draw_box(axis, (0.1, top - 0.55, 3.9, 0.55), f"{step.label}: n = {step.total}\n{by_group}", centred=True)
            if not last:
                axis.annotate(
                    "", (2.05, top - height - 0.02), (2.05, top - 0.57), arrowprops={"arrowstyle": "->", "color": MUTED}
                )
            if step.losses:
                lines = [f"Not further: n = {step.n_lost}", *(line for loss in step.losses for line in _lines(loss))]
                middle, tall = top - 0.55 - (height - 0.55) / 2, 0.12 + 0.25 * len(lines)
                axis.plot([2.05, 4.4], [middle, middle], color=MUTED, linewidth=0.8)
                _draw_box(axis, (4.4, middle - tall / 2, 5.5, tall), "\n".join(lines), centred=False)
            top -= height
        return figure


def _lines(loss: FlowLoss) -> list[str]:
    words, lines = f"{loss.reason} (n = {loss.count})".split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > _WRAP:
            lines.append("  ")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1].strip() else f"{lines[-1]}{word}"
    return lines


def _draw_box(axis: Axes, box: tuple[float, float, float, float], text: str, *, centred: bool) -> None:
    left, bottom, width, height = box
    patch = FancyBboxPatch((left, bottom), width, height, boxstyle="round,pad=0.02", facecolor="white", edgecolor=MUTED)
    axis.add_patch(patch)
    x, align = (left + width / 2, "center") if centred else (left + 0.15, "left")
    axis.text(x, bottom + height / 2, text, ha=align, va="center", fontsize=8, color=INK)


def draw_coverage(inputs: GroupReportInputs) -> Figure:
    """Share of frames by what became of them: a bar a recording, sorted, a panel a group."""
    if inputs.features is None or inputs.features.empty:
        return draw_nothing("No recording was measured.")
    sessions = label_sessions(inputs.features)
    shares = reason_shares(inputs.invalid_reasons)
    with mpl.rc_context(STYLE):
        figure, axes = make_panels(2, height=2.6, share_y=True)
        for axis, group in zip(axes, inputs.facts.groups, strict=True):
            part = sessions[sessions["group"] == group]
            floor = np.zeros(len(part))
            for reason in INVALID_REASONS:
                values = np.asarray(shares_of(part, reason, shares), dtype=float)
                if values.any():
                    axis.bar(
                        range(len(part)), 100 * values, bottom=floor, width=0.85, color=REASON_COLOURS[reason],
                        label=REASON_LABELS[reason],
                    )  # fmt: skip
                    floor += 100 * values
            axis.axhline(100 * inputs.facts.min_valid_fraction, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
            axis.set_title(f"{group}, {len(part)} recordings")
            axis.set_xticks([])
            axis.set_ylim(0, 100)
        axes[0].set_ylabel("% of frames")
        labelled = {
            label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=4, frameon=False)
        return figure


def draw_performance(inputs: GroupReportInputs) -> Figure:
    """F1 and AUC of each classifier with intervals."""
    if inputs.performance is None or (inputs.performance["feature_set"] == ALL_FEATURES).sum() == 0:
        return draw_nothing("No classifier was trained on all features.")
    full = inputs.performance[inputs.performance["feature_set"] == ALL_FEATURES]
    rows = np.arange(len(full))
    with mpl.rc_context(STYLE):
        figure, axes = make_panels(2, height=0.9 + 0.24 * len(full), share_y=True)
        for axis, metric in zip(axes, ("f1", "auc"), strict=True):
            chance = 0.5 if metric == "auc" else chance_f1(full["n_positive"].iloc[0], full["n_negative"].iloc[0])
            axis.axvline(chance, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
            axis.hlines(rows, full[f"{metric}_low"], full[f"{metric}_high"], color=BLUE, linewidth=1.2)
            axis.scatter(full[metric], rows, s=22, color=BLUE, zorder=3)
            axis.set_xlim(-0.03, 1.03)
            axis.set_xlabel(METRIC_LABELS[metric])
        axes[0].set_yticks(rows, [classifier_label(str(name)) for name in full["classifier"]])
        axes[0].set_ylim(len(full) - 0.5, -0.5)
        figure.suptitle(
            f"n = {full['n'].iloc[0]:.0f}, one participant left out at a time; {percent(inputs.facts.confidence_level)} intervals; "
            "dashed: without information",
            fontsize=8,
        )
        return figure


def draw_roc(inputs: GroupReportInputs) -> Figure:
    """ROC curves of the classifiers on all features."""
    table = inputs.predictions
    if table is not None:
        table = table[(table["feature_set"] == ALL_FEATURES) & table["score"].notna()]
    if table is None or table["truth"].nunique() < 2:
        return draw_nothing("A ROC curve needs scored participants of both groups.")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.0, 3.4), layout="constrained")
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.8, linestyle=":")
        for k, (name, part) in enumerate(table.groupby("classifier", sort=False)):
            false_rate, true_rate, _ = roc_curve(part["truth"] == inputs.facts.positive_group, part["score"])
            axis.step(
                false_rate, true_rate, where="post", color=LINES[k % 7], linestyle=_DASHES[k % 7], linewidth=1.4,
                label=classifier_label(str(name)),
            )  # fmt: skip
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel="1 − specificity", ylabel="sensitivity", aspect="equal")
        figure.legend(loc="outside right center", frameon=False)
        return figure


def draw_features(inputs: GroupReportInputs) -> Figure:
    """Hedges g of each of the 58 features with its interval, a panel a kind of statistic."""
    effects = pd.DataFrame() if inputs.features is None else measure_effects(inputs.features, inputs.facts)
    if effects.empty or effects["hedges_g"].isna().all():
        return draw_nothing("A difference between the groups needs two participants in each.")
    panels = (
        ("mean", ("mean",)),
        ("standard deviation", ("sd",)),
        ("share active or positive", ("active", "positive")),
    )
    known = effects.set_index("feature")
    positive, comparison = inputs.facts.groups
    with mpl.rc_context(STYLE):
        figure, axes = make_panels(3, height=4.6, share_y=False)
        for axis, (title, statistics) in zip(axes, panels, strict=True):
            specs = [spec for spec in vector_58.SPECS if spec.statistic in statistics and spec.name in known.index]
            rows = known.loc[[spec.name for spec in specs]]
            places = np.arange(len(rows))
            axis.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
            for k, side in enumerate((rows["hedges_g"] >= 0, rows["hedges_g"] < 0)):
                part = rows[side]
                at = places[side.to_numpy()]
                axis.hlines(at, part["ci_low"], part["ci_high"], color=COLOURS[k], linewidth=1.1)
                sure = ((part["ci_low"] > 0) | (part["ci_high"] < 0)).to_numpy()
                faces = [COLOURS[k] if keep else "white" for keep in sure]
                axis.scatter(part["hedges_g"], at, s=16, marker=MARKERS[k], c=faces, edgecolors=COLOURS[k], zorder=3)
            axis.set_yticks(places, [spec.signal.removeprefix("expr_") for spec in specs], fontsize=7)
            axis.set_ylim(len(rows) - 0.5, -0.5)
            axis.grid(axis="y", color=GRID, linewidth=0.4)
            axis.set_axisbelow(True)
            axis.set_title(title)
            axis.set_xlabel("Hedges g")
        figure.suptitle(f"{positive} minus {comparison}; filled: the interval excludes zero", fontsize=8)
        return figure


DRAWN: Final[dict[str, tuple[str, Callable[[GroupReportInputs], Figure]]]] = {
    "flow": ("Flow of participants", draw_flow),
    "coverage": ("Coverage of the recordings", draw_coverage),
    "performance": ("Performance of the classifiers", draw_performance),
    "roc": ("ROC curves", draw_roc),
    "features": ("Differences in the features", draw_features),
}
"""Figure -> title, and what draws it."""
