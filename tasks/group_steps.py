"""The steps on the tables of a whole study: read, call the analysis, write what changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from features.synthetic.planted_effects import PLANTED_EFFECTS, population_values
from features.synthetic.sessions import default_script
from features.vector_58 import SIGNALS
from tasks.bids_names import Derivatives
from tasks.classification import PERFORMANCE_COLUMNS, PREDICTION_COLUMNS, classify_participants
from tasks.comparison import compare_groups
from tasks.comparison_tables import describe_comparison
from tasks.errors import InvalidInputError
from tasks.expression_votes import VoteTables
from tasks.planted_effects import PLANTED_EFFECT_COLUMNS, estimate_effects
from tasks.progress import Reporter, silent
from tasks.provenance import MISSING, find_damage, read_sidecar
from tasks.settings import ClassifySettings, CompareSettings, StudySettings, SummarizeSettings
from tasks.step_plans import (
    SessionEvents,
    plan_classification,
    plan_comparison,
    plan_features,
    plan_planted_effects,
)
from tasks.steps import MadeTable, bring_up_to_date
from tasks.summarize import participant_columns, summarize_participants
from tasks.tables import column_names, read_table


def update_features(
    derivatives: Derivatives, frame_tables: Sequence[Path], participants: pd.DataFrame, *, settings: SummarizeSettings
) -> str | None:
    """Bring the participant table up to date: coverage and the 58 features, one row a participant and session.

    Returns
    -------
    str or None
        Why it was computed; None where it still held.
    """
    planned = plan_features(derivatives, frame_tables, participants, settings=settings)

    def compute() -> dict[str, MadeTable]:
        require_whole(frame_tables)
        rows = summarize_participants(frame_tables, participants, settings)
        return {
            "features": MadeTable(
                rows,
                "One row a participant and session: coverage and the 58 temporal features of Li et al. (2019)",
                participant_columns(settings),
                merge_facts(frame_tables),
            )
        }

    return bring_up_to_date(planned, compute)


def update_classification(
    derivatives: Derivatives,
    *,
    settings: ClassifySettings,
    study: StudySettings,
    progress: Reporter = silent,
) -> str | None:
    """Bring the classifiers' performance and predictions up to date.

    Raises
    ------
    TooFewParticipantsError
        If a group has too few participants.
    """
    features = derivatives.group_table("features", "participants")
    planned = plan_classification(derivatives, settings=settings, study=study)

    def compute() -> dict[str, MadeTable]:
        require_whole([features])
        performance, predictions = classify_participants(
            read_table(features),
            settings,
            positive_group=study.positive_group,
            comparison_group=study.comparison_group,
            progress=progress,
        )
        facts = merge_facts([features])
        return {
            "performance": MadeTable(
                performance, "Classifiers of participants, leaving one participant out", PERFORMANCE_COLUMNS, facts
            ),
            "predictions": MadeTable(
                predictions,
                "Truth, prediction and score of each participant who was left out",
                PREDICTION_COLUMNS,
                facts,
            ),
        }

    return bring_up_to_date(planned, compute)


def update_comparison(
    derivatives: Derivatives,
    frame_tables: Sequence[Path],
    events: SessionEvents,
    *,
    settings: CompareSettings,
    study: StudySettings,
    summarize: SummarizeSettings,
    vote_tables: VoteTables | None = None,
) -> str | None:
    """Bring the tests of group differences up to date: by attribute group, by action unit and emotion, by combinations."""
    features = derivatives.group_table("features", "participants")
    planned = plan_comparison(
        derivatives,
        frame_tables,
        events,
        settings=settings,
        study=study,
        summarize=summarize,
        vote_tables=vote_tables,
    )

    def compute() -> dict[str, MadeTable]:
        require_whole([features, *frame_tables])
        comparison = compare_groups(
            read_table(features),
            [path for path in frame_tables if set(SIGNALS) <= set(column_names(path))],
            events,
            settings,
            group_a=study.positive_group,
            group_b=study.comparison_group,
            activation_threshold=summarize.activation_threshold,
            vote_tables=vote_tables,
        )
        return describe_comparison(comparison, merge_facts([features]))

    return bring_up_to_date(planned, compute)


def update_planted_effects(
    derivatives: Derivatives,
    frame_tables: Sequence[Path],
    events: SessionEvents,
    participants: pd.DataFrame,
    *,
    seconds: float,
    summarize: SummarizeSettings,
) -> str | None:
    """Compare the differences that were planted in a rendered study with those that its frame tables show."""
    planned = plan_planted_effects(derivatives, frame_tables, events, seconds=seconds, summarize=summarize)

    def compute() -> dict[str, MadeTable]:
        require_whole(frame_tables)
        planted = {name: value.difference for name, value in population_values(script=default_script(seconds)).items()}
        rows = estimate_effects(
            frame_tables,
            events,
            participants,
            PLANTED_EFFECTS,
            planted=planted,
            activation_threshold=summarize.activation_threshold,
            positive_threshold=summarize.positive_threshold,
        )
        return {
            "planted_effects": MadeTable(
                rows,
                "Differences between the rendered groups: planted in the population, and estimated from the frame tables",
                PLANTED_EFFECT_COLUMNS,
                merge_facts(frame_tables),
            )
        }

    return bring_up_to_date(planned, compute)


def require_whole(inputs: Sequence[Path]) -> None:
    """Refuse inputs that are not as their steps wrote them: a cut or edited table would give numbers that nobody measured.

    Raises
    ------
    InvalidInputError
        If one was altered, or its sidecar is missing or damaged.
    """
    for path in inputs:
        damage = find_damage(path)
        if damage is not None and damage != MISSING:
            raise InvalidInputError(
                f"Expected the table {path.name} as facetrace wrote it, but {damage}. `facetrace run` builds it again."
            )


def merge_facts(inputs: Sequence[Path]) -> dict[str, Any]:
    """What a table inherits from the tables it is made of: whether demo weights or rendered recordings are behind it."""
    facts = [(read_sidecar(path) or {}).get("facts", {}) for path in inputs]
    return {name: any(item.get(name, False) for item in facts) for name in ("demo_weights", "rendered")}
