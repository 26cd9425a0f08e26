"""What a report is built from: tables and facts, no paths and no open files.

Every table may be None: the step that makes it failed, was skipped or is not part of the run. `absent` then says why, and
the section prints that sentence where the table would have stood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from features.facs import EMOTIONET_AUS
from tasks.manifest import Outcome
from tasks.reports.atypicality_inputs import AtypicalityTables, AtypicalityTrack

REQUIRED_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "participants": ("participant_id", "group"),
    "triage": ("participant_id", "session", "task", "status", "problem"),
    "invalid_reasons": ("participant_id", "session", "task", "invalid_reason", "n_frames"),
    "features": (
        "participant_id", "session", "task", "group", "n_frames", "n_valid", "valid_fraction", "longest_gap_s",
        "included", "exclusion_reason",
    ),
    "performance": (
        "feature_set", "n_features", "classifier", "n", "n_positive", "n_negative", "tp", "fp", "tn", "fn",
        *(f"{m}{end}" for m in ("f1", "sensitivity", "specificity", "accuracy", "auc", "mcc") for end in ("", "_low", "_high")),
        "p_permutation", "n_permutations", "p_smallest",
    ),
    "predictions": ("feature_set", "classifier", "participant_id", "truth", "prediction", "score"),
    "attribute_tests": (
        "attribute_group", "group_a", "group_b", "n_a", "n_b", "mean_a", "mean_b", "t", "df", "p", "p_bh", "hedges_g",
        "ci_low", "ci_high", "note",
    ),
    "emotion_tests": (
        "emotion", "signal", "group_a", "group_b", "n_a", "n_b", "mean_a", "mean_b", "u", "z_signed", "p", "p_bh",
        "rank_biserial", "ci_low", "ci_high", "note",
    ),
    "combinations": (
        "group", "emotion", "directions", "complexity", "n_types", "n_frames", "expected_types", "ci_low", "ci_high",
    ),
    "combination_tests": (
        "emotion", "directions", "measure", "n_a", "n_b", "mean_a", "mean_b", "z_signed", "p", "p_bh", "rank_biserial", "ci_low",
        "ci_high", "note",
    ),
    "quality": (
        "participant_id", "session", "task", "frames_per_s", "face_px", "face_score", "sharpness", "brightness", "turn_deg",
    ),
    "planted_effects": (
        "effect", "description", "statistic", "planted", "estimate", "ci_low", "ci_high", "n_a", "n_b", "p", "recovered",
    ),
    "weights": ("name", "sha256"),
}  # fmt: skip
"""Columns that a report reads from each table; further columns are welcome."""


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What the header of every report says.

    Attributes
    ----------
    study_name
        Name of the study.
    created
        Date and time of the report, as it shall be printed.
    software_version
        Version of facetrace.
    positive_group, comparison_group
        The two groups; the first is the one that classifiers detect.
    demo_weights
        Whether any number comes from weights that were trained on rendered faces.
    rendered_data
        Whether the recordings are rendered faces.
    min_valid_fraction, min_valid_frames
        The coverage gate.
    alpha
        Level at which adjusted p-values are marked.
    confidence_level
        Level of the intervals.
    assets
        Folder of `report_assets`, relative to the page.
    """

    study_name: str
    created: str
    software_version: str
    positive_group: str = "ASD"
    comparison_group: str = "TD"
    demo_weights: bool = False
    rendered_data: bool = False
    min_valid_fraction: float = 0.5
    min_valid_frames: int = 100
    alpha: float = 0.05
    confidence_level: float = 0.95
    assets: str = "assets"

    @property
    def groups(self) -> tuple[str, str]:
        """The positive and the comparison group."""
        return self.positive_group, self.comparison_group


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReportInputs:
    """Everything that the group report shows.

    Attributes
    ----------
    facts
        Header and thresholds.
    participants
        participants.tsv: at least `participant_id` and `group`, everyone who was enrolled.
    triage
        ``desc-triage_videos``.
    invalid_reasons
        Frames per participant, session, task and `invalid_reason`, from `count_invalid_reasons`.
    features
        ``desc-features_participants``.
    performance, predictions
        ``desc-performance_classifiers``, ``desc-predictions_classifiers``.
    attribute_tests, emotion_tests
        ``desc-attributegroups_tests``, ``desc-emotionaus_tests``.
    emotion_frames
        ``desc-emotionframes_tests``: the tests over frames, for a sentence on where they disagree.
    combinations, combination_tests
        ``desc-combinations_complexity``, ``desc-combinations_tests``.
    quality
        Participant, session, task, and what `tasks.reports.quality.measure_quality` gives for the recording.
    planted_effects
        ``desc-planted_effects``; only a rendered study has one.
    absent
        Name of a table above -> why it is None.
    outcomes
        How each recording ended.
    step_errors
        Analyses that could not run: `step`, `reason`.
    report_links
        Participant -> address of the participant's report, relative to the group report.
    settings
        All settings, section -> name -> value.
    versions
        Package -> version.
    weights
        Weights that were used: `name`, `sha256`, further columns such as `licence`, `intended_use`, `citation`.
    detector
        Name of the face detector's weights, for the methods text.
    atypicality
        Tables of predicted atypicality; None where the study has no ratings.
    comparison_link
        Address of the page of the comparison, relative to the report; empty where there is none.
    figure_links
        Figures for print: title, then format and address of each file.
    """

    facts: ReportFacts
    participants: pd.DataFrame | None = None
    triage: pd.DataFrame | None = None
    invalid_reasons: pd.DataFrame | None = None
    features: pd.DataFrame | None = None
    performance: pd.DataFrame | None = None
    predictions: pd.DataFrame | None = None
    attribute_tests: pd.DataFrame | None = None
    emotion_tests: pd.DataFrame | None = None
    emotion_frames: pd.DataFrame | None = None
    combinations: pd.DataFrame | None = None
    combination_tests: pd.DataFrame | None = None
    quality: pd.DataFrame | None = None
    planted_effects: pd.DataFrame | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    outcomes: Sequence[Outcome] = ()
    step_errors: Sequence[Mapping[str, Any]] = ()
    report_links: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    weights: pd.DataFrame | None = None
    detector: str = ""
    atypicality: AtypicalityTables | None = None
    comparison_link: str = ""
    figure_links: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()

    def __post_init__(self) -> None:
        for name in REQUIRED_COLUMNS:
            check_columns(getattr(self, name), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One recording of a participant.

    Attributes
    ----------
    session, task
        As in the frame table; `session` is empty where there is one a participant.
    frames
        Frame table, or None where extraction did not finish.
    problem
        Why `frames` is None.
    events
        Stimulus segments: `onset`, `duration` in seconds, `trial_type`, optionally `stim_id`.
    triage
        The recording's row of ``desc-triage_videos``.
    facts
        Facts of the extraction's sidecar: `reader`, `reader_notes`, `frame_size`, `target_switches` (each with `time_s`
        and `reason`). What is not there is not printed.
    atypicality
        Predicted atypicality of the recording's frames; None where there is none.
    """

    session: str = ""
    task: str = ""
    frames: pd.DataFrame | None = None
    problem: str = ""
    events: pd.DataFrame | None = None
    triage: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    atypicality: AtypicalityTrack | None = None

    def __post_init__(self) -> None:
        for table, columns, name in (
            (self.frames, ("frame", "time_s", "valid", "invalid_reason"), "frames"),
            (self.events, ("onset", "duration", "trial_type"), "events"),
        ):
            check_columns(table, name, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantReportInputs:
    """Everything that a participant's report shows. It holds no name, no picture and no date of birth.

    Attributes
    ----------
    facts
        Header and thresholds.
    participant_id
        Participant, as in participants.tsv, without the prefix ``sub-``.
    group
        Group of the participant.
    sessions
        The participant's recordings.
    covariates
        Age, sex and other columns of participants.tsv; printed only where `show_covariates` is true.
    show_covariates
        The setting ``report.show_covariates``.
    cohort
        ``desc-features_participants``, to compare the participant with.
    cohort_absent
        Why `cohort` is None.
    aus
        Action units of the attribute model.
    max_yaw_deg, max_pitch_deg
        Pose limits of the quality settings, in degrees.
    group_link
        Address of the group report, relative to this one.
    """

    facts: ReportFacts
    participant_id: str
    group: str = ""
    sessions: Sequence[SessionRecord] = ()
    covariates: Mapping[str, Any] = field(default_factory=dict)
    show_covariates: bool = False
    cohort: pd.DataFrame | None = None
    cohort_absent: str = ""
    aus: Sequence[str] = EMOTIONET_AUS
    max_yaw_deg: float = 60.0
    max_pitch_deg: float = 50.0
    group_link: str = "group.html"

    def __post_init__(self) -> None:
        check_columns(self.cohort, "features")


def check_columns(table: pd.DataFrame | None, name: str, required: Sequence[str] | None = None) -> None:
    """Check that a table holds the columns that a report reads; None passes.

    Raises
    ------
    ValueError
        If columns are missing.
    """
    if table is None:
        return
    missing = [column for column in required or REQUIRED_COLUMNS[name] if column not in table]
    if missing:
        raise ValueError(
            f"Expected the columns {', '.join(missing)} in the table {name} of a report, got none of them."
        )


def count_invalid_reasons(frames: pd.DataFrame) -> pd.DataFrame:
    """Count the frames of each `invalid_reason`, for `GroupReportInputs.invalid_reasons`.

    Parameters
    ----------
    frames
        One or several frame tables.

    Returns
    -------
    DataFrame
        `participant_id`, `session`, `task`, `invalid_reason`, `n_frames`; ``ok`` included.
    """
    key = ["participant_id", "session", "task", "invalid_reason"]
    return frames.groupby(key, sort=False, observed=True).size().rename("n_frames").reset_index()
