"""What decides each output of a study: its settings, inputs, weights and code version.

`tasks.extraction_jobs` and `tasks.group_steps` run these steps; `tasks.status` asks whether they hold, and is quick because
this module imports no analysis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from tasks.bids_names import TRACK, Derivatives
from tasks.expression_votes import VoteTables
from tasks.provenance import Step, sha256_file
from tasks.recordings import SessionVideo
from tasks.settings import (
    AttributeSettings,
    AtypicalitySettings,
    ClassifySettings,
    CompareSettings,
    DetectionSettings,
    QualitySettings,
    StudySettings,
    SummarizeSettings,
    TargetSettings,
    VideoSettings,
)
from tasks.settings_section import Section
from tasks.steps import PlannedStep
from tasks.weights import Weights

EXTRACT_VERSION: Final = 2
SUMMARIZE_VERSION: Final = 1
CLASSIFY_VERSION: Final = 1
ATYPICALITY_VERSION: Final = 2
COMPARE_VERSION: Final = 2
PLANTED_VERSION: Final = 1
"""Code versions: raised when a change moves the numbers of the step."""

PUBLICATION_VERSION: Final = 2
"""Raised when layout, figures or text of the printed comparison change."""

COMPARISON_TABLES: Final = {
    "over_participants": ("emotionaus", "tests"),
    "over_frames": ("emotionframes", "tests"),
    "rates": ("emotionrates", "participants"),
    "complexity": ("combinations", "complexity"),
    "readings": ("attributereadings", "tests"),
    "diversity": ("combinations", "tests"),
    "models": ("emotionmodels", "tests"),
}
"""Tables of the printed comparison -> their names and suffixes."""

COMPARISON_FIGURES: Final = ("effects", "participants", "rates", "complexity")

RATINGS_TABLE: Final = "ratings.csv"
"""The judges' ratings in the study folder, as `tasks.ratings.read_ratings` reads them."""

SessionEvents = Mapping[tuple[str, str, str], pd.DataFrame]
"""(participant_id, session, task) -> stimulus segments."""


@dataclass(frozen=True)
class ExtractionSettings:
    """The sections that extraction uses."""

    video: VideoSettings
    detection: DetectionSettings
    target: TargetSettings
    quality: QualitySettings
    attributes: AttributeSettings

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the frame table, as JSON values."""
        return {
            "video.reader": self.video.reader,
            **_section("detection", self.detection),
            **_section("target", self.target),
            **_section("quality", self.quality),
        }


def plan_extraction(
    video: SessionVideo,
    *,
    video_sha256: str,
    settings: ExtractionSettings,
    weights: tuple[Weights, ...],
    reference_files: Sequence[Path] = (),
) -> Step:
    """What decides the frame table of a recording."""
    return Step(
        name="extract",
        code_version=EXTRACT_VERSION,
        settings=settings.deciding(),
        inputs={video.label: video_sha256, **{path.name: sha256_file(path) for path in reference_files}},
        weights={item.name: item.sha256 for item in weights},
    )


def plan_features(
    derivatives: Derivatives, frame_tables: Sequence[Path], participants: pd.DataFrame, *, settings: SummarizeSettings
) -> PlannedStep:
    """What decides the participant table."""
    step = Step(
        "summarize",
        SUMMARIZE_VERSION,
        _section("summarize", settings),
        {**hash_files(frame_tables), "participants.tsv": hash_rows(participants)},
    )
    return PlannedStep(step, {"features": derivatives.group_table("features", "participants")})


def plan_classification(derivatives: Derivatives, *, settings: ClassifySettings, study: StudySettings) -> PlannedStep:
    """What decides the classifiers' performance and predictions."""
    features = derivatives.group_table("features", "participants")
    step = Step(
        "classify", CLASSIFY_VERSION, {**_section("classify", settings), **_groups(study)}, hash_files([features])
    )
    return PlannedStep(
        step,
        {
            "performance": derivatives.group_table("performance", "classifiers"),
            "predictions": derivatives.group_table("predictions", "classifiers"),
        },
    )


def plan_comparison(
    derivatives: Derivatives,
    frame_tables: Sequence[Path],
    events: SessionEvents,
    *,
    settings: CompareSettings,
    study: StudySettings,
    summarize: SummarizeSettings,
    vote_tables: VoteTables | None = None,
) -> PlannedStep:
    """What decides the tests of group differences."""
    features = derivatives.group_table("features", "participants")
    step = Step(
        "compare",
        COMPARE_VERSION,
        {**_section("compare", settings), **_groups(study), **_thresholds(summarize)},
        {
            **hash_files([features, *frame_tables]),
            "events": hash_rows(*events.values()),
            **{
                f"{path.parent.name}/{path.name}": sha256_file(path)
                for paths in (vote_tables or {}).values()
                for path in paths
            },
        },
    )
    return PlannedStep(
        step,
        {
            "attribute_groups": derivatives.group_table("attributegroups", "tests"),
            "emotion_aus": derivatives.group_table("emotionaus", "tests"),
            "attribute_readings": derivatives.group_table("attributereadings", "tests"),
            "emotion_rates": derivatives.group_table("emotionrates", "participants"),
            "emotion_frames": derivatives.group_table("emotionframes", "tests"),
            "emotion_models": derivatives.group_table("emotionmodels", "tests"),
            "complexity": derivatives.group_table("combinations", "complexity"),
            "diversity": derivatives.group_table("combinations", "tests"),
        },
    )


