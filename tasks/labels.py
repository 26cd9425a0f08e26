"""Facial action labels of experts: read, checked, merged; the one place where codes become 0 and 1.

Two forms are read. The folder form is that of Hugging Rain Man: ``<folder>/<group>/<participant>.csv`` or
``<folder>/<group>/<participant>/*.csv``, one row a frame, a column an action. The long form is one CSV with `participant_id`,
`group`, `frame`, `action`, `code`, and `session` and `task` where there are several; a frame without any action has a row ``AU0``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from features.emotions import EMOTION, label_frames_by_annotation
from features.facs import HRM_ACTIONS, JAW, JAW_UNITS, action_column
from stats.combinations import HIGHEST_CODE
from tasks.errors import InvalidInputError

LABEL_KEY: Final[tuple[str, ...]] = ("participant_id", "session", "task", "group", "frame", EMOTION)
"""Columns beside the actions in `read_labels`."""

LATERALITY: Final[dict[str, str]] = {
    "0": "absent", "1": "both sides", "2": "left", "3": "right", "4": "top", "5": "bottom",
}  # fmt: skip
"""Code of a label -> meaning."""

IGNORED: Final = ("AU0", "AU21", "AU31", "ASD")
"""Columns of Hugging Rain Man's label files that are dropped: no action, two actions that are not analysed, and the group."""

_EXPRESSION_COLUMNS: Final = ("expression", "emotion")
_RATING_COLUMN: Final = re.compile(r"^(abnormal|atypical|rating)", re.IGNORECASE)
_LONG_COLUMNS: Final = ("participant_id", "group", "frame", "action", "code")
_MAX_LISTED: Final = 20


def read_labels(path: Path, *, groups: Sequence[str] = ("ASD", "TD")) -> pd.DataFrame:
    """Read the labels of an expert.

    Parameters
    ----------
    path
        A folder with a subfolder for each group, or a CSV in long form.
    groups
        Groups that may occur.

    Returns
    -------
    DataFrame
        One row a frame, sorted: `LABEL_KEY`, then codes 0 to 5 (uint8) of the actions in the order of `HRM_ACTIONS`, others after
        them. Participants of the folder form are named by group and file, because the files of both groups count from S1.

    Raises
    ------
    InvalidInputError
        If anything is wrong; all problems are listed.

    Notes
    -----
    Merging rules: AU26 and AU27 become AU2X, with the first code above 0 in the order 2X, 26, 27; 43E is AU43; 19, 29, 30 and
    32 to 37 are descriptors (AD) whether the file writes AU or AD. Columns of ratings (``Abnormal-...``) are left out here.
    """
    problems: list[str] = []
    if path.is_dir():
        parts = [
            _read_file(file, group, whose, path, problems)
            for group in groups
            for whose, file in _find_files(path / group)
        ]
    elif path.is_file():
        parts = [_read_long(path, groups, problems)]
    else:
        raise InvalidInputError(f"Expected labels in {path.name}, but there is no such file or folder.")
    if not parts:
        problems.append(f"{path.name}: expected tables in the folders {', '.join(groups)}, got none.")
    if problems:
        more = f"\nand {len(problems) - _MAX_LISTED} more" if len(problems) > _MAX_LISTED else ""
        raise InvalidInputError("\n".join(problems[:_MAX_LISTED]) + more)
    return _order(pd.concat(parts, ignore_index=True))


def binarise(labels: pd.DataFrame, actions: Sequence[str]) -> pd.DataFrame:
    """Make codes 0 and 1: an action is there whatever its side.

    Parameters
    ----------
    labels
        With codes in the columns of `actions`.
    actions
        Columns to change.

    Returns
    -------
    DataFrame
        A copy of `labels`.
    """
    return labels.assign(**{name: (labels[name] > 0).astype(np.uint8) for name in actions})


def list_actions(labels: pd.DataFrame) -> list[str]:
    """Columns of actions in a table of labels."""
    return [str(name) for name in labels.columns if name not in LABEL_KEY]


