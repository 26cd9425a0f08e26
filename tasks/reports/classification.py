"""Section on the classifiers: performance with intervals, ablation, ROC curves, confusion counts, predictions."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from sklearn.metrics import roc_curve

from tasks.reports.blocks import (
    Absent,
    Block,
    Cell,
    Charts,
    Findings,
    Heading,
    Matrices,
    Matrix,
    Subheading,
    Table,
    number_cell,
    numeric,
)  # fmt: skip
from tasks.reports.figures import (
    BLACK,
    BLUE,
    DASHES,
    INK,
    LINES,
    MUTED,
    VERMILION,
    Chart,
    add_interval_points,
    add_reference_line,
    list_rows_from_top,
    make_chart,
    new_figure,
    rounded,
)
from tasks.reports.formatting import (
    METRIC_LABELS,
    chart_text,
    classifier_label,
    estimate,
    interval,
    is_missing,
    level,
    number,
    p_value,
    percent,
    plural,
)
from tasks.reports.inputs import GroupReportInputs, ReportFacts
from tasks.reports.pages import absent_reason

ALL_FEATURES: Final = "all"
_SET_LABELS: Final = {
    "AU": "Action units",
    "AU+arousal": "+ arousal",
    "AU+arousal+valence": "+ valence",
    ALL_FEATURES: "All",
}


def describe_classification(inputs: GroupReportInputs) -> list[Block]:
    """Blocks of the classification section."""
    if inputs.performance is None or inputs.performance.empty:
        return [Absent(absent_reason(inputs.absent.get("performance", "")))]
    full = inputs.performance[inputs.performance["feature_set"] == ALL_FEATURES]
    blocks: list[Block] = []
    if full.empty:
        blocks.append(Absent("No classifier was trained on all 58 features."))
    else:
        blocks += [Findings(find_performance(full, inputs.facts)), _tabulate_performance(full, inputs.facts)]
        blocks.append(Charts([_draw_metric(full, metric, inputs.facts) for metric in ("f1", "auc")], columns=2))
        blocks += _draw_decisions(full, inputs)
        blocks += [Subheading("Confusion matrices"), list_matrices(full, inputs.facts)]
    if len(inputs.performance["feature_set"].drop_duplicates()) > 1:
        blocks += [Subheading("What each attribute adds"), _tabulate_ablation(inputs.performance, inputs.facts)]
    blocks.append(Subheading("Participant by participant"))
    if inputs.predictions is None or inputs.predictions.empty:
        blocks.append(Absent(absent_reason(inputs.absent.get("predictions", ""))))
        return blocks
    predictions = inputs.predictions[inputs.predictions["feature_set"] == ALL_FEATURES]
    blocks.append(_tabulate_predictions(predictions, inputs))
    return blocks


def _draw_decisions(full: pd.DataFrame, inputs: GroupReportInputs) -> list[Block]:
    confusion = draw_confusion(full, inputs.facts)
    if inputs.predictions is None:
        return [Charts([confusion]), Absent(absent_reason(inputs.absent.get("predictions", "")))]
    curves = draw_roc(inputs.predictions[inputs.predictions["feature_set"] == ALL_FEATURES], inputs.facts)
    if curves is None:
        return [Charts([confusion]), Absent("A ROC curve needs scored participants of both groups.")]
    return [Charts([curves, confusion], columns=2)]


def chance_f1(n_positive: float, n_negative: float) -> float:
    """F1 of calling everyone positive: 2 n+ / (2 n+ + n-)."""
    total = 2 * n_positive + n_negative
    return 2 * n_positive / total if total else 0.0


def find_performance(full: pd.DataFrame, facts: ReportFacts) -> list[str]:
    """What the classifiers' table says, in sentences that hold for any result."""
    first = full.iloc[0]
    positive = facts.positive_group
    chance = chance_f1(first["n_positive"], first["n_negative"])
    above = full[full["f1_low"] > chance]
    summary = (
        f"n = {first['n']:.0f} ({first['n_positive']:.0f} {positive}, {first['n_negative']:.0f} "
        f"{facts.comparison_group}), "
        f"leaving one participant out. F1 for {positive} lies between {number(full['f1'].min())} and "
        f"{number(full['f1'].max())}; calling everyone {positive} would give {number(chance)}. "
        f"The {percent(facts.confidence_level)} interval lies above that in {len(above)} of {len(full)} classifiers."
    )
    sentences = [summary]
    tested = full[full["p_permutation"].notna()]
    if len(tested):
        low = tested[tested["p_permutation"] < facts.alpha]
        smallest = tested["p_smallest"].min()
        sentences.append(
            f"Permutation p < {level(facts.alpha)} in {len(low)} of {len(tested)} classifiers. With "
            f"{plural(int(tested['n_permutations'].max()), 'label permutation')} p cannot be smaller than "
            f"{p_value(smallest)}. "
            "These p-values are not adjusted for the number of classifiers."
        )
    else:
        sentences.append("Labels were not permuted, so there is no p-value.")
    sentences.append(
        "The best of several classifiers, picked after the fact on the same participants, looks better than it is. "
        "Read the range, not the maximum."
    )
    return sentences


