"""Permutation tests and bootstrap intervals that resample participants, all columns and all resamples at once.

A resample is a row of a matrix and its statistic a matrix product: nothing here loops over resamples. Frames of a participant
stay together, because they are no independent observations.

References
----------
.. [1] Phipson, B. & Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in Genetics and
   Molecular Biology 9, 39. https://doi.org/10.2202/1544-6115.1585
.. [2] Westfall, P. H. & Young, S. S. (1993). Resampling-based multiple testing. Wiley.
.. [3] Davison, A. C. & Hinkley, D. V. (1997). Bootstrap methods and their application, section 3.8. Cambridge University Press.
   https://doi.org/10.1017/CBO9780511802843
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from stats.effect_sizes import normal_quantile

Weighing = Literal["frames", "participants"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_BLOCK_CELLS: Final = 4_000_000  # 32 MB of counts at a time
_TOLERANCE: Final = 1e-9  # statistics that are equal on paper differ in their last digits


@dataclass(frozen=True, slots=True)
class PermutationTests:
    """Two-sided p-values from permuting the groups of participants.

    Attributes
    ----------
    p
        p-value of each column.
    p_max
        The same adjusted for all columns by the permutation distribution of the largest statistic (Westfall and Young),
        which knows how the columns depend on each other.
    n_permutations
        Permutations used.
    exact
        Whether these were all that exist.
    """

    p: pd.Series
    p_max: pd.Series
    n_permutations: int
    exact: bool


def assign_groups(n: int, n_a: int, *, n_permutations: int, seed: int) -> tuple[FloatArray, bool]:
    """Ways of choosing the first group among participants.

    Parameters
    ----------
    n, n_a
        Participants in all and in the first group.
    n_permutations
        Ways wanted. Where no more exist all are listed, else they are drawn at random.
    seed
        Seed of the draw.

    Returns
    -------
    membership : ndarray, shape (ways, n)
        1 where a participant is in the first group.
    exact : bool
        Whether all ways are listed.

    Raises
    ------
    ValueError
        If a group would be empty or fewer than one permutation is asked for.
    """
    if not 0 < n_a < n:
        raise ValueError(f"Expected participants in both groups, got {n_a} of {n} in the first.")
    if n_permutations < 1:
        raise ValueError(f"Expected one permutation or more, got {n_permutations}.")
    if comb(n, n_a) <= n_permutations:
        chosen = np.array(list(combinations(range(n), n_a)))
        membership = np.zeros((len(chosen), n))
        np.put_along_axis(membership, chosen, 1.0, axis=1)
        return membership, True
    rng = np.random.default_rng(seed)
    order = rng.random((n_permutations, n)).argsort(axis=1)
    return (order < n_a).astype(np.float64), False


def permute_rank_sums(
    values: pd.DataFrame, is_a: npt.ArrayLike, *, n_permutations: int = 10_000, seed: int = 0
) -> PermutationTests:
    """Permutation form of the Mann-Whitney test over participants.

    Parameters
    ----------
    values
        One row a participant, one column a tested attribute; finite.
    is_a
        Whether a participant is in the first group, aligned by position.
    n_permutations, seed
        As in `assign_groups`.

    Returns
    -------
    PermutationTests
        Ties are midranks and need no correction here. 1 where all participants have the same value.

    Raises
    ------
    ValueError
        If values are null or a group is empty.

    Examples
    --------
    >>> values = pd.DataFrame({"AU12": [0.1, 0.2, 0.3, 0.7, 0.8, 0.9]})
    >>> tests = permute_rank_sums(values, [True, True, True, False, False, False])
    >>> round(float(tests.p["AU12"]), 3), tests.exact
    (0.1, True)
    """
    table, chosen = _to_table(values, is_a)
    ranks = stats.rankdata(table, axis=0)
    deviations = ranks - (len(ranks) + 1) / 2
    membership, exact = assign_groups(len(table), int(chosen.sum()), n_permutations=n_permutations, seed=seed)
    spread = np.sqrt((deviations**2).sum(axis=0))
    return _compare(chosen @ deviations, membership @ deviations, spread, pd.Index(values.columns), exact=exact)


def permute_mean_differences(
    values: pd.DataFrame, is_a: npt.ArrayLike, *, n_permutations: int = 10_000, seed: int = 0
) -> PermutationTests:
    """Permutation test of the difference of the groups' means over participants.

    Parameters
    ----------
    values, is_a, n_permutations, seed
        As in `permute_rank_sums`.

    Returns
    -------
    PermutationTests

    Raises
    ------
    ValueError
        If values are null or a group is empty.
    """
    table, chosen = _to_table(values, is_a)
    deviations = table - table.mean(axis=0)
    membership, exact = assign_groups(len(table), int(chosen.sum()), n_permutations=n_permutations, seed=seed)
    spread = np.sqrt((deviations**2).sum(axis=0))
    return _compare(chosen @ deviations, membership @ deviations, spread, pd.Index(values.columns), exact=exact)


def permute_frame_statistic(
    deviations: pd.DataFrame,
    n_frames: npt.ArrayLike,
    is_a: npt.ArrayLike,
    *,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> PermutationTests:
    """Test the Z of a Mann-Whitney test over frames by permuting whole participants.

    Parameters
    ----------
    deviations
        One row a participant: its frames' midranks less the mean rank, summed; one column a tested attribute. From
        `stats.frame_tests.compare_frames`.
    n_frames
        Frames of each participant.
    is_a, n_permutations, seed
        As in `permute_rank_sums`.

    Returns
    -------
    PermutationTests
        p-values that hold although frames of a participant are alike: the published statistic, with another reference distribution.

    Raises
    ------
    ValueError
        If values are null or a group is empty.

    Notes
    -----
    The groups' sizes in frames change with the permutation, so the rank sum is divided by its standard deviation over frames,
    ``√(n_a n_b)`` times a constant.
    """
    table, chosen = _to_table(deviations, is_a)
    frames = np.asarray(n_frames, dtype=np.float64)
    membership, exact = assign_groups(len(table), int(chosen.sum()), n_permutations=n_permutations, seed=seed)

    def standardise(rows: FloatArray) -> FloatArray:
        n_a = rows @ frames
        return np.asarray((rows @ table) / np.sqrt(n_a * (frames.sum() - n_a))[..., None])

    drawn = standardise(membership)
    spread = np.sqrt((drawn**2).mean(axis=0))
    observed = standardise(chosen[None, :].astype(np.float64))[0]
    return _compare(observed, drawn, spread, pd.Index(deviations.columns), exact=exact)


def _to_table(values: pd.DataFrame, is_a: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    table = values.to_numpy(dtype=np.float64, na_value=np.nan)
    chosen = np.asarray(is_a, dtype=bool)
    if len(chosen) != len(table):
        raise ValueError(f"Expected a group for each of {len(table)} participants, got {len(chosen)}.")
    if not np.isfinite(table).all():
        raise ValueError("Expected finite values, got nulls or infinities; leave those participants out.")
    return table, chosen


def _compare(
    observed: FloatArray, drawn: FloatArray, spread: FloatArray, names: pd.Index, *, exact: bool
) -> PermutationTests:
    """Where statistics of permutations (ways, k) reach the observed ones (k,); `spread` brings columns to one scale."""
    scale = np.where(spread > 0, spread, 1.0)
    size, sizes = np.abs(observed / scale), np.abs(drawn / scale)
    largest = sizes.max(axis=1, initial=0.0)
    added = 0 if exact else 1
    reached = (sizes >= size - _TOLERANCE).sum(axis=0)
    reached_by_largest = (largest[:, None] >= size - _TOLERANCE).sum(axis=0)
    p, p_max = ((count + added) / (len(drawn) + added) for count in (reached, reached_by_largest))
    return PermutationTests(pd.Series(p, index=names), pd.Series(p_max, index=names), len(drawn), exact)


def bootstrap_rate_differences(
    sums: pd.DataFrame,
    n_frames: npt.ArrayLike,
    is_a: npt.ArrayLike,
    *,
    n_bootstrap: int = 10_000,
    confidence_level: float = 0.95,
    seed: int = 0,
    weigh: Weighing = "frames",
) -> pd.DataFrame:
    """Cluster-bootstrap interval of the difference of two groups' rates: participants are drawn, with all their frames.

    Parameters
    ----------
    sums
        One row a participant, one column an attribute: frames in which it is active (or the sum of its values).
    n_frames
        Frames of each participant, 1 or more.
    is_a
        Whether a participant is in the first group.
    n_bootstrap
        Resamples.
    confidence_level
        Level of the percentile interval.
    seed
        Seed of the resamples.
    weigh
        ``frames``: rate over all frames of a group, participants with more frames weigh more. ``participants``: mean of
        participants' rates.

    Returns
    -------
    DataFrame
        Index: the columns of `sums`; `difference` (first minus second group), `ci_low`, `ci_high`.

    Raises
    ------
    ValueError
        If a group is empty, values are null, a participant has no frame, or `weigh` is unknown.

    Notes
    -----
    Percentile interval; with a handful of participants it is too narrow, and 0 wide where a group's participants agree.
    """
    normal_quantile(confidence_level)
    table, chosen = _to_table(sums, is_a)
    frames = np.asarray(n_frames, dtype=np.float64)
    if not 0 < chosen.sum() < len(chosen):
        raise ValueError(
            f"Expected participants in both groups, got {int(chosen.sum())} of {len(chosen)} in the first."
        )
    if frames.shape != chosen.shape or (frames < 1).any():
        raise ValueError("Expected one frame or more of each participant.")
    if weigh not in ("frames", "participants"):
        raise ValueError(f"Expected weigh to be 'frames' or 'participants', got {weigh!r}.")
    if weigh == "participants":
        table, frames = table / frames[:, None], np.ones(len(frames))
    rng = np.random.default_rng(seed)
    means = [_resample_rate(table[rows], frames[rows], n_bootstrap, rng) for rows in (chosen, ~chosen)]
    value = table[chosen].sum(axis=0) / frames[chosen].sum() - table[~chosen].sum(axis=0) / frames[~chosen].sum()
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(means[0] - means[1], [tail, 1 - tail], axis=0)
    return pd.DataFrame({"difference": value, "ci_low": low, "ci_high": high}, index=sums.columns)


def _resample_rate(sums: FloatArray, frames: FloatArray, n_bootstrap: int, rng: np.random.Generator) -> FloatArray:
    """Rates of a group in each resample, shape (n_bootstrap, k)."""
    n = len(frames)
    times = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap).astype(np.float64)
    return np.asarray((times @ sums) / (times @ frames)[:, None])


def resample_sums(
    columns: npt.NDArray[np.floating],
    *,
    n_bootstrap: int,
    seed: int,
    clusters: npt.NDArray[np.generic] | None = None,
) -> FloatArray:
    """Sums of columns over bootstrap resamples of rows, or of whole clusters of rows.

    Parameters
    ----------
    columns
        Shape (n, c): what each row adds to the sums.
    n_bootstrap
        Resamples.
    seed
        Seed of the resamples.
    clusters
        Shape (n,): to which cluster, such as a person, each row belongs; None resamples rows.

    Returns
    -------
    ndarray, shape (n_bootstrap, c), float64

    Raises
    ------
    ValueError
        If there is no row or no resample, or the clusters are not one a row.

    Notes
    -----
    A resample of n rows with replacement takes row i as many times as a multinomial draw says; the sums are its product with the
    columns. Resamples are drawn in blocks, so that memory does not grow with their number.
    """
    table = np.asarray(columns, dtype=np.float64)
    if clusters is not None:
        if len(clusters) != len(table):
            raise ValueError(f"Expected a cluster for each of {len(table)} rows, got {len(clusters)}.")
        _names, member = np.unique(clusters, return_inverse=True)
        summed = np.zeros((int(member.max(initial=-1)) + 1, table.shape[1]))
        np.add.at(summed, member, table)
        table = summed
    n = len(table)
    if n < 1 or n_bootstrap < 1:
        raise ValueError(f"Expected a row and a resample or more, got {n} and {n_bootstrap}.")
    rng = np.random.default_rng(seed)
    out = np.empty((n_bootstrap, table.shape[1]))
    block = max(1, _BLOCK_CELLS // n)
    for start in range(0, n_bootstrap, block):
        rows = slice(start, min(start + block, n_bootstrap))
        times = rng.multinomial(n, np.full(n, 1 / n), size=rows.stop - start)
        out[rows] = times.astype(np.float64) @ table
    return out