def number_segments(labels: pd.DataFrame) -> pd.Series:
    """Number the runs of consecutive frames, which are the expression segments of Hugging Rain Man.

    Parameters
    ----------
    labels
        From `read_labels`, sorted.

    Returns
    -------
    Series of int
        From 0; a segment never spans two participants, sessions or tasks.
    """
    keys = labels[["participant_id", "session", "task"]]
    starts = (keys != keys.shift()).any(axis=1) | (labels["frame"].diff() != 1)
    return (starts.cumsum() - 1).rename("segment")


def _find_files(folder: Path) -> list[tuple[str, Path]]:
    """Name of the participant, and each of its files; the annotation tool's backups do not count."""
    found = [(file.stem, file) for file in sorted(folder.glob("*.csv"))]
    found += [(file.parent.name, file) for file in sorted(folder.glob("*/*.csv"))]
    return [(whose, file) for whose, file in found if not file.stem.endswith("-backup")]


def _read_file(file: Path, group: str, whose: str, root: Path, problems: list[str]) -> pd.DataFrame:
    name = file.relative_to(root).as_posix()
    table = _read_csv(file, name, problems)
    if "frame" not in table:
        problems.append(f"{name}: expected the column frame, got {', '.join(map(str, table.columns)) or 'nothing'}.")
        return pd.DataFrame()
    actions: dict[str, str] = {}
    for column in table.columns:
        if (
            column == "frame"
            or column in IGNORED
            or column.lower() in _EXPRESSION_COLUMNS
            or _RATING_COLUMN.match(column)
        ):
            continue
        try:
            actions[column] = action_column(column)
        except ValueError:
            problems.append(
                f"{name}: unknown column {column!r}; expected action units or descriptors such as AU12, AD19, AU2X."
            )
    told = pd.to_numeric(table["ASD"], errors="coerce") if "ASD" in table else None
    if told is not None and group in {"ASD", "TD"} and (told.notna() & (told != int(group == "ASD"))).any():
        problems.append(f"{name}: expected ASD to be {int(group == 'ASD')} in the folder {group}, got other values.")
    codes = _merge(
        {new: [old for old, to in actions.items() if to == new] for new in actions.values()}, table, name, problems
    )
    expression = next((column for column in table.columns if column.lower() in _EXPRESSION_COLUMNS), None)
    frame = _read_frames(table["frame"], name, problems)
    leading = {
        "participant_id": re.sub(r"[^0-9A-Za-z]", "", f"{group}{whose.removeprefix('Participant')}"),
        "session": "", "task": "", "group": group, "frame": frame,
        EMOTION: _read_expressions(table[expression], name, problems) if expression else None,
    }  # fmt: skip
    return pd.concat([pd.DataFrame(leading, index=table.index), codes], axis=1)


def _read_csv(file: Path, name: str, problems: list[str]) -> pd.DataFrame:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}: cannot be read as UTF-8 text ({type(error).__name__}). Save it as CSV UTF-8.")
        return pd.DataFrame()
    header = next(csv.reader(io.StringIO(text)), [])
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        problems.append(f"{name}: expected each column once, got {', '.join(twice)} several times.")
        return pd.DataFrame()
    if not header:
        problems.append(f"{name}: expected a header, got an empty file.")
        return pd.DataFrame()
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False).rename(columns=str.strip)


def _read_frames(column: pd.Series, name: str, problems: list[str]) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = numbers.isna() | (numbers < 0) | (numbers % 1 != 0)
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy()))
        problems.append(f"{name}, line {row + 2}: expected a frame number from 0, got {column.iloc[row]!r}.")
        return pd.Series(range(len(column)), index=column.index)
    twice = numbers[numbers.duplicated()]
    if len(twice):
        problems.append(
            f"{name}: expected each frame once, got frame {int(twice.iloc[0])} again ({len(twice)} in all)."
        )
    return numbers.astype(np.int64)


def _read_expressions(column: pd.Series, name: str, problems: list[str]) -> pd.Series | None:
    try:
        return label_frames_by_annotation(column)
    except ValueError as error:
        problems.append(f"{name}: {error}")
        return None