def _metric_cell(row: pd.Series, metric: str) -> Cell:
    return number_cell(number(row[metric]), row[metric], detail=interval(row[f"{metric}_low"], row[f"{metric}_high"]))


def permutation_cell(row: pd.Series) -> Cell:
    """Permutation p over the smallest that the number of permutations can reach; where they are equal, that is said."""
    if is_missing(row["p_permutation"]):
        return Cell("not permuted")
    if is_missing(row["p_smallest"]):
        return number_cell(p_value(row["p_permutation"]), row["p_permutation"])
    reached = row["p_permutation"] <= row["p_smallest"] * (1 + 1e-9)
    detail = "the smallest" if reached else f"smallest {p_value(row['p_smallest'])}"
    return number_cell(p_value(row["p_permutation"]), row["p_permutation"], detail=detail)


def _tabulate_performance(full: pd.DataFrame, facts: ReportFacts) -> Table:
    rows = [
        [
            Cell(classifier_label(row["classifier"])),
            number_cell(f"{row['n']:.0f}", row["n"]),
            *(_metric_cell(row, metric) for metric in METRIC_LABELS),
            permutation_cell(row),
        ]
        for _, row in full.iterrows()
    ]
    headings = [
        Heading("Classifier"),
        numeric("n"),
        *(numeric(label) for label in METRIC_LABELS.values()),
        numeric("Permutation p", "Share of label permutations with an F1 at least as high"),
    ]
    return Table(
        "performance",
        f"Seven classifiers on {full['n_features'].iloc[0]:.0f} features"
        if len(full) == 7
        else "Classifiers, all features",
        headings,
        rows,
        note=f"Estimate [{percent(facts.confidence_level)} interval]. Positive class: {facts.positive_group}. "
        f"Sensitivity: share of "
        f"{facts.positive_group} recognised; specificity: share of {facts.comparison_group} "
        "recognised. Smallest: the least p that this number of label permutations can give.",
    )


