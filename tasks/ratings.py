"""Ratings of expression segments by judges: read, averaged, their agreement, and where judges disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from features.frame_table import Column
from stats.reliability import IccForm, Reliability, cohen_kappa, fleiss_kappa, icc
from tasks.delimited import MISSING, parse_number, read_text_table
from tasks.errors import InvalidInputError

LIKERT: Final = (1, 2, 3, 4, 5)
"""1 natural ... 5 highly atypical (Ji et al., 2025, section III-E)."""

SEGMENT_KEY: Final = ("participant_id", "start_frame", "end_frame")

RECORDING: Final = ("session", "task")
"""Columns that a table of ratings may have: which recording of the participant a segment is in."""

_COLUMNS: Final = (*SEGMENT_KEY, "judge", "rating")
_FORMS: Final[tuple[IccForm, ...]] = ("ICC(3,1)", "ICC(3,k)", "ICC(2,1)", "ICC(2,k)")
_MAX_LISTED: Final = 20

RATING_COLUMNS: Final[tuple[Column, ...]] = (
    Column("participant_id", "string", "Participant"),
    Column("session", "string", "Session, where the ratings name it"),
    Column("task", "string", "Stimulus, where the ratings name it"),
    Column("start_frame", "int32", "First frame of the segment", low=0),
    Column("end_frame", "int32", "Last frame of the segment", low=0),
    Column("n_judges", "int32", "Judges who rated it", low=0),
    Column("mean", "float64", "Mean of the judges", low=1, high=5),
    Column("range", "float64", "Highest less lowest rating", low=0, high=4),
    Column("disagreement", "bool", "Whether judges lie two steps or more apart"),
)
"""Data dictionary of ``desc-ratings_segments``; a column ``judge_<name>`` for each judge follows."""

RATING_RELIABILITY_COLUMNS: Final[tuple[Column, ...]] = (
    Column("coefficient", "string", "Coefficient of agreement"),
    Column("judges", "string", "Judges who are compared"),
    Column("estimate", "float64", "The coefficient"),
    Column("ci_low", "float64", "Lower end of its interval"),
    Column("ci_high", "float64", "Upper end of its interval"),
    Column("p", "float64", "p-value of no agreement beyond chance", low=0, high=1),
    Column("n_segments", "int32", "Segments that all of these judges rated", low=0),
    Column("n_dropped", "int32", "Segments left out because a rating is missing", low=0),
    Column("note", "string", "Why there is no number"),
)
"""Data dictionary of ``desc-ratings_reliability``."""


def read_ratings(path: Path, *, last_frames: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Read the ratings of judges.

    Parameters
    ----------
    path
        CSV with `participant_id`, `start_frame`, `end_frame` (both within the segment), `judge`, `rating`; one row a rating,
        ``n/a`` where a judge gave none. Columns `session` and `task` name the recording where a participant has several.
    last_frames
        Last frame of each participant's recording, where it is known: segments must not run past it.

    Returns
    -------
    DataFrame
        One row a segment: `participant_id`, where there `session` and `task` (empty for none), `start_frame`, `end_frame`, and
        a column ``judge_<name>`` for each judge, null where a rating is missing.

    Raises
    ------
    InvalidInputError
        If columns are missing, ratings are not 1 to 5, a judge rates a segment twice, segments overlap, end before they start, or
        run past the video; all problems are listed.
    """
    table = read_text_table(path, file=path.name, delimiter=",", required=_COLUMNS)
    problems = [str(problem) for problem in table.problems]
    named = [name for name in RECORDING if name in table.columns]
    key = [SEGMENT_KEY[0], *named, *SEGMENT_KEY[1:]]
    records = []
    for row in table.rows:
        start, end = (parse_number(row.cells[name]) for name in SEGMENT_KEY[1:])
        rating = None if row.cells["rating"] == MISSING else parse_number(row.cells["rating"])
        where = f"{path.name}, line {row.line}"
        if start is None or end is None or start < 0 or end < start or start % 1 or end % 1:
            problems.append(
                f"{where}: expected whole frames from start to end, got {row.cells['start_frame']} to {row.cells['end_frame']}."
            )
            continue
        if row.cells["rating"] != MISSING and rating not in LIKERT:
            problems.append(f"{where}: expected a rating from 1 to 5 or n/a, got {row.cells['rating']}.")
        last = (last_frames or {}).get(row.cells["participant_id"])
        if last is not None and end > last:
            problems.append(
                f"{where}: expected a segment within the video, whose last frame is {last}, got one until {end:g}."
            )
        where_in = ["" if row.cells[name] == MISSING else row.cells[name] for name in named]
        records.append((row.cells["participant_id"], *where_in, int(start), int(end), row.cells["judge"], rating))
    ratings = pd.DataFrame(records, columns=[*key, "judge", "rating"])
    problems += _check_segments(ratings, path.name, key)
    if problems:
        raise InvalidInputError("\n".join(problems[:_MAX_LISTED]))
    # not pivot_table(dropna=False): that makes a row of every combination of participants, starts and ends
    wide = ratings.set_index([*key, "judge"])["rating"].unstack("judge")  # noqa: PD010
    wide = wide.loc[list(dict.fromkeys(ratings[key].itertuples(index=False, name=None)))]
    return wide.astype(np.float64).add_prefix("judge_").rename_axis(columns=None).reset_index()


