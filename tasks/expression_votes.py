"""Expression probabilities of other models, a table for each recording, that vote on its emotions beside the attribute network.

Hugging Rain Man let POSTER++, EAC and DDAMFN++ vote (Ji et al. 2025, section IV-B); a lab brings the tables of such models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from features.facs import expression_name
from tasks.bids_names import OfRecording, RecordingName
from tasks.errors import InvalidInputError
from tasks.frame_sources import SessionKey
from tasks.tables import column_names, read_table

FRAME: Final = "frame"
_SUFFIXES: Final = frozenset({".csv", ".parquet"})
_STEM: Final = re.compile(r"sub-[^_.]+(?:_ses-[^_.]+)?_task-[^_.]+")

VoteTables = Mapping[SessionKey, Sequence[Path]]
"""Recording -> its tables, one a model."""


def find_vote_tables(study_folder: Path, folders: Sequence[str], recordings: Iterable[OfRecording]) -> VoteTables:
    """Find the tables of each recording.

    Parameters
    ----------
    study_folder
        Study folder.
    folders
        One a model, relative to the study. A table may lie anywhere in it; its name begins with that of the recording,
        ``sub-<id>[_ses-<id>]_task-<stimulus>``, and ends with ``.csv`` or ``.parquet``.
    recordings
        Recordings that need one of every model.

    Raises
    ------
    InvalidInputError
        If a folder or tables are missing, or a recording has several in one folder. All are listed.
    """
    stems = {item.key: RecordingName(*item.key).stem for item in recordings}
    found: dict[SessionKey, list[Path]] = {key: [] for key in stems}
    problems = []
    for name in folders:
        tables = _index(study_folder / name)
        for key, stem in stems.items():
            here = tables.get(stem, [])
            if len(here) == 1:
                found[key] += here
            else:
                problems.append(f"{name}: {len(here)} tables of {stem}")
    if problems:
        raise InvalidInputError(
            "Expected one table (.csv or .parquet) of each recording in each folder of compare.vote_models, got "
            f"{'; '.join(problems)}. Name each <recording>_<anything>.csv, or take the folder out of the setting."
        )
    return found


def _index(folder: Path) -> dict[str, list[Path]]:
    tables: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        named = _STEM.match(path.name)
        if named and path.suffix.lower() in _SUFFIXES:
            tables.setdefault(named.group(), []).append(path)
    return tables


def read_votes(path: Path, frames: pd.DataFrame) -> pd.DataFrame:
    """Read what one model says of the frames of a recording.

    Parameters
    ----------
    path
        Table with the column `frame` (from 0, as in the frame table) and one a class of expression, in any order and spelling;
        other columns are passed over.
    frames
        Frame table of the recording; its column `frame` decides the rows.

    Returns
    -------
    DataFrame
        Index of `frames`, float64, one column a class; null where the model has no row.

    Raises
    ------
    InvalidInputError
        If the table cannot be read, lacks `frame` or classes, or has a frame twice or one that the recording lacks.
    """
    names = _header(path)
    classes = [name for name in names if _is_expression(name)]
    if FRAME not in names or not classes:
        raise InvalidInputError(
            f"Expected the column frame and one for each class of expression in {path.name}, got {', '.join(names) or 'none'}."
        )
    votes = _read(path, [FRAME, *classes])
    if votes[FRAME].isna().any() or votes[FRAME].duplicated().any() or not votes[FRAME].isin(frames[FRAME]).all():
        raise InvalidInputError(
            f"Expected each frame of the recording at most once in {path.name}, counted from 0 as in the frame table; got some "
            "twice, missing, or beyond its end. Make the table from the same video."
        )
    aligned = votes.set_index(FRAME).reindex(frames[FRAME]).astype("float64")
    return aligned.set_axis(frames.index, axis=0)


def _header(path: Path) -> list[str]:
    try:
        return [
            str(name)
            for name in (column_names(path) if path.suffix == ".parquet" else pd.read_csv(path, nrows=0).columns)
        ]
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"Expected a table in {path.name}, got: {error}.") from error


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return read_table(path, only=columns)
    try:
        return pd.read_csv(path, usecols=columns, dtype=dict.fromkeys(columns, "float64"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"Expected numbers in {path.name}, got: {error}.") from error


def _is_expression(name: str) -> bool:
    try:
        expression_name(name)
    except ValueError:
        return False
    return True
