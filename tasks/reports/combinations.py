"""Section on combinations of action units: how many units are active at once, and how many different combinations groups show."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd

from features.facs import EMOTIONET_AUS
from tasks.reports.blocks import Absent, Block, Cell, Charts, Findings, Heading, Table, number_cell, numeric
from tasks.reports.figures import GROUP_COLOURS, GROUP_SYMBOLS, INK, Chart, make_chart, new_figure, rounded
from tasks.reports.formatting import chart_text, estimate, integer, level, listing, number, p_value
from tasks.reports.inputs import GroupReportInputs, ReportFacts
from tasks.reports.pages import absent_reason

MEASURE_LABELS: Final = {
    "mean_complexity": "Active units, mean",
    "max_complexity": "Active units, most at once",
    "rarefied_types": "Different combinations, at equal frames",
}

_PATTERNS: Final = ({"shape": ""}, {"shape": "/", "size": 5, "fillmode": "overlay", "fgcolor": "#ffffff"})


def describe_combinations(inputs: GroupReportInputs) -> list[Block]:
    """Blocks of the section: findings, a chart an emotion, and the tests."""
    table, tests = inputs.combinations, inputs.combination_tests
    if table is None or table.empty:
        return [Absent(absent_reason(inputs.absent.get("combinations", "")))]
    shown = table[table["directions"] == table["directions"].any()]
    order = [] if inputs.emotion_tests is None else list(dict.fromkeys(inputs.emotion_tests["emotion"]))
    emotions = [name for name in dict.fromkeys([*order, *shown["emotion"]]) if name in set(shown["emotion"])]
    charts = [
        _draw_emotion(shown[shown["emotion"] == emotion], str(emotion), inputs.facts, index)
        for index, emotion in enumerate(emotions)
    ]
    blocks: list[Block] = [Findings(_findings(tests, inputs.facts)), Charts(charts, columns=3)]
    if tests is None or tests.empty:
        blocks.append(Absent(absent_reason(inputs.absent.get("combination_tests", ""))))
    else:
        blocks.append(_tabulate_tests(tests, inputs.facts))
    return blocks


def _findings(tests: pd.DataFrame | None, facts: ReportFacts) -> list[str]:
    explained = (
        f"A combination is the set of the {len(EMOTIONET_AUS)} action units that are active in a frame; its complexity is how many "
        "there are. A group with more frames shows more combinations, so points bring both groups to equal frames."
    )
    if tests is None or tests.empty or tests["p"].isna().all():
        return [explained]
    tested = tests[tests["p"].notna()]
    marked = tested[tested["p_bh"] < facts.alpha]
    names = listing(_name_test(row) for row in marked.head(3).to_dict("records"))
    found = f"{len(marked) or 'None'} of {len(tested)} tests over participants {'has' if len(marked) == 1 else 'have'} adjusted "
    return [f"{found}p < {level(facts.alpha)}{': ' + names if len(marked) else ''}.", explained]


def _name_test(row: Mapping[Hashable, Any]) -> str:
    measure = str(row["measure"])
    return f"{MEASURE_LABELS.get(measure, measure).lower()} in {row['emotion']}"


def _draw_emotion(rows: pd.DataFrame, emotion: str, facts: ReportFacts, index: int) -> Chart:
    figure = new_figure(top=30, bottom=44, legend=index == 0)
    counts = []
    for k, group in enumerate(facts.groups):
        part = rows[(rows["group"] == group) & (rows["complexity"] > 0)]
        frames = rows.loc[rows["group"] == group, "n_frames"].sum()
        counts.append(f"{integer(part['n_types'].sum())} in {group} ({integer(frames)} frames)")
        x = [float(value) + (k - 0.5) * 0.4 for value in part["complexity"]]
        name = chart_text(group)
        figure.add(
            "bar",
            x=x,
            y=rounded(part["n_types"], 0),
            width=0.38,
            name=name,
            marker={
                "color": GROUP_COLOURS[k],
                "opacity": 0.75,
                "pattern": {"shape": "/" if k else "", "size": 5, "fillmode": "overlay", "fgcolor": "#ffffff"},
            },
            text=[f"{int(value)} active" for value in part["complexity"]],
            textposition="none",
            hovertemplate=f"{name}, %{{text}}: %{{y}} combinations<extra></extra>",
        )
        expected = part["expected_types"]
        figure.add(
            "scatter",
            x=x,
            y=rounded(expected, 1),
            error_y={
                "type": "data", "symmetric": False, "array": rounded(part["ci_high"] - expected, 1),
                "arrayminus": rounded(expected - part["ci_low"], 1), "color": INK, "thickness": 1.2, "width": 0,
            },
            mode="markers",
            marker={"symbol": GROUP_SYMBOLS[k], "size": 6, "color": "#ffffff", "line": {"color": INK, "width": 1.2}},
            showlegend=False,
            hovertemplate=f"{name}, at equal frames: %{{y}}<extra></extra>",
        )  # fmt: skip
    figure.x_axis(title="Active units in a frame", dtick=1)
    figure.y_axis(title="Combinations", rangemode="tozero")
    return make_chart(
        figure,
        name=f"combinations-{index}",
        title=emotion,
        alternative=f"Different combinations with an active unit: {listing(counts)}.",
        caption="Bars: as counted; points: expected at equal frames, with intervals." if index == 0 else "",
        height=250,
    )


def _tabulate_tests(tests: pd.DataFrame, facts: ReportFacts) -> Table:
    positive, comparison = facts.groups
    rows = [
        [
            Cell(str(row["emotion"])),
            Cell(
                MEASURE_LABELS.get(row["measure"], str(row["measure"])) + (", with sides" if row["directions"] else "")
            ),
            *(number_cell(number(row[key], 0), row[key]) for key in ("n_a", "n_b")),
            *(number_cell(number(row[key]), row[key]) for key in ("mean_a", "mean_b")),
            number_cell(number(row["z_signed"]), row["z_signed"]),
            number_cell(p_value(row["p"]), row["p"]),
            number_cell(p_value(row["p_bh"]) + (" *" if row["p_bh"] < facts.alpha else ""), row["p_bh"]),
            number_cell(estimate(row["rank_biserial"], row["ci_low"], row["ci_high"]), row["rank_biserial"]),
            Cell(str(row["note"] or "")),
        ]
        for row in tests.to_dict("records")
    ]
    headings = [
        Heading("Emotion"), Heading("Measure"), numeric(f"n {positive}"), numeric(f"n {comparison}"), numeric(f"Mean {positive}"),
        numeric(f"Mean {comparison}"), numeric("z", "Signed: positive where the first group is higher"), numeric("p"),
        numeric("p, adjusted", "Benjamini-Hochberg over all rows"), numeric("Rank-biserial r", "95% interval"), Heading("Note"),
    ]  # fmt: skip
    return Table(
        "combination-tests",
        "Mann-Whitney tests of combinations, one value a participant",
        headings,
        rows,
        folded=f"All {len(rows)} tests of combinations as a table",
        tall=True,
    )
