"""The steps on the tables of a whole study: read, call the analysis, write what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from features.synthetic.planted_effects import PLANTED_EFFECTS, population_values
from features.synthetic.sessions import default_script
from tasks.bids_names import Derivatives
from tasks.classification import PERFORMANCE_COLUMNS, PREDICTION_COLUMNS, classify_participants
from tasks.comparison import ATTRIBUTE_TEST_COLUMNS, EMOTION_TEST_COLUMNS, compare_groups
from tasks.planted_effects import PLANTED_EFFECT_COLUMNS, estimate_effects
from tasks.progress import Reporter, silent
from tasks.provenance import Step, read_sidecar, sha256_file
from tasks.settings import ClassifySettings, CompareSettings, StudySettings, SummarizeSettings
from tasks.steps import MadeTable, bring_up_to_date
from tasks.summarize import participant_columns, summarize_participants
from tasks.tables import read_table

SUMMARIZE_VERSION: Final = 1
CLASSIFY_VERSION: Final = 1
COMPARE_VERSION: Final = 1
PLANTED_VERSION: Final = 1
"""Code versions: raised when a change moves the numbers of the step."""

SessionEvents = Mapping[tuple[str, str, str], pd.DataFrame]
"""(participant_id, session, task) -> stimulus segments."""


def update_features(
    derivatives: Derivatives, frame_tables: Sequence[Path], participants: pd.DataFrame, *, settings: SummarizeSettings
) -> str | None:
    """Bring the participant table up to date: coverage and the 58 features, one row a participant and session.

    Returns
    -------
    str or None
        Why it was computed; None where it still held.
    """
    output = derivatives.group_table("features", "participants")
    step = Step(
        "summarize",
        SUMMARIZE_VERSION,
        {f"summarize.{name}": value for name, value in settings.model_dump(mode="json").items()},
        {**_hashes(frame_tables), "participants.tsv": hash_rows(participants)},
    )

    def compute() -> dict[str, MadeTable]:
        rows = summarize_participants(frame_tables, participants, settings)
        return {
            "features": MadeTable(
                rows,
                "One row a participant and session: coverage and the 58 temporal features of Li et al. (2019)",
                participant_columns(settings),
                merge_facts(frame_tables),
            )
        }

    return bring_up_to_date({"features": output}, step, compute)


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
    outputs = {
        "performance": derivatives.group_table("performance", "classifiers"),
        "predictions": derivatives.group_table("predictions", "classifiers"),
    }
    step = Step("classify", CLASSIFY_VERSION, {**_section("classify", settings), **_groups(study)}, _hashes([features]))

    def compute() -> dict[str, MadeTable]:
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

    return bring_up_to_date(outputs, step, compute)


def update_comparison(
    derivatives: Derivatives,
    frame_tables: Sequence[Path],
    events: SessionEvents,
    *,
    settings: CompareSettings,
    study: StudySettings,
    summarize: SummarizeSettings,
) -> str | None:
    """Bring the tests of group differences up to date: by attribute group, and by action unit and emotion."""
    features = derivatives.group_table("features", "participants")
    outputs = {
        "attribute_groups": derivatives.group_table("attributegroups", "tests"),
        "emotion_aus": derivatives.group_table("emotionaus", "tests"),
    }
    step = Step(
        "compare",
        COMPARE_VERSION,
        {**_section("compare", settings), **_groups(study), **_thresholds(summarize)},
        {**_hashes([features, *frame_tables]), "events": hash_rows(*events.values())},
    )

    def compute() -> dict[str, MadeTable]:
        attribute_groups, emotion_aus = compare_groups(
            read_table(features),
            frame_tables,
            events,
            settings,
            group_a=study.positive_group,
            group_b=study.comparison_group,
            activation_threshold=summarize.activation_threshold,
        )
        facts = merge_facts([features])
        return {
            "attribute_groups": MadeTable(
                attribute_groups,
                "Student's t by attribute group, one value a participant",
                ATTRIBUTE_TEST_COLUMNS,
                facts,
            ),
            "emotion_aus": MadeTable(
                emotion_aus,
                "Mann-Whitney tests by action unit and emotion segment, one value a participant",
                EMOTION_TEST_COLUMNS,
                facts,
            ),
        }

    return bring_up_to_date(outputs, step, compute)


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
    output = derivatives.group_table("planted", "effects")
    step = Step(
        "planted_effects",
        PLANTED_VERSION,
        {"seconds": seconds, **_thresholds(summarize)},
        {**_hashes(frame_tables), "events": hash_rows(*events.values())},
    )

    def compute() -> dict[str, MadeTable]:
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

    return bring_up_to_date({"planted_effects": output}, step, compute)


def merge_facts(inputs: Sequence[Path]) -> dict[str, Any]:
    """What a table inherits from the tables it is made of: whether demo weights or rendered recordings are behind it."""
    facts = [(read_sidecar(path) or {}).get("facts", {}) for path in inputs]
    return {name: any(item.get(name, False) for item in facts) for name in ("demo_weights", "rendered")}


def hash_rows(*tables: pd.DataFrame) -> str:
    """A hash over the rows of tables that are inputs but have no file of their own, such as selected participants."""
    parts = [str(int(pd.util.hash_pandas_object(table.astype(str), index=False).sum())) for table in tables]
    return "-".join(sorted(parts))


def _hashes(paths: Sequence[Path]) -> dict[str, str]:
    return {path.stem: sha256_file(path) for path in paths}


def _section(name: str, settings: ClassifySettings | CompareSettings) -> dict[str, Any]:
    return {f"{name}.{key}": value for key, value in settings.model_dump(mode="json").items()}


def _thresholds(settings: SummarizeSettings) -> dict[str, Any]:
    return {
        "summarize.activation_threshold": settings.activation_threshold,
        "summarize.positive_threshold": settings.positive_threshold,
    }


def _groups(study: StudySettings) -> dict[str, Any]:
    return {"study.positive_group": study.positive_group, "study.comparison_group": study.comparison_group}
