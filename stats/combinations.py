"""Combinations of facial actions: how complex they are, and how many distinct ones a group shows.

A combination is the set of actions that are active in a frame, with their laterality codes if these count; its complexity is the
number of active actions, an action counting once whatever its code (Ji et al., 2025, section IV-B).

References
----------
.. [1] Ji, Y. et al. (2025). Hugging Rain Man. IEEE Transactions on Affective Computing.
   https://doi.org/10.1109/TAFFC.2025.3558914
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from stats.effect_sizes import normal_quantile

HIGHEST_CODE: Final = 5
"""Laterality codes: 0 absent, 1 both sides, 2 left, 3 right, 4 top, 5 bottom."""

_CODE_COLUMN: Final = re.compile(r"^A[UD](?:0*[1-9]\d*|2X)$")
_DIGITS: Final = 24  # (HIGHEST_CODE + 1) ** 24 < 2 ** 64

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Combinations:
    """The combination of each frame.

    Attributes
    ----------
    types
        Shape (n frames,), int64: number of the combination; equal where the same actions are active.
    complexity
        Shape (n frames,), int64: active actions.
    """

    types: IntArray
    complexity: IntArray


def code_columns(labels: pd.DataFrame) -> list[str]:
    """List the columns of facial actions.

    Parameters
    ----------
    labels
        Table with columns such as ``AU01``, ``AU2X``, ``AD19``. ``AU0``, "no action", is none.

    Returns
    -------
    list of str
    """
    return [str(name) for name in labels.columns if _CODE_COLUMN.match(str(name))]


def find_combinations(labels: pd.DataFrame, *, directions: bool = True) -> Combinations:
    """Find the combination of actions in each frame.

    Parameters
    ----------
    labels
        One row a frame; codes 0 to 5, or booleans, in the columns of `code_columns`.
    directions
        Whether the same actions with other laterality codes are another combination.

    Returns
    -------
    Combinations

    Raises
    ------
    ValueError
        If there are no such columns, or values are null or not codes from 0 to 5.
    """
    names = code_columns(labels)
    if not names:
        raise ValueError("Expected columns of action units or descriptors such as AU12 or AD19, got none.")
    values = labels[names].to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isin(values, np.arange(HIGHEST_CODE + 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"Expected codes from 0 to {HIGHEST_CODE} in {names[column]}, got {values[row, column]:g} in row {row}. Leave frames "
            "without labels out; make probabilities codes with a threshold first."
        )
    codes = values.astype(np.uint64)
    active = codes > 0
    if not directions:
        codes = active.astype(np.uint64)
    types = np.zeros(len(codes), dtype=np.int64)
    for start in range(0, len(names), _DIGITS):
        part = codes[:, start : start + _DIGITS]
        powers = np.uint64(HIGHEST_CODE + 1) ** np.arange(part.shape[1], dtype=np.uint64)
        numbers, parts = pd.factorize(part @ powers)
        types = pd.factorize(types * max(len(parts), 1) + numbers)[0]
    return Combinations(types, active.sum(axis=1))


def complexity_table(labels: pd.DataFrame, *, directions: bool = True) -> pd.DataFrame:
    """Count the distinct combinations of each complexity, by group and emotion.

    Parameters
    ----------
    labels
        One row a frame: `group`, `emotion`, and codes 0 to 5 of actions (see `code_columns`). Frames without an emotion are
        left out.
    directions
        Whether laterality codes count.

    Returns
    -------
    DataFrame
        One row a group, emotion and complexity that occurs, sorted: `group`, `emotion`, `complexity`, `n_types` (distinct
        combinations), `n_frames`. Complexity 0, no action, is a row too.

    Raises
    ------
    ValueError
        If `group` or `emotion` is missing, or codes are not 0 to 5.

    Notes
    -----
    Types grow with frames and participants: compare groups of unequal size by `rarefied_complexity`.

    Examples
    --------
    >>> labels = pd.DataFrame({"group": "ASD", "emotion": "happy", "AU06": [0, 1, 1, 2], "AU12": [1, 1, 1, 1]})
    >>> complexity_table(labels)[["complexity", "n_types", "n_frames"]].to_numpy().tolist()
    [[1, 1, 1], [2, 2, 3]]
    """
    frames = _combine(labels, directions)
    table = frames.groupby(["group", "emotion", "complexity"], as_index=False, observed=True).agg(
        n_types=("type", "nunique"), n_frames=("type", "size")
    )
    return table.astype({"complexity": "int64", "n_types": "int64", "n_frames": "int64"})


def rarefied_complexity(
    labels: pd.DataFrame, *, directions: bool = True, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Count the distinct combinations that equally many frames of each group would show.

    Parameters
    ----------
    labels, directions
        As in `complexity_table`.
    confidence_level
        Level of the interval.

    Returns
    -------
    DataFrame
        `complexity_table` with `rarefied_to` (frames: those of the smallest group in the emotion), `expected_types`, `ci_low` and
        `ci_high`.

    Notes
    -----
    The expectation and variance over random draws of that many frames without replacement [1]_ [2]_; the largest of
    the equal samples has no variance. The interval describes the draw of frames, not of participants: for a statement on
    groups see `participant_diversity` and test that.

    References
    ----------
    .. [1] Hurlbert, S. H. (1971). Ecology 52, 577-586. https://doi.org/10.2307/1934145
    .. [2] Heck, K. L., van Belle, G. & Simberloff, D. (1975). Ecology 56, 1459-1461. https://doi.org/10.2307/1934716
    """
    z = normal_quantile(confidence_level)
    frames = _combine(labels, directions)
    table = complexity_table(labels, directions=directions)
    sizes = frames.groupby(["group", "emotion"], observed=True).size()
    totals: dict[Any, int] = sizes.to_dict()
    smallest: dict[Any, int] = sizes.groupby(level="emotion").min().to_dict()
    records = []
    for (group, emotion, _), rows in frames.groupby(["group", "emotion", "complexity"], observed=True):
        drawn = smallest[emotion]
        counts = np.bincount(pd.factorize(rows["type"])[0])
        mean, deviation = expected_types(counts, drawn, total=totals[group, emotion])
        records.append((drawn, mean, max(mean - z * deviation, 0.0), mean + z * deviation))
    added = pd.DataFrame(records, columns=["rarefied_to", "expected_types", "ci_low", "ci_high"])
    return pd.concat([table, added], axis=1)


