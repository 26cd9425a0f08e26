"""How much of each recording was measured, and why the rest was not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from features.frame_table import INVALID_REASONS
from tasks.reports.blocks import Absent, Block, Cell, Charts, ColourKey, Findings, Heading, Table, number_cell, numeric
from tasks.reports.figures import REASON_COLOURS, Chart, add_reference_line, make_chart, new_figure, rounded
from tasks.reports.formatting import REASON_LABELS, chart_text, duration, listing, number, percent, plural
from tasks.reports.inputs import GroupReportInputs, ReportFacts
from tasks.reports.pages import absent_reason

_KEY: Final = ["participant_id", "session", "task"]
_ROW_PX: Final = 19


def describe_coverage(inputs: GroupReportInputs) -> list[Block]:
    """Blocks of the coverage section: findings, bars per recording, reasons by group, outliers."""
    if inputs.features is None or inputs.features.empty:
        return [Absent(absent_reason(inputs.absent.get("features", "")))]
    sessions = label_sessions(inputs.features)
    groups = [
        group for group in dict.fromkeys([*inputs.facts.groups, *sessions["group"]]) if group in set(sessions["group"])
    ]
    shares = reason_shares(inputs.invalid_reasons)
    n_rows = int(sessions["group"].value_counts().max())
    charts = [
        _draw_group(sessions[sessions["group"] == group], group, shares, inputs.facts, index=index, n_rows=n_rows)
        for index, group in enumerate(groups)
    ]
    used = [reason for reason in INVALID_REASONS if reason == "ok" or (shares is not None and shares[reason].max() > 0)]
    key = ColourKey([(REASON_LABELS[reason], REASON_COLOURS[reason]) for reason in used])
    blocks: list[Block] = [Findings(_findings(sessions, groups, inputs.facts)), key, Charts(charts, columns=2)]
    blocks.append(_tabulate_groups(sessions, groups, shares))
    if shares is None:
        blocks.append(
            Absent(
                absent_reason(inputs.absent.get("invalid_reasons", ""), "Reasons of invalid frames were not counted.")
            )
        )
    return blocks


def label_sessions(features: pd.DataFrame) -> pd.DataFrame:
    """Rows of the participant table with the columns `label` (unique) and `outlier`, lowest last in each group."""
    known = features.assign(group=features["group"].fillna("").astype(str))
    table = known.sort_values(["group", "valid_fraction"], ascending=[True, False]).reset_index(drop=True)
    several = table["participant_id"].duplicated(keep=False)
    extra = (table["session"].fillna("") + " " + table["task"].fillna("")).str.strip()
    table["label"] = (
        table["participant_id"].astype(str).where(~several, table["participant_id"].astype(str) + " " + extra)
    )
    table["outlier"] = False
    for _, part in table.groupby("group", sort=False):
        low, high = part["valid_fraction"].quantile([0.25, 0.75])
        table.loc[part.index, "outlier"] = part["valid_fraction"] < low - 1.5 * (high - low)
    return table


def reason_shares(counts: pd.DataFrame | None) -> pd.DataFrame | None:
    """Share of frames per reason: one row a recording, columns in the order of `INVALID_REASONS`.

    Parameters
    ----------
    counts
        `GroupReportInputs.invalid_reasons`.
    """
    if counts is None or counts.empty:
        return None
    filled = counts.fillna({"session": "", "task": ""})
    wide = filled.pivot_table(index=_KEY, columns="invalid_reason", values="n_frames", aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=list(INVALID_REASONS), fill_value=0)
    return wide.div(wide.sum(axis=1), axis=0)


def _findings(sessions: pd.DataFrame, groups: Sequence[str], facts: ReportFacts) -> list[str]:
    medians = [
        f"{percent(part['valid_fraction'].median())} in {group} (range {percent(part['valid_fraction'].min())} to "
        f"{percent(part['valid_fraction'].max())}, n = {len(part)})"
        for group, part in ((group, sessions[sessions["group"] == group]) for group in groups)
    ]
    sentences = [f"Median share of valid frames: {listing(medians)}."]
    below = sessions[~sessions["included"].astype(bool)]
    gate = (
        f"the coverage gate ({percent(facts.min_valid_fraction)} and {plural(facts.min_valid_frames, 'frame')} valid)"
    )
    sentences.append(
        f"{plural(len(below), 'recording')} under {gate}, kept in the table and left out of tests: "
        f"{listing(below['label'])}."
        if len(below)
        else f"Every recording passes {gate}."
    )
    outliers = sessions[sessions["outlier"] & sessions["included"].astype(bool)]
    if len(outliers):
        sentences.append(
            f"Unusually low for the group, though above the gate: {listing(outliers['label'])} "
            "(more than 1.5 interquartile ranges under the first quartile)."
        )
    return sentences


def _draw_group(
    sessions: pd.DataFrame, group: str, shares: pd.DataFrame | None, facts: ReportFacts, *, index: int, n_rows: int
) -> Chart:
    figure = new_figure(bottom=44, top=18, right=24)
    labels = [
        chart_text(row.label) + (" ▲" if not row.included else " △" if row.outlier else "")
        for row in sessions.itertuples()
    ]
    for reason in INVALID_REASONS:
        values = shares_of(sessions, reason, shares)
        if reason == "ok" or max(values) > 0:
            figure.add(
                "bar",
                y=labels,
                x=rounded(values, 4),
                orientation="h",
                marker={"color": REASON_COLOURS[reason], "line": {"width": 0}},
                hovertemplate="%{y}: %{x:.1%} " + REASON_LABELS[reason] + "<extra></extra>",
            )
    add_reference_line(figure, facts.min_valid_fraction, "gate")
    figure.lay_out(barmode="stack", bargap=0.25)
    figure.x_axis(range=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%", title="Share of frames")
    figure.y_axis(range=[n_rows - 0.5, -0.5], ticks="", showgrid=False, type="category", dtick=1)
    lowest = sessions.iloc[int(sessions["valid_fraction"].argmin())]
    return make_chart(
        figure,
        name=f"coverage-{index}",
        title=f"{group or 'No group'}: share of frames by what became of them",
        alternative=(
            f"Valid frames range from {percent(lowest['valid_fraction'])} ({lowest['label']}) to "
            f"{percent(sessions['valid_fraction'].max())}."
        ),
        caption="One bar a recording. ▲ under the gate, △ unusually low for the group.",
        height=62 + (_ROW_PX if len(sessions) <= 60 else 12) * n_rows,
    )


def shares_of(sessions: pd.DataFrame, reason: str, shares: pd.DataFrame | None) -> list[float]:
    """Share of frames of each recording with `reason`, from `reason_shares`; only valid frames are known where that is None."""
    if shares is None:
        return list(sessions["valid_fraction"]) if reason == "ok" else [0.0] * len(sessions)
    keys = list(sessions[_KEY].fillna("").itertuples(index=False, name=None))
    return [float(shares[reason].get(key, 0.0)) for key in keys]


def _tabulate_groups(sessions: pd.DataFrame, groups: Sequence[str], shares: pd.DataFrame | None) -> Table:
    used = [r for r in INVALID_REASONS[1:] if shares is not None and shares[r].max() > 0]
    rows = []
    for group in groups:
        part = sessions[sessions["group"] == group]
        cells = [
            Cell(group or "no group"),
            number_cell(str(len(part)), len(part)),
            number_cell(percent(part["valid_fraction"].mean()), part["valid_fraction"].mean()),
            number_cell(percent(part["valid_fraction"].median()), part["valid_fraction"].median()),
            number_cell(duration(part["longest_gap_s"].median()), part["longest_gap_s"].median()),
        ]
        for reason in used:
            values = shares_of(part, reason, shares)
            mean = sum(values) / len(values)
            cells.append(number_cell(f"{number(100 * mean, 1)}%", mean))
        rows.append(cells)
    headings = [
        Heading("Group"),
        numeric("Recordings"),
        numeric("Valid, mean"),
        numeric("Valid, median"),
        numeric("Longest gap, median"),
        *(numeric(REASON_LABELS[reason].capitalize()) for reason in used),
    ]
    note = "Reasons: share of all frames, mean over recordings. " if used else ""
    return Table(
        "coverage-groups",
        "Coverage by group",
        headings,
        rows,
        note=note
        + "A difference in coverage between the groups can look like a difference in expression: compare them first.",
        sortable=False,
    )
