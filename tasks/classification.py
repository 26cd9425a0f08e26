"""Participant table -> performance and predictions of the seven classifiers, leaving one participant out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from classifiers.tabular import CLASSIFIER_TITLES, CLASSIFIERS, MIN_TRAINING_PER_CLASS
from classifiers.validation import PermutationResult, leave_one_participant_out, permutation_p
from features.frame_table import Column
from features.vector_58 import FEATURE_NAMES, FEATURE_SETS
from stats.performance import METRICS, evaluate_predictions
from tasks.errors import InvalidInputError, TooFewParticipantsError
from tasks.settings import ClassifySettings
from tasks.summarize import EXCLUSION_REASON, INCLUDED

Progress = Callable[[str, int, int], None]
"""Called with the name of the work, the units done and the units in all."""

_METRIC_TITLES: Final[dict[str, str]] = {
    "f1": "F1 of the positive group",
    "sensitivity": "Share of the positive group that was found",
    "specificity": "Share of the comparison group that was left alone",
    "accuracy": "Share of right predictions",
    "auc": "Area under the ROC curve of the scores",
    "mcc": "Matthews correlation",
}


def _metric_columns() -> Iterator[Column]:
    for metric in METRICS:
        low = -1.0 if metric == "mcc" else 0.0
        unit = "correlation" if metric == "mcc" else "fraction"
        yield Column(metric, "float64", _METRIC_TITLES[metric], unit, low, 1)
        yield Column(f"{metric}_low", "float64", f"Lower end of the interval of {metric}", unit, low, 1)
        yield Column(f"{metric}_high", "float64", f"Upper end of the interval of {metric}", unit, low, 1)


_SET_LEVELS: Final[dict[str, str]] = {name: f"{len(names)} features" for name, names in FEATURE_SETS.items()}

PERFORMANCE_COLUMNS: Final[tuple[Column, ...]] = (
    Column("feature_set", "string", "Features that were used", levels=_SET_LEVELS),
    Column("n_features", "int32", "Number of features", low=1),
    Column("classifier", "string", "Classifier", levels=CLASSIFIER_TITLES),
    Column("n", "int32", "Participants", low=0),
    Column("n_positive", "int32", "Participants of the positive group", low=0),
    Column("n_negative", "int32", "Participants of the comparison group", low=0),
    Column("tp", "int32", "Positive participants predicted positive", low=0),
    Column("fp", "int32", "Comparison participants predicted positive", low=0),
    Column("tn", "int32", "Comparison participants predicted negative", low=0),
    Column("fn", "int32", "Positive participants predicted negative", low=0),
    *_metric_columns(),
    Column(
        "p_permutation", "float64", "p of F1 by permuting groups over participants; null if not done", low=0, high=1
    ),
    Column("n_permutations", "int32", "Number of permutations; 0 if not done", low=0),
    Column("p_smallest", "float64", "Smallest p that so many permutations can give", low=0, high=1),
)
"""Data dictionary of ``desc-performance_classifiers``."""

PREDICTION_COLUMNS: Final[tuple[Column, ...]] = (
    Column("feature_set", "string", "Features that were used", levels=_SET_LEVELS),
    Column("classifier", "string", "Classifier", levels=CLASSIFIER_TITLES),
    Column("participant_id", "string", "Participant who was left out"),
    Column("truth", "string", "Group of the participant"),
    Column("prediction", "string", "Predicted group"),
    Column("score", "float64", "Decision function or, for xgboost, probability; higher speaks for the positive group"),
)
"""Data dictionary of ``desc-predictions_classifiers``."""


def classify_participants(
    features: pd.DataFrame,
    settings: ClassifySettings | None = None,
    *,
    positive_group: str = "ASD",
    comparison_group: str = "TD",
    n_jobs: int = -1,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Classify each participant by classifiers that were trained on the others.

    Parameters
    ----------
    features
        ``desc-features_participants``, one row a session. Sessions that are not `included` and participants of other
        groups are left out; several sessions of a participant leave together and their scores are averaged.
    settings
        Section `classify` of the settings; the defaults where None.
    positive_group, comparison_group
        Group to detect, and the other.
    n_jobs
        Processes, each with one thread; -1 for one a core. Results do not depend on it.
    progress
        Told how many validations and permutations are done.

    Returns
    -------
    performance : DataFrame
        ``desc-performance_classifiers``: one row a feature set and classifier; p-values for the set of all features.
    predictions : DataFrame
        ``desc-predictions_classifiers``: one row a feature set, classifier and participant.

    Raises
    ------
    TooFewParticipantsError
        If a group has fewer participants than the settings or a classifier need.
    InvalidInputError
        If columns are missing or a participant is in two groups.
    """
    chosen = settings or ClassifySettings()
    rows = select_included(features, positive_group, comparison_group)
    minimum = max(chosen.min_participants_per_group, *(1 + MIN_TRAINING_PER_CLASS[name] for name in chosen.classifiers))
    require_participants(features, rows, minimum, positive_group, comparison_group)
    tell = progress or _ignore
    tables = _validate_all(rows, chosen, positive_group, n_jobs, tell)
    p_values = _permute_all(rows, chosen, positive_group, n_jobs, tell)
    performance = [
        _performance_row(feature_set, name, table, p_values.get((feature_set, name)), chosen, positive_group)
        for (feature_set, name), table in tables.items()
    ]
    predictions = [
        table.drop(columns="n_sessions").assign(feature_set=feature_set, classifier=name)
        for (feature_set, name), table in tables.items()
    ]
    int_columns = {c.name: "int32" for c in PERFORMANCE_COLUMNS if c.dtype == "int32"}
    return (
        pd.DataFrame(performance, columns=[c.name for c in PERFORMANCE_COLUMNS]).astype(int_columns),
        pd.concat(predictions, ignore_index=True)[[c.name for c in PREDICTION_COLUMNS]],
    )