def expected_types(counts: npt.ArrayLike, n_drawn: int, *, total: int | None = None) -> tuple[float, float]:
    """Expected number of distinct types in a random draw without replacement.

    Parameters
    ----------
    counts
        Shape (n types,): frames of each type, 1 or more.
    n_drawn
        Frames that are drawn.
    total
        Frames that are drawn from; the sum of `counts` where None. More than that sum where other types do not matter.

    Returns
    -------
    mean : float
    deviation : float
        Standard deviation over draws.

    Raises
    ------
    ValueError
        If more is drawn than there is, or counts are not positive.

    Examples
    --------
    >>> mean, deviation = expected_types([2, 2], 2)
    >>> round(mean, 4), round(deviation, 4)
    (1.6667, 0.4714)
    """
    sizes, how_many = np.unique(np.asarray(counts, dtype=np.int64), return_counts=True)
    n = int((sizes * how_many).sum()) if total is None else total
    if len(sizes) and sizes[0] < 1:
        raise ValueError(f"Expected counts of 1 or more, got {sizes[0]}.")
    if not 0 <= n_drawn <= n or n < (sizes * how_many).sum():
        raise ValueError(f"Expected to draw from 0 to {n} frames, got {n_drawn} and counts of {counts!r}.")
    absent = _probability_absent(sizes, n, n_drawn)
    both = _probability_absent(sizes[:, None] + sizes[None, :], n, n_drawn)
    covariance = both - absent[:, None] * absent[None, :]
    pairs = how_many[:, None] * how_many[None, :] - np.diag(how_many)
    variance = (how_many * absent * (1 - absent)).sum() + (pairs * covariance).sum()
    # the terms cancel to a rounding error where all frames are drawn
    return float((how_many * (1 - absent)).sum()), float(np.sqrt(max(variance, 0.0)))