def list_key(ratings: pd.DataFrame) -> list[str]:
    """Columns that identify a segment: `SEGMENT_KEY`, and those of `RECORDING` that are there."""
    return [name for name in (SEGMENT_KEY[0], *RECORDING, *SEGMENT_KEY[1:]) if name in ratings.columns]


def _check_segments(ratings: pd.DataFrame, file: str, key: list[str]) -> list[str]:
    problems: list[str] = []
    twice = ratings[ratings.duplicated([*key, "judge"])]
    problems += [
        f"{file}: expected one rating of {row.participant_id}, frames {row.start_frame} to {row.end_frame}, by {row.judge}, "
        "got several."
        for row in twice.itertuples()
    ]
    segments = ratings[key].drop_duplicates().sort_values(key)
    for recording, rows in segments.groupby(key[:-2]):
        person = ", ".join(str(part) for part in recording if part)
        overlap = rows["start_frame"].to_numpy()[1:] <= np.maximum.accumulate(rows["end_frame"].to_numpy())[:-1]
        for position in np.flatnonzero(overlap):
            one, other = rows.iloc[position], rows.iloc[position + 1]
            problems.append(
                f"{file}: expected segments one after the other of {person}, got {one['start_frame']} to {one['end_frame']} and "
                f"{other['start_frame']} to {other['end_frame']}."
            )
    return problems


def list_judges(ratings: pd.DataFrame) -> list[str]:
    """Columns of judges."""
    return [str(name) for name in ratings.columns if str(name).startswith("judge_")]


def average_ratings(ratings: pd.DataFrame, *, disagreement: float = 2.0) -> pd.DataFrame:
    """Average the judges of each segment, and mark where they disagree.

    Parameters
    ----------
    ratings
        From `read_ratings`.
    disagreement
        Steps of the scale from which on judges are said to disagree.

    Returns
    -------
    DataFrame
        ``desc-ratings_segments``, segments with the widest range first.
    """
    judges = list_judges(ratings)
    values = ratings[judges]
    spread = values.max(axis=1) - values.min(axis=1)
    table = ratings[list_key(ratings)].assign(
        n_judges=values.notna().sum(axis=1).astype("int32"),
        mean=values.mean(axis=1),
        range=spread,
        disagreement=spread >= disagreement,
    )
    table = pd.concat([table, values], axis=1).sort_values("range", ascending=False, kind="stable")
    return table.astype({"start_frame": "int32", "end_frame": "int32"}).reset_index(drop=True)


def judge_reliability(ratings: pd.DataFrame, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """Measure how far judges agree: Fleiss' kappa, intraclass correlations, weighted kappa of each pair.

    Parameters
    ----------
    ratings
        From `read_ratings`. Segments that a judge did not rate are left out of coefficients with that judge, and counted.
    confidence_level
        Level of intervals.

    Returns
    -------
    DataFrame
        ``desc-ratings_reliability``. The mean of the judges is as reliable as ``ICC(3,k)`` says.
    """
    judges = list_judges(ratings)
    values = ratings[judges].set_axis([name.removeprefix("judge_") for name in judges], axis=1)
    level: dict[str, Any] = {"confidence_level": confidence_level, "missing": "listwise"}

    def weighted_kappa(pair: pd.DataFrame) -> Reliability:
        return cohen_kappa(pair.iloc[:, 0], pair.iloc[:, 1], weights="quadratic", categories=LIKERT, **level)

    records = [_describe("Fleiss' kappa", values, partial(fleiss_kappa, **level))]
    records += [_describe(form, values, partial(icc, form=form, **level)) for form in _FORMS]
    records += [
        _describe("Cohen's kappa, quadratic weights", values[list(pair)], weighted_kappa)
        for pair in combinations(values.columns, 2)
    ]
    return pd.DataFrame(records).astype({"n_segments": "int32", "n_dropped": "int32"})


def _describe(
    coefficient: str, values: pd.DataFrame, measure: Callable[[pd.DataFrame], Reliability]
) -> dict[str, object]:
    n, n_judges = values.shape
    complete = int(values.notna().all(axis=1).sum())
    if complete < 2 or n_judges < 2:
        nan = float("nan")
        note = f"too few: {complete} segments that all of {n_judges} judges rated"
        result = Reliability(nan, nan, nan, nan, complete, n_judges, n - complete, note)
    else:
        result = measure(values)
    return {
        "coefficient": coefficient,
        "judges": ", ".join(map(str, values.columns)),
        "estimate": result.estimate,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
        "p": result.p,
        "n_segments": result.n_subjects,
        "n_dropped": result.n_dropped,
        "note": result.note,
    }
