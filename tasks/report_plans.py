"""What decides each report: the tables that it shows, what is known of its participants, and the settings that it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tasks.bids_names import Derivatives
from tasks.checking import CheckedStudy
from tasks.events import read_events
from tasks.manifest import RunManifest
from tasks.provenance import Step, hash_json
from tasks.settings import Settings
from tasks.step_plans import COMPARISON_FIGURES, RATINGS_TABLE, figure_paths, hash_files, hash_rows
from tasks.steps import PlannedStep
from tasks.study import Participant, Recording

REPORT_VERSION: Final = 2
"""Raised when templates or figures change."""

STUDY_FIGURES: Final = ("flow", "coverage", "performance", "roc", "features")
"""Figures for print that are drawn with the group report."""

GROUP_TABLES: Final = {
    "features": ("features", "participants", "summarize"),
    "performance": ("performance", "classifiers", "classify"),
    "predictions": ("predictions", "classifiers", "classify"),
    "attribute_tests": ("attributegroups", "tests", "compare"),
    "emotion_tests": ("emotionaus", "tests", "compare"),
    "emotion_frames": ("emotionframes", "tests", "compare"),
    "combinations": ("combinations", "complexity", "compare"),
    "combination_tests": ("combinations", "tests", "compare"),
    "planted_effects": ("planted", "effects", "planted effects"),
}
"""Table of the group report -> its name and suffix, and the step that makes it."""


ATYPICALITY_TABLES: Final = ("performance", "signals", "moments", "segments", "folds")
"""Tables of predicted atypicality that the group report shows, where the study has ratings."""


def atypicality_tables(checked: CheckedStudy) -> dict[str, Path]:
    """Where those tables stand; none without ratings, when older ones no longer count."""
    if not (checked.study.folder / RATINGS_TABLE).is_file():
        return {}
    return {name: checked.study.derivatives.group_table(name, "atypicality") for name in ATYPICALITY_TABLES}


def plan_participant_reports(checked: CheckedStudy) -> list[tuple[Participant, PlannedStep]]:
    """What decides the report of each participant who was chosen."""
    study = checked.study
    settings = _shown_on_every_page(checked.settings)
    # Every report shows the cohort; a table of thousands is hashed once.
    cohort = hash_files([study.derivatives.group_table("features", "participants")])
    rated = atypicality_tables(checked)
    cohort |= hash_files([rated["segments"]] if rated else [])
    return [
        (
            person,
            PlannedStep(
                Step("report", REPORT_VERSION, settings, {**cohort, **_inputs_of(checked, person)}),
                {"report": study.derivatives.participant_report(person.participant_id)},
            ),
        )
        for person in study.participants
        if person.participant_id not in study.not_chosen
    ]


def _inputs_of(checked: CheckedStudy, person: Participant) -> dict[str, str]:
    recordings = checked.study.recordings_of(person.participant_id)
    mine = checked.triage[checked.triage["participant_id"] == person.participant_id]
    return {
        **hash_files(list(map(checked.frame_table, recordings))),
        **hash_files([study_track(checked, item) for item in recordings] if atypicality_tables(checked) else []),
        "events": hash_rows(*(read_events(item.events_path) for item in recordings if item.events_path is not None)),
        "participants.tsv": hash_json([person.group, {key: str(item) for key, item in person.covariates.items()}]),
        "triage": hash_rows(mine),
        "problems": hash_json(checked.study.failed.get(person.participant_id, "")),
    }


def study_track(checked: CheckedStudy, recording: Recording) -> Path:
    """Where the predicted atypicality of a recording stands."""
    return checked.study.derivatives.atypicality_track(*recording.key)


def plan_group_report(checked: CheckedStudy, manifest: RunManifest) -> PlannedStep:
    """What decides the report of the study, given how the inputs of a run ended."""
    derivatives = checked.study.derivatives
    tables = [derivatives.group_table(name, suffix) for name, suffix, _step in GROUP_TABLES.values()]
    tables += atypicality_tables(checked).values()
    outcomes = [[*item.key, item.status, item.reason] for item in manifest.outcomes]
    comparison = [
        derivatives.comparison_page.exists(),
        *(path.exists() for path in comparison_figures(derivatives).values()),
    ]
    inputs = {
        **hash_files([*tables, *checked.frame_tables()]),
        "participants.tsv": hash_rows(checked.study.participants_table()),
        "triage": hash_rows(checked.triage),
        "pages of the comparison": hash_json(comparison),
        "outcomes of the run": hash_json([outcomes, manifest.step_errors]),
    }
    settings = checked.settings.model_dump(mode="json", exclude={"run"})
    outputs = {"report": derivatives.group_report, **figure_paths(derivatives, STUDY_FIGURES)}
    return PlannedStep(Step("report", REPORT_VERSION, settings, inputs), outputs)


def comparison_figures(derivatives: Derivatives) -> dict[str, Path]:
    """Figures for print that the comparison draws."""
    return figure_paths(derivatives, COMPARISON_FIGURES)


def _shown_on_every_page(settings: Settings) -> dict[str, Any]:
    return {
        "study": settings.study.model_dump(mode="json"),
        "report": settings.report.model_dump(mode="json"),
        "summarize.min_valid_fraction": settings.summarize.min_valid_fraction,
        "summarize.min_valid_frames": settings.summarize.min_valid_frames,
        "quality.max_yaw_deg": settings.quality.max_yaw_deg,
        "quality.max_pitch_deg": settings.quality.max_pitch_deg,
    }
