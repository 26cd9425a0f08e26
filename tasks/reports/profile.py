"""A participant's features beside the range of the groups."""

from __future__ import annotations

from typing import Final

import pandas as pd

from features import vector_58
from tasks.reports.blocks import Absent, Block, Cell, Charts, Heading, Table, Text, number_cell, numeric
from tasks.reports.feature_effects import signal_label
from tasks.reports.figures import (
    BLACK,
    GROUP_COLOURS,
    Chart,
    Drawing,
    list_rows_from_top,
    make_chart,
    new_figure,
    rounded,
)
from tasks.reports.formatting import chart_text, listing, number, percent
from tasks.reports.inputs import ParticipantReportInputs, ReportFacts
from tasks.reports.pages import absent_reason

_PANELS: Final = (
    ("active", "Share of valid frames in which each action unit is active"),
    ("positive", "Share of valid frames with positive arousal and valence"),
)
_OFFSETS: Final = (-0.2, 0.2)


def describe_profile(inputs: ParticipantReportInputs) -> list[Block]:
    """Blocks of the comparison: chart of shares, and a table of all 58 features."""
    if inputs.cohort is None or inputs.cohort.empty:
        return [Absent(absent_reason(inputs.cohort_absent))]
    own = inputs.cohort[inputs.cohort["participant_id"].astype(str) == inputs.participant_id]
    if own.empty:
        return [Absent("This participant has no row in the participant table, because no recording was measured.")]
    names = [name for name in vector_58.FEATURE_NAMES if name in inputs.cohort]
    values = own[names].mean()
    ranges = {group: _group_values(inputs, group, names) for group in inputs.facts.groups}
    ranges = {group: table for group, table in ranges.items() if len(table)}
    text = (
        "Where the participant lies among the participants of this study who passed the coverage gate. These are "
        "ranges of small groups, "
        "not norms: a value outside a range is no sign of anything by itself."
    )
    charts = [_draw_profile(inputs, values, ranges, statistic=statistic, title=title) for statistic, title in _PANELS]
    return [Text(text), Charts(charts), _tabulate_profile(values, ranges)]


def _group_values(inputs: ParticipantReportInputs, group: str, names: list[str]) -> pd.DataFrame:
    cohort = inputs.cohort
    if cohort is None:
        return pd.DataFrame()
    rows = cohort[(cohort["group"] == group) & cohort["included"].astype(bool)]
    return rows.groupby("participant_id")[names].mean()


def _draw_profile(
    inputs: ParticipantReportInputs, values: pd.Series, ranges: dict[str, pd.DataFrame], *, statistic: str, title: str
) -> Chart:
    specs = [spec for spec in vector_58.SPECS if spec.statistic == statistic and spec.name in values]
    labels = [signal_label(spec.signal) for spec in specs]
    figure = new_figure(top=28, bottom=44, legend=True)
    rows = list(range(len(specs)))
    _add_ranges(figure, inputs.facts, ranges, [spec.name for spec in specs])
    figure.add(
        "scatter",
        x=rounded(values[[spec.name for spec in specs]]),
        y=rows,
        mode="markers",
        cliponaxis=False,
        name=chart_text(inputs.participant_id),
        marker={"symbol": "diamond", "size": 11, "color": BLACK, "line": {"color": "#ffffff", "width": 1.5}},
        text=labels,
        hovertemplate="%{text}: %{x:.1%}<extra></extra>",
    )
    list_rows_from_top(figure, labels)
    figure.y_axis(type="linear", tickvals=rows, ticktext=labels, range=[len(rows) - 0.4, -0.6])
    figure.x_axis(tickformat=".0%", title="Share of valid frames", rangemode="tozero")
    outside = [spec.signal for spec in specs if _outside(values[spec.name], spec.name, ranges)]
    found = (
        f"Outside the range of both groups in {listing(outside)}."
        if outside
        else "Within the range of at least one group in every row."
    )
    return make_chart(
        figure,
        name=f"profile-{statistic}",
        title=title,
        alternative=found,
        caption="Diamond: this participant. Thick: quartiles of the group; thin: lowest to highest.",
        height=90 + 32 * len(specs),
    )


def _add_ranges(figure: Drawing, facts: ReportFacts, ranges: dict[str, pd.DataFrame], names: list[str]) -> None:
    """Add for each group a thin line from lowest to highest and a thick one between the quartiles, a row a feature."""
    for index, (group, table) in enumerate(ranges.items()):
        colour = GROUP_COLOURS[list(facts.groups).index(group)]
        quantiles = table[names].quantile([0, 0.25, 0.5, 0.75, 1])
        y = [row + _OFFSETS[index] for row in range(len(names))]
        for low, high, width in ((0, 1, 2), (0.25, 0.75, 8)):
            figure.add(
                "scatter",
                x=[end for name in quantiles for end in (*rounded(quantiles.loc[[low, high], str(name)]), None)],
                y=[position for place in y for position in (place, place, None)],
                mode="lines",
                line={"color": colour, "width": width},
                name=f"{chart_text(group)} (n = {len(table)}): quartiles",
                showlegend=width == 8,
                hoverinfo="skip",
            )


def _outside(value: float, name: str, ranges: dict[str, pd.DataFrame]) -> bool:
    return bool(ranges) and all(value < table[name].min() or value > table[name].max() for table in ranges.values())


def _tabulate_profile(values: pd.Series, ranges: dict[str, pd.DataFrame]) -> Table:
    rows = []
    for name, value in values.items():
        cells = [Cell(str(name)), number_cell(number(value, 3), value)]
        for table in ranges.values():
            low, median, high = table[str(name)].quantile([0, 0.5, 1])
            cells.append(number_cell(f"{number(median, 3)} ({number(low, 3)} to {number(high, 3)})", median))
        rows.append(cells)
    headings = [
        Heading("Feature"),
        numeric("Participant"),
        *(numeric(f"{group}, median (range), n = {len(table)}") for group, table in ranges.items()),
    ]
    share = percent(1.0)
    return Table(
        "profile-table",
        "The 58 features",
        headings,
        rows,
        folded="All features as a table",
        tall=True,
        note=f"Shares as fractions; 1 is {share}.",
    )