def _merge(sources: dict[str, list[str]], table: pd.DataFrame, name: str, problems: list[str]) -> pd.DataFrame:
    """Codes of each action; columns that name the same action, and AU26 and AU27 with AU2X, become one."""
    if JAW in sources or any(unit in sources for unit in JAW_UNITS):
        sources = dict(sources)
        sources[JAW] = [*sources.get(JAW, ()), *(column for unit in JAW_UNITS for column in sources.pop(unit, ()))]
    codes = {}
    for action, columns in sources.items():
        merged = np.zeros(len(table), dtype=np.uint8)
        for column in columns:
            values = _read_codes(table[column], f"{name}, column {column}", problems)
            merged = np.where(merged > 0, merged, values).astype(np.uint8)
        codes[action] = merged
    return pd.DataFrame(codes, index=table.index)


def _read_codes(column: pd.Series, where: str, problems: list[str]) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = ~numbers.isin(range(HIGHEST_CODE + 1))
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy()))
        given = column.iloc[row] if str(column.iloc[row]).strip() else "nothing"
        problems.append(
            f"{where}, line {row + 2}: expected a code from 0 to {HIGHEST_CODE}, got {given}"
            f"{f' ({int(wrong.sum())} such cells)' if wrong.sum() > 1 else ''}."
        )
        return np.zeros(len(column), dtype=np.uint8)
    return numbers.to_numpy(dtype=np.uint8)


def _read_long(path: Path, groups: Sequence[str], problems: list[str]) -> pd.DataFrame:
    name = path.name
    table = _read_csv(path, name, problems)
    absent = [column for column in _LONG_COLUMNS if column not in table]
    if absent:
        problems.append(f"{name}: expected the columns {', '.join(_LONG_COLUMNS)}; missing {', '.join(absent)}.")
        return pd.DataFrame()
    for column in ("session", "task"):
        if column not in table:
            table[column] = ""
    strange = sorted(set(table["group"]) - set(groups))
    if strange:
        problems.append(f"{name}: expected the group {' or '.join(groups)}, got {', '.join(map(repr, strange))}.")
    keys = ["participant_id", "session", "task", "group", "frame"]
    twice = table.duplicated([*keys, "action"])
    if twice.any():
        problems.append(
            f"{name}, line {int(np.argmax(twice.to_numpy())) + 2}: expected each action of a frame once, got it again."
        )
        return pd.DataFrame()
    wide = table.pivot_table(index=keys, columns="action", values="code", aggfunc="first", sort=False)
    wide = wide.fillna("0").reset_index().rename_axis(columns=None)
    parts = []
    for key, rows in wide.groupby(keys[:4], sort=False):
        part = _read_person(rows.drop(columns=keys[:4]), f"{name}, {key[0]}", problems)
        parts.append(part.assign(**{column: str(value) for column, value in zip(keys[:4], key, strict=True)}))
    expression = next((column for column in table.columns if column.lower() in _EXPRESSION_COLUMNS), None)
    labels = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if expression and len(labels):
        shown = _read_expressions(table[expression], name, problems)
        given = table.assign(**{EMOTION: shown, "frame": pd.to_numeric(table["frame"], errors="coerce")})
        given = given.dropna(subset=[EMOTION]).drop_duplicates(keys)
        labels = labels.merge(given[[*keys, EMOTION]], on=keys, how="left")
    return labels


def _read_person(rows: pd.DataFrame, name: str, problems: list[str]) -> pd.DataFrame:
    actions: dict[str, list[str]] = {}
    for column in rows.columns:
        if column == "frame" or column in IGNORED:
            continue
        try:
            actions.setdefault(action_column(column), []).append(column)
        except ValueError:
            problems.append(f"{name}: unknown action {column!r}.")
    codes = _merge(actions, rows, name, problems)
    return pd.concat([_read_frames(rows["frame"], name, problems).rename("frame"), codes], axis=1)


def _order(labels: pd.DataFrame) -> pd.DataFrame:
    if EMOTION not in labels:
        labels[EMOTION] = None
    named = [name for name in labels.columns if name not in LABEL_KEY]
    actions = [name for name in HRM_ACTIONS if name in named] + sorted(set(named) - set(HRM_ACTIONS))
    ordered = labels[[*LABEL_KEY, *actions]].sort_values(["group", "participant_id", "session", "task", "frame"])
    types: dict[str, Any] = dict.fromkeys(actions, np.uint8)
    types |= {name: "str" for name in LABEL_KEY if name != "frame"} | {"frame": np.int64}
    return ordered.fillna(dict.fromkeys(actions, 0)).astype(types).reset_index(drop=True)