def figure_paths(derivatives: Derivatives, names: Sequence[str]) -> dict[str, Path]:
    """``name.svg`` and ``name.pdf`` of each figure -> where it stands."""
    return {f"{name}.{kind}": derivatives.figures / f"{name}.{kind}" for name in names for kind in ("svg", "pdf")}


def plan_publication(
    derivatives: Derivatives, *, settings: CompareSettings, study: StudySettings, summarize: SummarizeSettings
) -> PlannedStep:
    """What decides the page, the laid-out table, the figures and the methods text of the comparison."""
    folder = derivatives.group_table(*COMPARISON_TABLES["rates"]).parent
    step = Step(
        "publish",
        PUBLICATION_VERSION,
        {
            **_section("compare", settings),
            **_groups(study),
            "study.name": study.name,
            "summarize.activation_threshold": summarize.activation_threshold,
        },
        hash_files([derivatives.group_table(*where) for where in COMPARISON_TABLES.values()]),
    )
    return PlannedStep(
        step,
        {
            "page": derivatives.comparison_page,
            "tests": folder / "comparison_tests.csv",
            "methods": folder / "comparison_methods.txt",
            **figure_paths(derivatives, COMPARISON_FIGURES),
        },
    )


def plan_atypicality(
    derivatives: Derivatives,
    frame_tables: Sequence[Path],
    ratings: Path,
    participants: pd.DataFrame,
    *,
    settings: AtypicalitySettings,
) -> PlannedStep:
    """What decides the tables of predicted atypicality: settings, ratings, and frame tables or experts' labels."""
    spread = {"atypicality.device", "atypicality.workers"}
    deciding = {name: value for name, value in _section("atypicality", settings).items() if name not in spread}
    study = derivatives.study
    sources = list(frame_tables) if settings.inputs == "signals" else []
    inputs = {**hash_files([*sources, ratings]), "participants.tsv": hash_rows(participants)}
    if settings.inputs == "labels":
        inputs |= _hash_labels(study / settings.labels)
    if settings.folds_file:
        inputs |= {"folds": hash_files([study / settings.folds_file]).popitem()[1]}
    names = ["performance", "participants", "folds", "signals", "moments", "runs", "segments"]
    names += ["frames"] if settings.inputs == "labels" else []
    outputs = {name: derivatives.group_table(name, "atypicality") for name in names}
    for path in sources:
        # named as `Derivatives.atypicality_track` names it
        outputs[path.stem] = path.with_name(path.name.replace("_desc-frames_", f"_desc-{TRACK}_"))
    return PlannedStep(Step("atypicality", ATYPICALITY_VERSION, deciding, inputs), outputs)


def _hash_labels(path: Path) -> dict[str, str]:
    files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    root = path if path.is_dir() else path.parent
    return {
        f"labels: {file.relative_to(root).as_posix()}": sha256_file(file) if file.exists() else "missing"
        for file in files
    }


def plan_planted_effects(
    derivatives: Derivatives,
    frame_tables: Sequence[Path],
    events: SessionEvents,
    *,
    seconds: float,
    summarize: SummarizeSettings,
) -> PlannedStep:
    """What decides the table of planted and estimated differences."""
    step = Step(
        "planted_effects",
        PLANTED_VERSION,
        {"seconds": seconds, **_thresholds(summarize)},
        {**hash_files(frame_tables), "events": hash_rows(*events.values())},
    )
    return PlannedStep(step, {"planted_effects": derivatives.group_table("planted", "effects")})


def hash_files(paths: Sequence[Path]) -> dict[str, str]:
    """Hash of each table; an input that is missing counts as such, so that its step is stale and not an error."""
    return {path.stem: sha256_file(path) if path.exists() else "missing" for path in paths}


def hash_rows(*tables: pd.DataFrame) -> str:
    """A hash over the rows of tables that are inputs but have no file of their own, such as selected participants."""
    parts = [str(int(pd.util.hash_pandas_object(table.astype(str), index=False).sum())) for table in tables]
    return "-".join(sorted(parts))


def _section(name: str, settings: Section) -> dict[str, Any]:
    return {f"{name}.{key}": value for key, value in settings.model_dump(mode="json").items()}


def _thresholds(settings: SummarizeSettings) -> dict[str, Any]:
    return {
        "summarize.activation_threshold": settings.activation_threshold,
        "summarize.positive_threshold": settings.positive_threshold,
    }


def _groups(study: StudySettings) -> dict[str, Any]:
    return {"study.positive_group": study.positive_group, "study.comparison_group": study.comparison_group}