def _draw_metric(full: pd.DataFrame, metric: str, facts: ReportFacts) -> Chart:
    label, confidence = METRIC_LABELS[metric], percent(facts.confidence_level)
    names = [chart_text(classifier_label(name)) for name in full["classifier"]]
    chance = 0.5 if metric == "auc" else chance_f1(full["n_positive"].iloc[0], full["n_negative"].iloc[0])
    figure = new_figure(top=22, bottom=44)
    hover = [f"{name}: {estimate(*values)}" for name, values in zip(names, _triples(full, metric), strict=True)]
    add_interval_points(
        figure,
        labels=names,
        values=list(full[metric]),
        low=list(full[f"{metric}_low"]),
        high=list(full[f"{metric}_high"]),
        colour=BLUE,
        hover=hover,
    )
    add_reference_line(figure, chance, "chance" if metric == "auc" else f"all {chart_text(facts.positive_group)}")
    list_rows_from_top(figure, names)
    figure.x_axis(range=[-0.02, 1.02], title=label, dtick=0.2)
    above = int((full[f"{metric}_low"] > chance).sum())
    meaning = "a coin" if metric == "auc" else f"calling everyone {facts.positive_group}"
    return make_chart(
        figure,
        name=f"forest-{metric}",
        title=f"{label} with {confidence} intervals",
        alternative=(
            f"{label} from {number(full[metric].min())} to {number(full[metric].max())}; {above} of {len(full)} "
            f"intervals "
            f"lie above {number(chance)}."
        ),
        caption=f"n = {full['n'].iloc[0]:.0f}. Dashed: {meaning} ({number(chance)}).",
        height=70 + 30 * len(full),
    )


def _triples(table: pd.DataFrame, metric: str) -> list[tuple[Any, Any, Any]]:
    return list(table[[metric, f"{metric}_low", f"{metric}_high"]].itertuples(index=False, name=None))


def draw_confusion(full: pd.DataFrame, facts: ReportFacts) -> Chart:
    """Bars of right and wrong calls: the positive group to the left, the comparison group to the right."""
    positive, comparison = (chart_text(group) for group in facts.groups)
    names = [chart_text(classifier_label(name)) for name in full["classifier"]]
    figure = new_figure(top=46, bottom=44, legend=True)
    bars = (
        ("tp", -1, f"{positive} recognised", BLUE, ""),
        ("fn", -1, f"{positive} missed", "#ffffff", BLUE),
        ("tn", 1, f"{comparison} recognised", VERMILION, ""),
        ("fp", 1, f"{comparison} called {positive}", "#ffffff", VERMILION),
    )
    for column, side, label, colour, edge in bars:
        figure.add(
            "bar",
            y=names,
            x=[side * int(value) for value in full[column]],
            text=[str(int(value)) if value else "" for value in full[column]],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": INK if edge else "#ffffff" if colour == BLUE else BLACK, "size": 12},
            orientation="h",
            name=label,
            marker={"color": colour, "line": {"color": edge or colour, "width": 1.5}},
            hovertemplate=f"%{{y}}: %{{text}} {label}<extra></extra>",
        )
    list_rows_from_top(figure, names)
    figure.lay_out(barmode="relative", bargap=0.3)
    figure.x_axis(showticklabels=False, ticks="", showgrid=False, title="Participants")
    correct = full["tp"] + full["tn"]
    return make_chart(
        figure,
        name="confusion-bars",
        title="Right and wrong calls",
        alternative=f"Between {correct.min():.0f} and {correct.max():.0f} of {full['n'].iloc[0]:.0f} participants "
        f"are called right.",
        caption="Solid: recognised. Outlined: not.",
        height=420,
    )


def list_matrices(full: pd.DataFrame, facts: ReportFacts) -> Matrices:
    """Confusion matrix of each classifier."""
    items = [
        Matrix(classifier_label(row["classifier"]), *(int(row[key]) for key in ("tp", "fn", "fp", "tn")))
        for _, row in full.iterrows()
    ]
    return Matrices(facts.positive_group, facts.comparison_group, items)


def _tabulate_ablation(performance: pd.DataFrame, facts: ReportFacts) -> Table:
    sets = list(dict.fromkeys(performance["feature_set"]))
    sizes = performance.groupby("feature_set")["n_features"].first()
    sets.sort(key=lambda name: sizes[name])
    rows = []
    for classifier in dict.fromkeys(performance["classifier"]):
        part = performance[performance["classifier"] == classifier].set_index("feature_set")
        cells = [_metric_cell(part.loc[name], "f1") if name in part.index else Cell("–") for name in sets]
        rows.append([Cell(classifier_label(classifier)), *cells])
    headings = [
        Heading("Classifier"),
        *(
            numeric(f"{_SET_LABELS.get(name, name)} ({sizes[name]:.0f})", f"{sizes[name]:.0f} features")
            for name in sets
        ),
    ]
    return Table(
        "ablation",
        "F1 by feature set (number of features)",
        headings,
        rows,
        note=f"Estimate [{percent(facts.confidence_level)} interval], the same participants in every column. "
        "Overlapping intervals: the difference is not established.",
    )


