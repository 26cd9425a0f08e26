"""Mann-Whitney tests over frames, as Hugging Rain Man makes them, and what they need to be tested by participants.

Frames of a participant are alike, so that a test over frames takes one child for thousands: its p-values are far too small. They
are computed because papers print them; `stats.resampling.permute_frame_statistic` gives the same statistic a p-value that holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FrameTests:
    """Result of `compare_frames`.

    Attributes
    ----------
    tests
        Index: attributes; `u`, `z`, `z_signed`, `p`, `rank_biserial`, `mean_a`, `mean_b`, as in `stats.group_tests.mann_whitney`
        over frames.
    participants
        Index: participants in the order of first appearance; `is_a` and `n_frames`.
    deviations
        One row a participant, one column an attribute: its frames' midranks less the mean rank, summed.
    sums
        The same shape: sum of the participant's values; of 0 and 1, the frames in which the attribute is active.
    """

    tests: pd.DataFrame
    participants: pd.DataFrame
    deviations: pd.DataFrame
    sums: pd.DataFrame


def compare_frames(values: pd.DataFrame, participants: pd.Series, is_a: pd.Series) -> FrameTests:
    """Mann-Whitney tests of many attributes over frames.

    Parameters
    ----------
    values
        One row a frame, one column an attribute: booleans, codes or finite numbers.
    participants
        Participant of each frame, aligned by position.
    is_a
        Whether the frame is of the first group.

    Returns
    -------
    FrameTests

    Raises
    ------
    ValueError
        If lengths differ, values are null, a group has no frame, or a participant is in both groups.

    Examples
    --------
    >>> frames = pd.DataFrame({"AU12": [1, 1, 1, 0, 0, 0, 0, 0]})
    >>> result = compare_frames(frames, pd.Series(list("aabbccdd")), pd.Series([True] * 4 + [False] * 4))
    >>> round(float(result.tests.loc["AU12", "z"]), 3), result.sums["AU12"].tolist()
    (-2.049, [2.0, 1.0, 0.0, 0.0])
    """
    if not len(values) == len(participants) == len(is_a):
        raise ValueError(
            f"Expected a participant and a group of each of {len(values)} frames, got {len(participants)} and {len(is_a)}."
        )
    codes, names = pd.factorize(participants.to_numpy())
    chosen = is_a.to_numpy(dtype=bool)
    of_person = _group_of_each(codes, chosen, names)
    n, n_a = len(chosen), int(chosen.sum())
    if not 0 < n_a < n:
        raise ValueError(f"Expected frames of both groups, got {n_a} of {n} in the first.")
    starts = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.diff(codes[starts], prepend=-1))
    columns = {str(name): values[name] for name in values}
    deviations, sums = np.empty((len(names), len(columns))), np.empty((len(names), len(columns)))
    variance = np.empty(len(columns))
    for position, (name, column) in enumerate(columns.items()):
        numbers = _to_numbers(column, name)
        ranked = _midranks(numbers) - (n + 1) / 2
        deviations[:, position] = np.add.reduceat(ranked[starts], edges)
        sums[:, position] = np.add.reduceat(numbers[starts].astype(np.float64), edges)
        variance[position] = n_a * (n - n_a) / (n * (n - 1)) * np.square(ranked).sum()
    frames = np.diff(edges, append=n)
    return FrameTests(
        tests=_tabulate(deviations[of_person].sum(axis=0), variance, n_a, n - n_a, list(columns)).assign(
            mean_a=sums[of_person].sum(axis=0) / n_a, mean_b=sums[~of_person].sum(axis=0) / (n - n_a)
        ),
        participants=pd.DataFrame({"is_a": of_person, "n_frames": frames}, index=pd.Index(names)),
        deviations=pd.DataFrame(deviations, index=pd.Index(names), columns=list(columns)),
        sums=pd.DataFrame(sums, index=pd.Index(names), columns=list(columns)),
    )


def _group_of_each(codes: npt.NDArray[np.intp], chosen: npt.NDArray[np.bool_], names: object) -> npt.NDArray[np.bool_]:
    if (codes < 0).any():
        raise ValueError("Expected a participant of every frame, got nulls.")
    in_a, in_all = np.bincount(codes, weights=chosen), np.bincount(codes)
    both = (in_a > 0) & (in_a < in_all)
    if both.any():
        raise ValueError(f"Expected each participant in one group, got {np.asarray(names)[both][0]!r} in both.")
    return np.asarray(in_a > 0)


def _to_numbers(column: pd.Series, name: str) -> npt.NDArray[np.generic]:
    numbers = column.to_numpy()
    if numbers.dtype.kind not in "biu":
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if not np.isfinite(numbers).all():
            raise ValueError(f"Expected finite values in {name}, got nulls or infinities; leave those frames out.")
    return numbers


def _midranks(numbers: npt.NDArray[np.generic]) -> FloatArray:
    """Midranks from 1; of small codes by counting, which is faster than sorting."""
    if numbers.dtype.kind == "f" or int(numbers.min()) < 0 or int(numbers.max()) > 255:
        return np.asarray(stats.rankdata(numbers), dtype=np.float64)
    codes = numbers.astype(np.intp)
    counts = np.bincount(codes)
    return np.asarray((counts.cumsum() - (counts - 1) / 2)[codes])


def _tabulate(centred: FloatArray, variance: FloatArray, n_a: int, n_b: int, names: list[str]) -> pd.DataFrame:
    """`centred` is U of the first group less its expectation, which equals the sum of the rank deviations."""
    z = np.divide(centred, np.sqrt(variance), out=np.zeros_like(centred), where=variance > 0)
    u_a = centred + n_a * n_b / 2
    return pd.DataFrame(
        {
            "u": np.minimum(u_a, n_a * n_b - u_a),
            "z": 0.0 - np.abs(z),
            "z_signed": z,
            "p": 2 * special.ndtr(-np.abs(z)),
            "rank_biserial": 2 * centred / (n_a * n_b),
        },
        index=names,
    )