def _ignore(name: str, done: int, total: int) -> None:
    del name, done, total


def select_included(features: pd.DataFrame, positive_group: str, comparison_group: str) -> pd.DataFrame:
    """Keep the sessions of two groups that passed the coverage gate.

    Parameters
    ----------
    features
        ``desc-features_participants``.
    positive_group, comparison_group
        The two groups.

    Returns
    -------
    DataFrame
        Rows to analyse.

    Raises
    ------
    InvalidInputError
        If columns are missing, or a participant is in both groups.
    """
    needed = ("participant_id", "group", INCLUDED, EXCLUSION_REASON, *FEATURE_NAMES)
    absent = [name for name in needed if name not in features]
    if absent:
        raise InvalidInputError(
            f"Expected a participant table; missing are {', '.join(absent)}. Run facetrace summarize first."
        )
    rows = features[features["group"].isin([positive_group, comparison_group]) & features[INCLUDED].astype(bool)]
    groups = rows.groupby("participant_id")["group"].nunique()
    if (groups > 1).any():
        raise InvalidInputError(f"Expected each participant in one group, got {groups[groups > 1].index[0]} in two.")
    return rows


def require_participants(
    features: pd.DataFrame, rows: pd.DataFrame, minimum: int, positive_group: str, comparison_group: str
) -> None:
    """Stop where a group has too few participants for an analysis.

    Parameters
    ----------
    features
        The whole participant table, for the count of those who were left out.
    rows
        Rows to analyse.
    minimum
        Participants that each group needs.
    positive_group, comparison_group
        The two groups.

    Raises
    ------
    TooFewParticipantsError
        If a group has fewer than `minimum` participants.
    """
    counts = {
        group: int(rows.loc[rows["group"] == group, "participant_id"].nunique())
        for group in (positive_group, comparison_group)
    }
    if min(counts.values()) >= minimum:
        return
    got = " and ".join(f"{count} {group}" for group, count in counts.items())
    excluded = features[~features[INCLUDED].astype(bool)]
    reasons = "; ".join(
        f"sub-{person}: {reason}"
        for person, reason in zip(excluded["participant_id"], excluded[EXCLUSION_REASON], strict=True)
    )
    known = ", ".join(sorted({str(group) for group in features["group"].dropna()}))
    raise TooFewParticipantsError(
        f"Expected {minimum} participants or more in each group, got {got}. Groups in the table: {known or 'none'}. "
        f"Left out: {reasons or 'none'}."
    )


def _validate_all(
    rows: pd.DataFrame, settings: ClassifySettings, positive: str, n_jobs: int, tell: Progress
) -> dict[tuple[str, str], pd.DataFrame]:
    """Validate every feature set with every classifier, in the order of tables."""
    sets = ["all", *(name for name in FEATURE_SETS if name != "all")] if settings.ablation else ["all"]
    jobs = [(feature_set, name) for feature_set in sets for name in settings.classifiers]
    finished = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(leave_one_participant_out)(
            CLASSIFIERS[name](settings.seed),
            rows[list(FEATURE_SETS[feature_set])],
            rows["group"],
            rows["participant_id"],
            positive=positive,
        )
        for feature_set, name in jobs
    )
    tables: dict[tuple[str, str], pd.DataFrame] = {}
    for done, (job, table) in enumerate(zip(jobs, finished, strict=True), start=1):
        tables[job] = table
        tell("classify", done, len(jobs))
    return tables


def _permute_all(
    rows: pd.DataFrame, settings: ClassifySettings, positive: str, n_jobs: int, tell: Progress
) -> dict[tuple[str, str], PermutationResult]:
    """Permute for the set of all features: four sets would be four times the hours for one more column."""
    if settings.permutations == 0:
        return {}
    total = settings.permutations * len(settings.classifiers)
    results: dict[tuple[str, str], PermutationResult] = {}
    for position, name in enumerate(settings.classifiers):

        def report(done: int, _: int, before: int = position * settings.permutations) -> None:
            tell("permutations", before + done, total)

        results["all", name] = permutation_p(
            CLASSIFIERS[name](settings.seed),
            rows[list(FEATURE_NAMES)],
            rows["group"],
            rows["participant_id"],
            positive=positive,
            n_permutations=settings.permutations,
            seed=settings.seed,
            n_jobs=n_jobs,
            progress=report,
        )
    return results


def _performance_row(
    feature_set: str,
    name: str,
    table: pd.DataFrame,
    permutation: PermutationResult | None,
    settings: ClassifySettings,
    positive: str,
) -> dict[str, object]:
    performance = evaluate_predictions(
        table["truth"].tolist(),
        table["prediction"].tolist(),
        table["score"].to_numpy(),
        positive=positive,
        confidence_level=settings.confidence_level,
        n_bootstrap=settings.bootstrap_samples,
        seed=settings.seed,
    )
    counts = performance.counts
    row: dict[str, object] = {
        "feature_set": feature_set,
        "n_features": len(FEATURE_SETS[feature_set]),
        "classifier": name,
        **{key: getattr(counts, key) for key in ("n", "n_positive", "n_negative", "tp", "fp", "tn", "fn")},
    }
    for metric in METRICS:
        estimate = getattr(performance, metric)
        row |= {metric: estimate.value, f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
    row["p_permutation"] = permutation.p if permutation else np.nan
    row["n_permutations"] = permutation.n_permutations if permutation else 0
    row["p_smallest"] = permutation.p_smallest if permutation else np.nan
    return row
