"""Section on the 58 features: standardised differences between the groups, one point a feature."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from features import facs, vector_58
from stats.effect_sizes import hedges_g
from tasks.reports.blocks import Absent, Block, Cell, Charts, Findings, Heading, Table, number_cell, numeric
from tasks.reports.figures import (
    BLUE,
    VERMILION,
    Chart,
    add_interval_points,
    add_reference_line,
    list_rows_from_top,
    make_chart,
    new_figure,
)
from tasks.reports.formatting import estimate, number, percent, plural
from tasks.reports.inputs import GroupReportInputs, ReportFacts
from tasks.reports.pages import absent_reason

_PANELS: Final = (
    ("mean", "Mean", ("mean",)),
    ("sd", "Standard deviation", ("sd",)),
    ("share", "Share active or positive", ("active", "positive")),
)


def measure_effects(features: pd.DataFrame, facts: ReportFacts) -> pd.DataFrame:
    """Difference of the groups in each of the 58 features, one value a participant.

    Parameters
    ----------
    features
        ``desc-features_participants``; sessions of a participant are averaged, those left out by the gate do not count.
    facts
        Groups and level of the intervals.

    Returns
    -------
    DataFrame
        `feature`, `mean_a`, `mean_b`, `n_a`, `n_b`, `hedges_g`, `ci_low`, `ci_high`; empty where a group has fewer than
        two participants.
    """
    names = [name for name in vector_58.FEATURE_NAMES if name in features]
    people = features[features["included"].astype(bool)].groupby(["participant_id", "group"], sort=False)[names].mean()
    samples = [people[people.index.get_level_values("group") == group] for group in facts.groups]
    if min(len(sample) for sample in samples) < 2:
        return pd.DataFrame()
    rows = []
    for name in names:
        a, b = (sample[name].dropna().to_numpy() for sample in samples)
        effect = hedges_g(a, b, confidence_level=facts.confidence_level)
        means = {
            "mean_a": a.mean() if len(a) else None,
            "mean_b": b.mean() if len(b) else None,
            "n_a": len(a),
            "n_b": len(b),
        }
        rows.append({"feature": name, **means, "hedges_g": effect.value, "ci_low": effect.low, "ci_high": effect.high})
    return pd.DataFrame(rows)


def signal_label(signal: str) -> str:
    """A signal as people read it: ``AU12 lip corner puller``, ``happy``, ``arousal``."""
    if signal in facs.AU_NAMES:
        return f"{signal} {facs.AU_NAMES[signal]}"
    return signal.removeprefix("expr_")


def describe_features(inputs: GroupReportInputs, effects: pd.DataFrame | None) -> list[Block]:
    """Blocks of the feature section.

    Parameters
    ----------
    inputs
        Inputs of the report.
    effects
        `EFFECT_COLUMNS`, one row a feature; None where a group has fewer than two participants.
    """
    if inputs.features is None:
        return [Absent(absent_reason(inputs.absent.get("features", "")))]
    if effects is None or effects.empty:
        return [
            Absent("A difference between the groups needs at least two participants above the coverage gate in each.")
        ]
    specs = {spec.name: spec for spec in vector_58.SPECS}
    charts = []
    limit = float(np.nanmax(effects[["ci_low", "ci_high", "hedges_g"]].abs().to_numpy(), initial=0.5)) * 1.05
    for key, title, statistics in _PANELS:
        names = [spec.name for spec in specs.values() if spec.statistic in statistics]
        part = effects[effects["feature"].isin(names)]
        if len(part):
            labels = [specs[name].signal.removeprefix("expr_") for name in part["feature"]]
            charts.append(_draw_effects(part, labels, inputs.facts, name=f"features-{key}", title=title, limit=limit))
    outside = effects[(effects["ci_low"] > 0) | (effects["ci_high"] < 0)]
    positive, comparison = inputs.facts.groups
    row = effects.iloc[0]
    finding = (
        f"{positive} minus {comparison}, n = {row['n_a']:.0f} and {row['n_b']:.0f} participants. "
        f"{plural(len(outside), 'interval')} of {len(effects)} {'excludes' if len(outside) == 1 else 'exclude'} zero; "
        f"about {len(effects) * (1 - inputs.facts.confidence_level):.0f} would by chance alone if nothing differed. "
        f"The intervals are not "
        "adjusted for the number of features: this chart shows where to look, the tests below decide."
    )
    return [Findings([finding]), Charts(charts, columns=3), _tabulate_effects(effects, specs, inputs.facts)]


def _draw_effects(
    part: pd.DataFrame, labels: list[str], facts: ReportFacts, *, name: str, title: str, limit: float
) -> Chart:
    figure = new_figure(top=22, bottom=44)
    colours = {True: BLUE, False: VERMILION}
    for higher, colour in colours.items():
        rows = part["hedges_g"].ge(0) == higher
        chosen, names = part[rows], [label for label, keep in zip(labels, rows, strict=True) if keep]
        add_interval_points(
            figure,
            labels=names,
            values=list(chosen["hedges_g"]),
            low=list(chosen["ci_low"]),
            high=list(chosen["ci_high"]),
            colour=colour,
            symbol="circle" if higher else "square",
            filled=list((chosen["ci_low"] > 0) | (chosen["ci_high"] < 0)),
            hover=[
                f"{name}: g = {estimate(row.hedges_g, row.ci_low, row.ci_high)}"
                for name, row in zip(names, chosen.itertuples(), strict=True)
            ],
        )
    add_reference_line(figure, 0.0)
    list_rows_from_top(figure, labels)
    figure.x_axis(title="Hedges g", range=[-limit, limit])
    outside = part[(part["ci_low"] > 0) | (part["ci_high"] < 0)]
    strongest = part.iloc[int(part["hedges_g"].abs().argmax())] if part["hedges_g"].notna().any() else None
    found = f"{len(outside)} of {len(part)} intervals exclude zero." if len(part) else ""
    if strongest is not None:
        effect = estimate(strongest["hedges_g"], strongest["ci_low"], strongest["ci_high"])
        found += f" Largest: {strongest['feature']}, g = {effect}."
    return make_chart(
        figure,
        name=name,
        title=title,
        alternative=found,
        caption=f"Circle: higher in {facts.positive_group}; square: lower. Filled: the "
        f"{percent(facts.confidence_level)} "
        "interval excludes zero.",
        height=74 + 21 * len(part),
    )


def _tabulate_effects(effects: pd.DataFrame, specs: dict[str, vector_58.FeatureSpec], facts: ReportFacts) -> Table:
    positive, comparison = facts.groups
    rows = [
        [
            Cell(row["feature"]),
            Cell(signal_label(specs[row["feature"]].signal)),
            number_cell(number(row["mean_a"], 3), row["mean_a"]),
            number_cell(number(row["mean_b"], 3), row["mean_b"]),
            number_cell(number(row["mean_a"] - row["mean_b"], 3, signed=True), row["mean_a"] - row["mean_b"]),
            number_cell(estimate(row["hedges_g"], row["ci_low"], row["ci_high"]), row["hedges_g"]),
        ]
        for _, row in effects.iterrows()
    ]
    headings = [
        Heading("Feature"),
        Heading("Signal"),
        numeric(f"Mean {positive}"),
        numeric(f"Mean {comparison}"),
        numeric("Difference"),
        numeric("Hedges g", f"{percent(facts.confidence_level)} interval"),
    ]
    return Table(
        "features-table",
        "Group means of the 58 features",
        headings,
        rows,
        folded=f"All {len(rows)} features as a table",
        tall=True,
    )