def draw_roc(predictions: pd.DataFrame, facts: ReportFacts) -> Chart | None:
    """ROC curves from the `score` column; None where one of the groups or every score is missing."""
    figure = new_figure(top=8, bottom=44, legend=True)
    figure.add(
        "scatter",
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": MUTED, "width": 1, "dash": "dot"},
        showlegend=False,
        hoverinfo="skip",
    )
    drawn, people = [], len(set(predictions["participant_id"]))
    for index, (name, part) in enumerate(predictions.dropna(subset=["score"]).groupby("classifier", sort=False)):
        truth = part["truth"] == facts.positive_group
        if truth.all() or not truth.any():
            continue
        false_rate, true_rate, _ = roc_curve(truth, part["score"], drop_intermediate=False)
        label = chart_text(classifier_label(str(name)))
        figure.add(
            "scatter",
            x=rounded(false_rate),
            y=rounded(true_rate),
            mode="lines",
            name=label,
            line={"color": LINES[index % 7], "width": 2, "dash": DASHES[index % 7], "shape": "hv"},
            hovertemplate=f"{label}: sensitivity %{{y:.2f}}, 1 − specificity %{{x:.2f}}<extra></extra>",
        )
        drawn.append(label)
    if not drawn:
        return None
    figure.x_axis(range=[-0.01, 1.01], title="1 − specificity", dtick=0.2)
    figure.y_axis(range=[-0.01, 1.02], title="Sensitivity", dtick=0.2)
    return make_chart(
        figure,
        name="roc",
        title="ROC curves",
        alternative=f"{plural(len(drawn), 'classifier')}, scores of {people} left-out participants.",
        caption="The area under each curve is in the table above. Scores of different folds are pooled, which tends to "
        "pull the curve down where folds differ in level. Dotted: a coin.",
        height=420,
    )


def _tabulate_predictions(predictions: pd.DataFrame, inputs: GroupReportInputs) -> Table:
    classifiers = list(dict.fromkeys(predictions["classifier"]))
    rows = []
    for name, part in predictions.groupby("participant_id", sort=False):
        by_classifier = part.set_index("classifier")
        correct = int((part["prediction"] == part["truth"]).sum())
        rows.append(
            [
                Cell(str(name), href=inputs.report_links.get(str(name), "")),
                Cell(str(part["truth"].iloc[0])),
                number_cell(f"{correct} of {len(part)}", correct),
                *(_prediction_cell(by_classifier, classifier) for classifier in classifiers),
            ]
        )
    headings = [
        Heading("Participant"),
        Heading("Group"),
        numeric("Correct"),
        *(numeric(classifier_label(name)) for name in classifiers),
    ]
    return Table(
        "predictions",
        "Prediction for each participant when left out",
        headings,
        rows,
        note="Predicted group over its score; ✗ marks a wrong one. Columns sort by score. The score is the decision "
        "function "
        f"where the classifier has one, else the probability of {inputs.facts.positive_group}: compare it within a "
        f"column only.",
        tall=len(rows) > 16,
    )


def _prediction_cell(by_classifier: pd.DataFrame, classifier: str) -> Cell:
    if classifier not in by_classifier.index or is_missing(by_classifier.loc[classifier, "prediction"]):
        return Cell("–")
    row = by_classifier.loc[classifier]
    wrong = row["prediction"] != row["truth"]
    text = f"{'✗ ' if wrong else ''}{row['prediction']}"
    return number_cell(text, row["score"], "bad" if wrong else "", detail=number(row["score"]))
