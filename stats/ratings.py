"""Tables of ratings, checked: subjects by judges, numbers or categories."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Missing = Literal["raise", "listwise"]

FloatArray = npt.NDArray[np.float64]


def to_numbers(ratings: npt.ArrayLike | pd.DataFrame) -> FloatArray:
    """Convert ratings to float64; nulls become NaN.

    Parameters
    ----------
    ratings
        Array or table.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    ValueError
        If a rating is infinite.
    """
    if isinstance(ratings, pd.DataFrame):
        values = ratings.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = np.asarray(ratings, dtype=np.float64)
    if np.isinf(values).any():
        raise ValueError("Expected finite ratings, got infinities.")
    return values


def to_complete(values: FloatArray, missing: Missing) -> tuple[FloatArray, int]:
    """Select the subjects whom every judge rated.

    Parameters
    ----------
    values
        Shape (n subjects, k judges); NaN where a rating is missing.
    missing
        ``raise``: a missing rating is an error. ``listwise``: its subject is left out.

    Returns
    -------
    complete : ndarray, shape (m, k)
        Without missing ratings; two rows and two columns or more.
    dropped : int
        Subjects left out.

    Raises
    ------
    ValueError
        If ratings are missing, or too few subjects or judges are left.
    """
    if missing not in ("raise", "listwise"):
        raise ValueError(f"Expected missing to be 'raise' or 'listwise', got {missing!r}.")
    if values.ndim != 2:
        raise ValueError(f"Expected a table of subjects by judges, got {values.ndim} dimensions.")
    incomplete = np.isnan(values).any(axis=1)
    dropped = int(incomplete.sum())
    if dropped and missing == "raise":
        raise ValueError(
            f"Expected a rating of every judge for every subject, got {int(np.isnan(values).sum())} missing in {dropped} of "
            f"{len(values)} subjects (first: row {int(np.argmax(incomplete))}). Fill them, or leave these subjects out with "
            "missing='listwise'."
        )
    complete = values[~incomplete]
    if complete.shape[0] < 2 or complete.shape[1] < 2:
        raise ValueError(
            f"Expected two subjects and two judges or more, got {complete.shape[0]} subjects and {complete.shape[1]} judges"
            f"{f' after {dropped} subjects with missing ratings were left out' if dropped else ''}."
        )
    return complete, dropped


def to_codes(
    ratings: object, missing: Missing, categories: Sequence[Hashable] | None = None
) -> tuple[npt.NDArray[np.int64], int, int]:
    """Number the categories of ratings.

    Parameters
    ----------
    ratings
        Shape (n subjects, k judges); numbers, text or booleans.
    missing
        As in `to_complete`.
    categories
        All categories in order; those that occur, sorted, where None.

    Returns
    -------
    codes : ndarray of int64, shape (m, k)
        Position of the category.
    n_categories : int
    dropped : int
        Subjects left out.

    Raises
    ------
    ValueError
        If a rating is not among the categories, ratings are missing, or too few are left.
    """
    values = np.asarray(ratings, dtype=object)
    if values.ndim != 2:
        raise ValueError(f"Expected a table of subjects by judges, got {values.ndim} dimensions.")
    names = pd.Index(pd.unique(values[~pd.isna(values)])) if categories is None else pd.Index(list(categories))
    if categories is None:
        names = names.sort_values()
    codes = names.get_indexer(pd.Index(values.ravel()))
    if categories is not None:
        unknown = pd.unique(values.ravel()[(codes < 0) & ~pd.isna(values.ravel())])
        if len(unknown):
            raise ValueError(f"Expected ratings among {list(categories)}, got {list(unknown)[:5]}.")
    coded = np.where(codes < 0, np.nan, codes.astype(np.float64)).reshape(values.shape)
    complete, dropped = to_complete(coded, missing)
    kept = complete.astype(np.int64)
    if categories is None:
        occurring, kept = np.unique(kept, return_inverse=True)
        return kept.reshape(complete.shape), len(occurring), dropped
    return kept, len(names), dropped
