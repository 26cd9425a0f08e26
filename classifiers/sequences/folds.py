"""Who is tested in which fold: participants dealt out by group, as a table that can be written and read back."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

FOLD_COLUMNS: Final = ("repeat", "fold", "participant_id", "group")
"""One row a participant and repeat: `fold` is the one in which the participant is tested, and trains in no other."""


def assign_folds(groups: pd.Series[str], *, n_folds: int = 3, n_repeats: int = 10, seed: int = 0) -> pd.DataFrame:
    """Deal participants to folds at random, as evenly as possible within each group.

    Parameters
    ----------
    groups
        Group of each participant; index participant_id, each once.
    n_folds, n_repeats
        Folds of a repeat, and independent repeats.
    seed
        Of the repeats; each has a stream of its own, so more repeats do not change the first ones.

    Returns
    -------
    DataFrame
        `FOLD_COLUMNS`, sorted by repeat, fold and participant. Fold sizes differ by one participant at most, in each group
        and in all: 66 and 32 participants make 22/22/22 and 11/11/10, as in Hugging Rain Man.

    Raises
    ------
    ValueError
        If there are fewer participants than folds, fewer than two folds, no repeat, or a participant is there twice.
    """
    _check_groups(groups, n_folds)
    if n_repeats < 1:
        raise ValueError(f"Expected one repeat or more, got {n_repeats}.")
    ordered = groups.sort_index()
    parts = []
    for repeat in range(n_repeats):
        rng = np.random.default_rng([seed, repeat])
        # one deck, group after group: dealing goes on where the last group ended, so that sizes even out
        decks = [rng.permutation(members.index.to_numpy()) for _, members in ordered.groupby(ordered)]
        order, turn = np.concatenate(decks), rng.permutation(n_folds)
        parts.append(_to_table(repeat, turn[np.arange(len(order)) % n_folds], order, groups))
    return pd.concat(parts, ignore_index=True)


def leave_one_participant_out_folds(groups: pd.Series[str]) -> pd.DataFrame:
    """A fold for each participant; one repeat. Columns as of `assign_folds`."""
    _check_groups(groups, 2)
    order = groups.sort_index().index.to_numpy()
    return _to_table(0, np.arange(len(order)), order, groups)


def check_folds(folds: pd.DataFrame, participants: pd.Index[str] | list[str]) -> pd.DataFrame:
    """Accept folds that were read from a file, for the participants of a study.

    Parameters
    ----------
    folds
        Table with `FOLD_COLUMNS`.
    participants
        Everyone who is to be tested.

    Returns
    -------
    DataFrame
        The same folds, sorted as `assign_folds` sorts them.

    Raises
    ------
    ValueError
        If columns are missing, a participant is in two folds of a repeat, or a repeat lacks or adds participants.
    """
    missing = [name for name in FOLD_COLUMNS if name not in folds.columns]
    if missing:
        raise ValueError(f"Expected the columns {', '.join(FOLD_COLUMNS)} in the folds, {', '.join(missing)} missing.")
    expected = set(participants)
    for repeat, rows in folds.groupby("repeat"):
        names = rows["participant_id"]
        twice = sorted(names[names.duplicated()].unique())
        if twice:
            raise ValueError(f"Expected each participant in one fold of repeat {repeat}, got {', '.join(twice)} again.")
        other = sorted(expected.symmetric_difference(names))
        if other:
            raise ValueError(
                f"Expected the participants of the study in repeat {repeat}, differing: {', '.join(other)}."
            )
        if rows["fold"].nunique() < 2:
            raise ValueError(f"Expected two folds or more in repeat {repeat}, got one.")
    return folds[list(FOLD_COLUMNS)].sort_values(["repeat", "fold", "participant_id"], ignore_index=True)


def list_folds(folds: pd.DataFrame) -> list[tuple[int, int]]:
    """All (repeat, fold), in order."""
    pairs = zip(folds["repeat"].tolist(), folds["fold"].tolist(), strict=True)
    return sorted({(int(repeat), int(fold)) for repeat, fold in pairs})


def find_one_group_folds(folds: pd.DataFrame) -> list[tuple[int, int]]:
    """(repeat, fold) of folds whose tested participants are all of one group, where the study has several."""
    if folds["group"].nunique() < 2:
        return []
    counts = folds.groupby(["repeat", "fold"])["group"].nunique()
    return [(int(repeat), int(fold)) for repeat, fold in counts.index[counts == 1]]


def split_inner(groups: pd.Series[str], *, share: float = 0.25, seed: int = 0) -> tuple[list[str], list[str]]:
    """Set inner validation participants apart from those who train.

    Parameters
    ----------
    groups
        Group of each training participant; index participant_id.
    share
        Share that validates; one participant at least, and one at least goes on training.
    seed
        Of the draw.

    Returns
    -------
    training, validation : list of str
        Sorted; both groups validate where their share allows it.

    Raises
    ------
    ValueError
        If there are fewer than two participants, or share is not strictly between 0 and 1.
    """
    if len(groups) < 2 or not 0 < share < 1:
        raise ValueError(f"Expected two participants or more and a share inside (0, 1), got {len(groups)} and {share}.")
    n_folds = min(max(2, round(1 / share)), len(groups))
    dealt = assign_folds(groups, n_folds=n_folds, n_repeats=1, seed=seed)
    validates = dealt["fold"] == 0
    names = dealt["participant_id"]
    return sorted(names[~validates]), sorted(names[validates])


def _to_table(repeat: int, fold: np.typing.NDArray[np.intp], order: object, groups: pd.Series[str]) -> pd.DataFrame:
    names = pd.Series(order, dtype="str")
    table = pd.DataFrame({"repeat": repeat, "fold": fold, "participant_id": names, "group": names.map(groups)})
    table = table.astype({"repeat": "int32", "fold": "int32"})
    return table.sort_values(["repeat", "fold", "participant_id"], ignore_index=True)


def _check_groups(groups: pd.Series[str], n_folds: int) -> None:
    if n_folds < 2:
        raise ValueError(f"Expected two folds or more, got {n_folds}.")
    if groups.index.has_duplicates:
        raise ValueError("Expected each participant once, got one in two rows.")
    if len(groups) < n_folds:
        raise ValueError(f"Expected {n_folds} participants or more for {n_folds} folds, got {len(groups)}.")
