"""Labels of experts and ratings of judges -> occurrence, reliability, and the tests by emotion on what the experts saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pandas as pd

from features.emotions import count_frames
from features.frame_table import Column
from tasks.agreement import (
    AGREEMENT_COLUMNS,
    OCCURRENCE_COLUMNS,
    compare_raters,
    count_occurrences,
    lay_out_agreement,
    prepare_tool,
)
from tasks.comparison import compare_frames_of_emotions
from tasks.comparison_tables import TABLES, rate_columns
from tasks.errors import InvalidInputError
from tasks.labels import binarise, list_actions, number_segments, read_labels
from tasks.provenance import Step, sha256_file, write_sidecar, write_text_atomic
from tasks.ratings import (
    RATING_COLUMNS,
    RATING_RELIABILITY_COLUMNS,
    average_ratings,
    judge_reliability,
    list_judges,
    read_ratings,
)
from tasks.settings import Settings
from tasks.steps import MadeTable
from tasks.tables import read_table, write_table

LABELS_VERSION: Final = 1
"""Raised when a change moves the numbers."""

_NAMES: Final = {
    "occurrence": "desc-occurrence_labels",
    "frames": "desc-frames_labels",
    "agreement": "desc-agreement_labels",
    "ratings": "desc-ratings_segments",
    "ratings_reliability": "desc-ratings_reliability",
    "emotion_aus": "desc-emotionaus_tests",
    "emotion_rates": "desc-emotionrates_participants",
    "emotion_frames": "desc-emotionframes_tests",
    "emotion_models": "desc-emotionmodels_tests",
    "complexity": "desc-combinations_complexity",
    "diversity": "desc-combinations_tests",
}
_FRAME_COLUMNS: Final[tuple[Column, ...]] = (
    Column("participant_id", "string", "Participant"),
    Column("group", "string", "Group of the participant"),
    Column("n_frames", "int32", "Labelled frames", low=0),
    Column("n_without_emotion", "int32", "Of these, frames without an expression label", low=0),
    Column("n_segments", "int32", "Runs of consecutive frames", low=0),
)


@dataclass(frozen=True)
class LabelSources:
    """What an analysis of labels reads.

    Attributes
    ----------
    experts
        Name -> folder or file of labels; the first labelled everything and is the truth of F1.
    tools
        Name -> frame table (Parquet), or folder of them.
    ratings
        CSV of judges' ratings, or None.
    raw_codes
        Whether laterality codes enter the tests over frames as they are; else 0 and 1. The published Z of AU12 in happiness, which
        selection makes constant in 0 and 1, suggests that they did.
    """

    experts: Mapping[str, Path]
    tools: Mapping[str, Path] = field(default_factory=dict)
    ratings: Path | None = None
    raw_codes: bool = False


def analyse_labels(sources: LabelSources, folder: Path, settings: Settings) -> list[Path]:
    """Make the tables of labels: Table III of Ji et al. (2025), reliability of ratings, and, with expressions, tests by emotion.

    Parameters
    ----------
    sources
        Labels, tools and ratings.
    folder
        Where tables go.
    settings
        Sections `study` (names of the groups), `compare`, and `summarize` (threshold of tools).

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InvalidInputError
        If labels, frame tables or ratings cannot be read; all problems of a source are listed.
    """
    started = datetime.now(UTC)
    groups = (settings.study.positive_group, settings.study.comparison_group)
    experts = {name: read_labels(path, groups=groups) for name, path in sources.experts.items()}
    first = next(iter(experts.values()))
    made = {
        "occurrence": MadeTable(count_occurrences(first), "Frames in which each action occurs", OCCURRENCE_COLUMNS),
        "frames": _count_frames(first),
    }
    written = []
    if len(experts) > 1 or sources.tools:
        threshold = settings.summarize.activation_threshold
        tools = {name: prepare_tool(_read_tool(path), threshold=threshold) for name, path in sources.tools.items()}
        agreement = compare_raters(experts, tools, confidence_level=settings.compare.confidence_level)
        made["agreement"] = MadeTable(agreement, "Agreement of experts and tools by action", AGREEMENT_COLUMNS)
        layout = lay_out_agreement(agreement, made["occurrence"].rows, list(experts))
        written.append(folder / "labels_table3.csv")
        write_text_atomic(
            written[0], layout.to_csv(index=False, float_format="%.3f", na_rep="n/a", lineterminator="\n")
        )
    if sources.ratings is not None:
        made |= _analyse_ratings(sources.ratings, first, settings)
    if first["emotion"].notna().any():
        made |= _test_emotions(first, settings, raw_codes=sources.raw_codes)
    step = _describe_step(sources, settings)
    for name, table in made.items():
        path = folder / f"{_NAMES[name]}.parquet"
        columns = write_table(table.rows, path, described=table.columns)
        write_sidecar(path, step, description=table.description, columns=columns, started=started)
        written.append(path)
    return written


def _count_frames(labels: pd.DataFrame) -> MadeTable:
    table = count_frames(labels)
    segments = number_segments(labels).groupby(labels["participant_id"]).nunique()
    table.insert(4, "n_segments", table["participant_id"].map(segments).astype("int32"))
    emotions = tuple(Column(name, "int32", f"Frames labelled {name}", low=0) for name in table.columns[5:])
    return MadeTable(table, "Labelled frames of each participant, by expression", (*_FRAME_COLUMNS, *emotions))


def _analyse_ratings(path: Path, labels: pd.DataFrame, settings: Settings) -> dict[str, MadeTable]:
    last = {str(name): int(frame) for name, frame in labels.groupby("participant_id")["frame"].max().items()}
    ratings = read_ratings(path, last_frames=last)
    judges = tuple(Column(name, "float64", "Rating of this judge", low=1, high=5) for name in list_judges(ratings))
    reliability = judge_reliability(ratings, confidence_level=settings.compare.confidence_level)
    return {
        "ratings": MadeTable(
            average_ratings(ratings), "Ratings of segments, widest disagreement first", (*RATING_COLUMNS, *judges)
        ),
        "ratings_reliability": MadeTable(reliability, "Agreement of the judges", RATING_RELIABILITY_COLUMNS),
    }


def _test_emotions(labels: pd.DataFrame, settings: Settings, *, raw_codes: bool) -> dict[str, MadeTable]:
    """All tests by emotion; combinations always with the laterality codes."""
    actions = list_actions(labels)
    tests = compare_frames_of_emotions(
        labels if raw_codes else binarise(labels, actions),
        settings.compare,
        signals=actions,
        group_a=settings.study.positive_group,
        group_b=settings.study.comparison_group,
        circular=True,
        combinations_of=labels,
    )
    made = {}
    for name, rows in tests.items():
        description, columns = TABLES[name]
        described = (*columns, *rate_columns(actions)) if name == "emotion_rates" else columns
        made[name] = MadeTable(rows, f"{description}; labels of experts", described)
    return made


def _read_tool(path: Path) -> pd.DataFrame:
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InvalidInputError(f"Expected frame tables (.parquet) in {path.name}, got none.")
    frames = pd.concat([read_table(file) for file in files], ignore_index=True)
    absent = [name for name in ("participant_id", "session", "task", "frame", "valid") if name not in frames]
    if absent:
        raise InvalidInputError(
            f"Expected a frame table in {path.name}; missing are {', '.join(absent)}. Import it first."
        )
    return frames


def _describe_step(sources: LabelSources, settings: Settings) -> Step:
    files = {f"expert {name}": path for name, path in sources.experts.items()}
    files |= {f"tool {name}": path for name, path in sources.tools.items()}
    if sources.ratings is not None:
        files["ratings"] = sources.ratings
    return Step(
        "labels",
        LABELS_VERSION,
        {
            **{f"compare.{name}": value for name, value in settings.compare.model_dump(mode="json").items()},
            "study.positive_group": settings.study.positive_group,
            "study.comparison_group": settings.study.comparison_group,
            "summarize.activation_threshold": settings.summarize.activation_threshold,
            "raw_codes": sources.raw_codes,
        },
        {
            f"{name}: {file.name}": sha256_file(file)
            for name, path in files.items()
            for file in (sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path])
        },
    )
