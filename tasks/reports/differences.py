"""Section on tests between the groups: attribute groups, and action units by emotion of the stimulus."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from tasks.reports.blocks import Absent, Block, Cell, Charts, Findings, Heading, Links, Table, number_cell, numeric
from tasks.reports.figures import DIVERGING, INK, Chart, make_chart, new_figure, rounded
from tasks.reports.formatting import (
    NO_VALUE,
    chart_text,
    estimate,
    is_missing,
    level,
    listing,
    number,
    p_equals,
    p_value,
    plural,
)
from tasks.reports.inputs import GroupReportInputs, ReportFacts
from tasks.reports.pages import absent_reason


def describe_attribute_tests(inputs: GroupReportInputs) -> list[Block]:
    """Blocks of the tests of the four attribute groups."""
    table = inputs.attribute_tests
    if table is None or table.empty:
        return [Absent(absent_reason(inputs.absent.get("attribute_tests", "")))]
    facts = inputs.facts
    marked = table[table["p_bh"] < facts.alpha]
    if len(marked):
        names = listing(
            f"{row.attribute_group} ({p_equals(row.p_bh)}, g = {number(row.hedges_g)})" for row in marked.itertuples()
        )
        text = f"At adjusted p < {level(facts.alpha)} the groups differ in {names}."
    else:
        text = (
            f"No attribute group differs at adjusted p < {level(facts.alpha)}. With this n that does not show that the "
            "groups are alike: see the intervals."
        )
    return [Findings([text]), _tabulate_attributes(table, facts)]


def _tabulate_attributes(table: pd.DataFrame, facts: ReportFacts) -> Table:
    rows = [
        [
            Cell(str(row["attribute_group"])),
            *_sample_cells(row),
            number_cell(number(row["t"]), row["t"]),
            number_cell(number(row["df"], 1), row["df"]),
            number_cell(p_value(row["p"]), row["p"]),
            _adjusted_cell(row["p_bh"], facts.alpha),
            number_cell(estimate(row["hedges_g"], row["ci_low"], row["ci_high"]), row["hedges_g"]),
            Cell(_note(row["note"])),
        ]
        for _, row in table.iterrows()
    ]
    headings = [
        Heading("Attribute"),
        *_sample_headings(facts, "Mean z of"),
        numeric("t"),
        numeric("df"),
        numeric("p"),
        numeric("p, adjusted", "Benjamini-Hochberg over the attribute groups"),
        numeric("Hedges g", "95% interval"),
        Heading("Note"),
    ]
    note = (
        "Student's t-test of each participant's mean over the z-scored features of the attribute: one number a participant. "
        "Adjusted after Benjamini and Hochberg over the rows; * marks adjusted p below the level."
    )
    return Table("attribute-tests", "Tests of attribute groups", headings, rows, note=note)


def _sample_headings(facts: ReportFacts, mean: str) -> list[Heading]:
    positive, comparison = facts.groups
    return [
        numeric(f"n {positive}"),
        numeric(f"n {comparison}"),
        numeric(f"{mean} {positive}"),
        numeric(f"{mean} {comparison}"),
    ]


def _sample_cells(row: pd.Series) -> list[Cell]:
    counts = [number_cell(number(row[key], 0), row[key]) for key in ("n_a", "n_b")]
    return [*counts, *(number_cell(number(row[key]), row[key]) for key in ("mean_a", "mean_b"))]


def _adjusted_cell(p: float, alpha: float) -> Cell:
    return number_cell(f"{p_value(p)}{' *' if not is_missing(p) and p < alpha else ''}", p)


def _note(value: object) -> str:
    return "" if is_missing(value) else str(value)


def describe_emotion_tests(inputs: GroupReportInputs) -> list[Block]:
    """Blocks of the Mann-Whitney tests of action units within emotion segments."""
    table = inputs.emotion_tests
    if table is None or table.empty:
        return [Absent(absent_reason(inputs.absent.get("emotion_tests", "")))]
    facts = inputs.facts
    tested = table[table["p"].notna()]
    marked = tested[tested["p_bh"] < facts.alpha].sort_values("p_bh")
    count = f"{len(marked) or 'none'} of {len(tested)} tests {'has' if len(marked) == 1 else 'have'}"
    found = f"{count} p < {level(facts.alpha)} adjusted within the emotion"
    if "p_bh_all" in table and len(marked):
        found += f"; {int((tested['p_bh_all'] < facts.alpha).sum())} of them hold when adjusted over all tests"
    examples = [
        f"{row.signal} in {row.emotion} (r = {number(row.rank_biserial)}, {p_equals(row.p_bh)})"
        for row in marked.head(3).itertuples()
    ]
    findings = [f"{found[0].upper()}{found[1:]}.{' Smallest p: ' + listing(examples) + '.' if examples else ''}"]
    skipped = len(table) - len(tested)
    if skipped:
        findings.append(f"{plural(skipped, 'combination')} could not be tested; the table below says why.")
    findings += _compare_units(inputs.emotion_frames, facts)
    blocks: list[Block] = [Findings(findings)]
    if inputs.comparison_link:
        address = inputs.comparison_link
        blocks.append(
            Links([("Both units of analysis side by side, with figures and a methods text", [("comparison", address)])])
        )
    return [*blocks, Charts([_draw_emotions(table, facts)]), _tabulate_emotions(table, facts)]


def _compare_units(over_frames: pd.DataFrame | None, facts: ReportFacts) -> list[str]:
    """Where tests over frames, as papers print them, see a difference that does not hold over participants."""
    if over_frames is None or over_frames.empty:
        return []
    found = over_frames[over_frames["p_bh"] < facts.alpha]
    only = int((over_frames["units_agree"] == "frames only").sum())
    text = (
        f"Over frames, as papers print it, {len(found)} of {len(over_frames)} tests would have adjusted p < {level(facts.alpha)}, "
        f"{only} of them not over participants. Frames of a participant are no independent observations: those are no findings."
    )
    return [text]


def _draw_emotions(table: pd.DataFrame, facts: ReportFacts) -> Chart:
    emotions, signals = list(dict.fromkeys(table["emotion"])), list(dict.fromkeys(table["signal"]))
    rows = {(row["signal"], row["emotion"]): row for row in table.to_dict("records")}
    cells = [[_effect_and_mark(rows.get((signal, emotion)), facts.alpha) for emotion in emotions] for signal in signals]
    figure = new_figure(top=8, bottom=24)
    figure.add(
        "heatmap",
        z=[rounded(effect for effect, _ in row) for row in cells],
        x=[chart_text(name) for name in emotions],
        y=[chart_text(name) for name in signals],
        text=[[text for _, text in row] for row in cells],
        texttemplate="%{text}",
        textfont={"size": 11, "color": INK},
        zmin=-1,
        zmax=1,
        colorscale=DIVERGING,
        xgap=2,
        ygap=2,
        hovertemplate="%{y}, %{x}: r = %{text}<extra></extra>",
        colorbar={"title": {"text": "r", "side": "top"}, "thickness": 10, "len": 0.8, "outlinewidth": 0, "dtick": 0.5},
    )
    figure.y_axis(autorange="reversed", ticks="", showgrid=False, dtick=1)
    figure.x_axis(side="top", ticks="", showgrid=False, dtick=1)
    return make_chart(
        figure,
        name="emotion-heatmap",
        title="Rank-biserial correlation of each action unit, by emotion of the stimulus",
        alternative=_name_strongest(table),
        caption=f"Blue, positive: higher in {facts.positive_group}; orange, negative: lower. * adjusted p < "
        f"{level(facts.alpha)} within the emotion. {NO_VALUE} not tested.",
        height=60 + 31 * len(signals),
    )


def _effect_and_mark(row: Mapping[Hashable, Any] | None, alpha: float) -> tuple[float, str]:
    """Rank-biserial correlation of a cell and what is printed in it; NaN and a dash where there was no test."""
    if row is None:
        return float("nan"), NO_VALUE
    effect, adjusted = float(row["rank_biserial"]), float(row["p_bh"])
    return effect, f"{number(effect)}{'*' if adjusted < alpha else ''}"


def _name_strongest(table: pd.DataFrame) -> str:
    if table["rank_biserial"].isna().all():
        return "No test could be made."
    row = table.iloc[int(table["rank_biserial"].abs().argmax())]
    effect = estimate(row["rank_biserial"], row["ci_low"], row["ci_high"])
    return f"Largest: {row['signal']} in {row['emotion']}, r = {effect}, adjusted {p_equals(row['p_bh'])}."


def _tabulate_emotions(table: pd.DataFrame, facts: ReportFacts) -> Table:
    rows = [
        [
            Cell(str(row["emotion"])),
            Cell(str(row["signal"])),
            *_sample_cells(row),
            number_cell(number(row["u"], 1), row["u"]),
            number_cell(number(row["z_signed"]), row["z_signed"]),
            number_cell(p_value(row["p"]), row["p"]),
            _adjusted_cell(row["p_bh"], facts.alpha),
            number_cell(estimate(row["rank_biserial"], row["ci_low"], row["ci_high"]), row["rank_biserial"]),
            Cell(_note(row["note"])),
        ]
        for _, row in table.iterrows()
    ]
    headings = [
        Heading("Emotion"),
        Heading("Signal"),
        *_sample_headings(facts, "Share active,"),
        numeric("U"),
        numeric("z", "Signed: positive where the first group is higher"),
        numeric("p"),
        numeric("p, adjusted", "Benjamini-Hochberg within the emotion"),
        numeric("Rank-biserial r", "95% interval"),
        Heading("Note"),
    ]
    return Table(
        "emotion-tests",
        "Mann-Whitney tests of the share of frames in which the unit is active, one value a participant",
        headings,
        rows,
        folded=f"All {len(rows)} tests as a table",
        tall=True,
    )
