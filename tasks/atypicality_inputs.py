"""What the atypicality step reads: recordings as signals or experts' labels, rated segments, folds to use again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from classifiers.sequences.folds import (
    assign_folds,
    check_folds,
    find_one_group_folds,
    leave_one_participant_out_folds,
)
from features.facs import AU_NAMES, HRM_REGRESSION_ACTIONS
from features.frame_table import KEY
from tasks.bids_names import bare_id
from tasks.errors import InvalidInputError
from tasks.frame_sources import FrameSource, SessionKey, describe_session, read_sessions
from tasks.labels import binarise, list_actions, read_labels
from tasks.ratings import average_ratings, read_ratings
from tasks.settings import AtypicalitySettings
from tasks.tables import column_names, read_table

_MAX_LISTED: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Recordings:
    """Recordings in memory, as far as the networks see them.

    Attributes
    ----------
    signals
        Names of the inputs, in their order.
    tables
        Key of each recording -> `frame` (sorted) and the signals, missing in frames that are not valid.
    """

    signals: tuple[str, ...]
    tables: dict[SessionKey, pd.DataFrame]

    def last_frames(self) -> dict[SessionKey, int]:
        """Last frame of each recording that has any."""
        return {key: int(table["frame"].iloc[-1]) for key, table in self.tables.items() if len(table)}


def read_frame_tables(frame_tables: Sequence[FrameSource]) -> Recordings:
    """Recordings with the action units that all frame tables have.

    Raises
    ------
    InvalidInputError
        If there are no tables or no action units, or tables differ in them.
    """
    if not frame_tables:
        raise InvalidInputError("Expected frame tables, got none. Run `facetrace extract` or `facetrace import` first.")
    found = {find_signals(column_names(item) if isinstance(item, Path) else item.columns) for item in frame_tables}
    signals = next(iter(found))
    if len(found) != 1 or not signals:
        raise InvalidInputError(
            f"Expected the same action units in all of {len(frame_tables)} frame tables, got "
            f"{len(found)} different sets; extract or import all recordings in the same way."
        )
    tables = {}
    for key, frames in read_sessions(frame_tables, only=["valid", *signals]):
        used = frames[["frame", *signals]].reset_index(drop=True)
        used.loc[~frames["valid"].to_numpy(dtype=bool), list(signals)] = np.nan
        tables[key] = used
    return Recordings(signals, tables)


def find_signals(columns: Iterable[str]) -> tuple[str, ...]:
    """Action units among the columns of a frame table, in its order."""
    return tuple(name for name in columns if name in AU_NAMES)


def read_label_files(path: Path, settings: AtypicalitySettings, *, groups: Sequence[str]) -> Recordings:
    """Recordings as experts labelled them: the 22 actions of the published regression, in the order of its files.

    Parameters
    ----------
    path
        Folder or CSV, as of `tasks.labels.read_labels`.
    settings
        Whether codes of laterality are kept.
    groups
        Groups that may occur.

    Raises
    ------
    InvalidInputError
        If the labels cannot be read, or a folder lacks some of the 22 columns. In the long form an action that nobody ever
        coded has no row, and is absent throughout.
    """
    labels = read_labels(path, groups=groups)
    absent = [name for name in HRM_REGRESSION_ACTIONS if name not in list_actions(labels)]
    if absent and path.is_dir():
        raise InvalidInputError(
            f"Expected the 22 actions of the regression in {path.name}, missing are {', '.join(absent)}. "
            "Add the columns, with 0 where nothing was seen."
        )
    labels = labels.assign(**dict.fromkeys(absent, np.uint8(0)))
    signals = HRM_REGRESSION_ACTIONS
    if settings.laterality == "binary":
        labels = binarise(labels, signals)
    labels = labels.assign(participant_id=labels["participant_id"].map(bare_id))
    columns = ["frame", *signals]
    tables = {
        (str(key[0]), str(key[1]), str(key[2])): rows[columns].sort_values("frame").reset_index(drop=True)
        for key, rows in labels.groupby(list(KEY[:3]), sort=False)
    }
    return Recordings(signals, {key: table.astype(dict.fromkeys(signals, np.float32)) for key, table in tables.items()})


def read_segments(path: Path) -> pd.DataFrame:
    """Rated segments of a study: as of `tasks.ratings.average_ratings`, without the prefixes ``sub-``, ``ses-``, ``task-``."""
    segments = average_ratings(read_ratings(path))
    segments = segments.assign(participant_id=segments["participant_id"].map(bare_id))
    for name, prefix in (("session", "ses-"), ("task", "task-")):
        if name in segments:
            segments[name] = segments[name].str.removeprefix(prefix)
    return segments


def assign_recordings(
    segments: pd.DataFrame, recordings: Recordings, known: Sequence[str], *, file: str, withdrawn: Sequence[str] = ()
) -> pd.DataFrame:
    """Find the recording of each rated segment.

    Parameters
    ----------
    segments
        From `read_segments`.
    recordings
        Recordings that can be used.
    known
        Participants of the study.
    file
        Name of the ratings, for messages.
    withdrawn
        Participants who withdrew; their segments are left out.

    Returns
    -------
    DataFrame
        `participant_id`, `session`, `task`, `start_frame`, `end_frame`, `n_judges`, `mean`, and `recorded`: whether there is
        a recording. Sorted by the first four.

    Raises
    ------
    InvalidInputError
        If rated participants are not in the study, a segment fits several recordings, or runs past its recording. All
        problems are listed.
    """
    problems = [
        f"{file}: expected participants of the study, got sub-{name}. Correct the id, or delete the rows."
        for name in sorted(set(segments["participant_id"]) - set(known) - set(withdrawn))
    ]
    last = recordings.last_frames()
    rows = []
    ambiguous: dict[str, int] = {}
    for item in segments[~segments["participant_id"].isin(withdrawn)].to_dict("records"):
        person = item["participant_id"]
        wanted = {name: item[name] for name in KEY[1:3] if name in item}
        fitting = [key for key in recordings.tables if key[0] == person and _fits(key, wanted)]
        if len(fitting) > 1:
            ambiguous[person] = len(fitting)
            continue
        key = fitting[0] if fitting else (person, wanted.get("session", ""), wanted.get("task", ""))
        if key in last and item["end_frame"] > last[key]:
            problems.append(
                f"{file}: expected segments within the recording of {describe_session(key)}, whose last frame is {last[key]}, "
                f"got one of {item['start_frame']} to {item['end_frame']}."
            )
        rows.append((*key, item["start_frame"], item["end_frame"], item["n_judges"], item["mean"], bool(fitting)))
    problems += [
        f"{file}: expected one recording of sub-{person} for its segments, got {count}. Add the columns session and task, or "
        "choose one stimulus with study.tasks."
        for person, count in sorted(ambiguous.items())
    ]
    if problems:
        more = f"\nand {len(problems) - _MAX_LISTED} more" if len(problems) > _MAX_LISTED else ""
        raise InvalidInputError("\n".join(problems[:_MAX_LISTED]) + more)
    columns = [*KEY[:3], "start_frame", "end_frame", "n_judges", "mean", "recorded"]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:4], ignore_index=True)


def _fits(key: SessionKey, wanted: dict[str, str]) -> bool:
    return all(key[KEY.index(name)] == value for name, value in wanted.items())


def deal_folds(
    groups: pd.Series[str], settings: AtypicalitySettings, *, study_folder: Path | None = None
) -> pd.DataFrame:
    """Folds of the settings: read from a file, balanced by group and repeated, or one participant at a time.

    Parameters
    ----------
    groups
        Group of each participant with windows; index participant_id.
    settings
        Section `atypicality`.
    study_folder
        Where `folds_file` is looked for.

    Returns
    -------
    DataFrame
        `classifiers.sequences.folds.FOLD_COLUMNS`, and `one_group`: whether all who are tested in the fold are of one group
        although the study has several; folds of a single participant do not count.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or does not fit the participants.
    """
    if settings.folds_file:
        folds = read_folds((study_folder or Path()) / settings.folds_file, groups)
    elif settings.folds == 0:
        folds = leave_one_participant_out_folds(groups)
    else:
        folds = assign_folds(groups, n_folds=settings.folds, n_repeats=settings.repeats, seed=settings.seed)
    lopsided = set(find_one_group_folds(folds))
    pairs = list(zip(folds["repeat"], folds["fold"], strict=True))
    sizes = Counter(pairs)  # of one participant there is only one group
    return folds.assign(one_group=[pair in lopsided and sizes[pair] > 1 for pair in pairs])


def read_folds(path: Path, groups: pd.Series[str]) -> pd.DataFrame:
    """Folds of a table with `repeat`, `fold` and `participant_id`; groups are those of the study.

    Raises
    ------
    InvalidInputError
        If the table is missing, lacks columns, or its participants are not those of `groups`, each once a repeat.
    """
    if not path.is_file():
        raise InvalidInputError(f"Expected the folds in {path.name}, got no such file. Correct atypicality.folds_file.")
    if path.suffix == ".parquet":
        table = read_table(path)
    else:
        table = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", dtype=str, keep_default_na=False)
    absent = [name for name in ("repeat", "fold", "participant_id") if name not in table]
    if absent:
        raise InvalidInputError(
            f"Expected the columns repeat, fold, participant_id in {path.name}, missing are {', '.join(absent)}."
        )
    numbers = table[["repeat", "fold"]].apply(pd.to_numeric, errors="coerce")
    if not len(table) or not (numbers.ge(0) & (numbers % 1 == 0)).all(axis=None):
        raise InvalidInputError(
            f"Expected whole numbers from 0 for repeat and fold in {path.name}, got something else."
        )
    people = table["participant_id"].astype("str").map(bare_id)
    folds = numbers.astype("int32").assign(participant_id=people, group=people.map(groups).fillna("n/a"))
    try:
        return check_folds(folds, list(groups.index))
    except ValueError as error:
        raise InvalidInputError(f"{path.name}: {error}") from error


def walk_segments(segments: pd.DataFrame, *, merge: bool) -> Iterator[tuple[SessionKey, pd.DataFrame]]:
    """Rated segments of each recording in order of time, numbered in `segment`.

    Parameters
    ----------
    segments
        From `assign_recordings`, rated ones.
    merge
        Give the same number to segments between which no frame lies, so that windows run from one into the next.
    """
    for key, rows in segments.groupby(list(KEY[:3]), sort=True):
        own = rows.sort_values("start_frame")
        new = own["start_frame"] != own["end_frame"].shift() + 1 if merge else pd.Series(True, index=own.index)
        person, session, task = (str(part) for part in key)
        yield (person, session, task), own.assign(segment=(new.cumsum() - 1).astype("int32"))
