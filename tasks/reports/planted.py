"""Section of a rendered study: the effects that were planted, and what was measured of them."""

from __future__ import annotations

from typing import Final

import pandas as pd

from tasks.reports.blocks import Absent, Block, Cell, Charts, Findings, Heading, Table, number_cell, numeric
from tasks.reports.figures import (
    BLACK,
    BLUE,
    Chart,
    add_interval_points,
    add_reference_line,
    list_rows_from_top,
    make_chart,
    new_figure,
    rounded,
)
from tasks.reports.formatting import chart_text, estimate, listing, number, p_value
from tasks.reports.inputs import GroupReportInputs, ReportFacts
from tasks.reports.pages import absent_reason

_RECOVERED: Final = (
    "Recovered: the interval excludes zero on the planted side; where nothing was planted (control), it holds zero. Estimate: "
    "difference of the group means with Welch's interval."
)


def describe_planted(inputs: GroupReportInputs) -> list[Block]:
    """Blocks of the planted effects of a rendered study."""
    table = inputs.planted_effects
    if table is None or table.empty:
        return [Absent(absent_reason(inputs.absent.get("planted_effects", "")))]
    facts = inputs.facts
    inside = int(((table["ci_low"] <= table["planted"]) & (table["planted"] <= table["ci_high"])).sum())
    finding = (
        f"{int(table['recovered'].sum())} of {len(table)} effects recovered; the 95% interval holds the planted value in "
        f"{inside} of {len(table)}. "
        "The planted value is that of the population from which the rendered participants were drawn; the estimate "
        "is measured from "
        "video, so it carries sampling error, and the error of detector and networks."
    )
    charts = []
    quantity = table["statistic"].astype(str).str.partition(" of ")[0]  # only like is drawn beside like
    for index, (name, part) in enumerate(table.groupby(quantity, sort=False)):
        charts.append(_draw_planted(part, str(name), facts, index))
    return [Findings([finding]), Charts(charts, columns=min(len(charts), 2)), _tabulate_planted(table, facts)]


def _tabulate_planted(table: pd.DataFrame, facts: ReportFacts) -> Table:
    rows = [
        [
            Cell(effect_label(row["effect"])),
            Cell(str(row["description"]), detail=str(row["statistic"])),
            number_cell(number(row["planted"], 2, signed=True), row["planted"]),
            number_cell(estimate(row["estimate"], row["ci_low"], row["ci_high"]), row["estimate"]),
            number_cell(f"{row['n_a']:.0f} / {row['n_b']:.0f}", row["n_a"]),
            number_cell(p_value(row["p"]), row["p"]),
            Cell("yes" if row["recovered"] else "no", tone="good" if row["recovered"] else "bad"),
        ]
        for _, row in table.iterrows()
    ]
    headings = [
        Heading("Effect"),
        Heading("What differs, and the statistic"),
        numeric("Planted"),
        numeric("Estimate", "95% interval"),
        numeric(f"n {facts.positive_group} / {facts.comparison_group}"),
        numeric("p"),
        Heading("Recovered"),
    ]
    return Table("planted", "Planted effects and what was measured", headings, rows, note=_RECOVERED)


def effect_label(name: object) -> str:
    """Short name of an effect as people read it: ``joy smile``."""
    return str(name).replace("_", " ")


def _draw_planted(part: pd.DataFrame, quantity: str, facts: ReportFacts, index: int) -> Chart:
    labels = [chart_text(effect_label(name)) for name in part["effect"]]
    figure = new_figure(top=26, bottom=44, legend=True)
    add_interval_points(
        figure,
        labels=labels,
        values=list(part["estimate"]),
        low=list(part["ci_low"]),
        high=list(part["ci_high"]),
        colour=BLUE,
        name="estimate",
        hover=[
            f"{chart_text(effect_label(row.effect))}: {estimate(row.estimate, row.ci_low, row.ci_high)}"
            for row in part.itertuples()
        ],
    )
    figure.add(
        "scatter",
        x=rounded(part["planted"]),
        y=labels,
        mode="markers",
        name="planted",
        marker={"symbol": "diamond-open", "size": 12, "color": BLACK, "line": {"width": 2}},
        hovertemplate="planted %{x:.2f}<extra></extra>",
    )
    add_reference_line(figure, 0.0)
    list_rows_from_top(figure, labels)
    figure.x_axis(title=chart_text(f"{facts.positive_group} minus {facts.comparison_group}, {quantity}"))
    return make_chart(
        figure,
        name=f"planted-{index}",
        title=f"Planted and estimated differences ({quantity})",
        alternative=listing(
            f"{effect_label(row.effect)}: planted {number(row.planted)}, estimated "
            f"{estimate(row.estimate, row.ci_low, row.ci_high)}"
            for row in part.itertuples()
        )
        + ".",
        caption="95% intervals (Welch).",
        height=96 + 30 * len(part),
    )