def _probability_absent(sizes: IntArray, n: int, n_drawn: int) -> FloatArray:
    """Probability that none of `sizes` frames out of `n` is among `n_drawn`."""
    others = np.maximum(n - sizes, 0)
    possible = (n - sizes >= 0) & (others >= n_drawn)
    rest = np.where(possible, others - n_drawn, 0)
    log = special.gammaln(others + 1) - special.gammaln(rest + 1)
    log -= special.gammaln(n + 1) - special.gammaln(n - n_drawn + 1)
    return np.where(possible, np.exp(np.minimum(log, 0.0)), 0.0)


def participant_diversity(labels: pd.DataFrame, *, directions: bool = True, min_frames: int = 30) -> pd.DataFrame:
    """Measure complexity and diversity in each participant, so that groups can be compared by participants.

    Parameters
    ----------
    labels
        As in `complexity_table`, with `participant_id`.
    directions
        Whether laterality codes count.
    min_frames
        Frames that a participant needs in an emotion. All are rarefied to the fewest frames that one of those has.

    Returns
    -------
    DataFrame
        One row a participant and emotion: `participant_id`, `group`, `emotion`, `n_frames`, `rarefied_to`, `mean_complexity` (mean
        over frames), `max_complexity`, `n_types`, and `rarefied_types` (expected distinct combinations in `rarefied_to` frames).
        `rarefied_to` is 0 and measures are NaN where there are fewer than `min_frames`.

    Raises
    ------
    ValueError
        If columns are missing, a participant is in two groups, or codes are not 0 to 5.
    """
    if "participant_id" not in labels:
        raise ValueError("Expected the column participant_id in the labels, got none.")
    frames = _combine(labels, directions)
    groups = frames.groupby("participant_id", observed=True)["group"].nunique()
    if (groups > 1).any():
        raise ValueError(f"Expected each participant in one group, got {groups.idxmax()!r} in several.")
    keys = ["participant_id", "group", "emotion"]
    by_person = frames.groupby(keys, observed=True)
    table = by_person["complexity"].agg(n_frames="size", mean_complexity="mean", max_complexity="max").reset_index()
    table["n_types"] = by_person["type"].nunique().to_numpy()
    enough = table["n_frames"] >= max(min_frames, 1)
    fewest = table["n_frames"].where(enough).groupby(table["emotion"]).transform("min")
    table["rarefied_to"] = fewest.where(enough, 0).fillna(0).astype("int64")
    table["rarefied_types"] = [
        expected_types(np.bincount(pd.factorize(rows["type"])[0]), int(drawn))[0] if drawn else float("nan")
        for (_, rows), drawn in zip(by_person, table["rarefied_to"], strict=True)
    ]
    measures = ["mean_complexity", "max_complexity", "n_types"]
    table[measures] = table[measures].astype("float64").where(enough, axis=0)
    return table[[*keys, "n_frames", "rarefied_to", *measures, "rarefied_types"]]


def _combine(labels: pd.DataFrame, directions: bool) -> pd.DataFrame:
    """`group`, `emotion`, `participant_id` where there is one, `type` and `complexity` of the frames that have an emotion."""
    absent = [name for name in ("group", "emotion") if name not in labels]
    if absent:
        raise ValueError(f"Expected the columns group and emotion in the labels; missing {', '.join(absent)}.")
    shown = labels[labels["emotion"].notna() & labels["group"].notna()]
    found = find_combinations(shown, directions=directions)
    keys = [name for name in ("participant_id", "group", "emotion") if name in shown]
    return shown[keys].assign(type=found.types, complexity=found.complexity)
