"""Combinations of actions by group and emotion, and tests of their diversity over participants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from stats.combinations import participant_diversity, rarefied_complexity
from stats.corrections import adjust_p_values
from stats.group_tests import mann_whitney
from stats.resampling import permute_rank_sums
from tasks.emotion_columns import COMPLEXITY_COLUMNS, DIVERSITY_COLUMNS
from tasks.emotion_tests import describe_too_few, set_types
from tasks.settings import CompareSettings

_MEASURES: Final = ("mean_complexity", "max_complexity", "rarefied_types")


def tabulate_complexity(
    frames: pd.DataFrame, signals: Sequence[str], *, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Tabulate complexity and distinct combinations as in figure 4 of Ji et al. (2025), with groups brought to equal frames.

    Parameters
    ----------
    frames
        One row a frame: `group`, `emotion` and codes of the signals.
    signals
        Actions that make combinations.
    confidence_level
        Level of intervals.

    Returns
    -------
    DataFrame
        ``desc-combinations_complexity``. Without laterality codes in the data only rows without directions.
    """
    parts = [
        rarefied_complexity(
            frames[["group", "emotion", *signals]], directions=directions, confidence_level=confidence_level
        ).assign(directions=directions)
        for directions in list_directions(frames, signals)
    ]
    names = [column.name for column in COMPLEXITY_COLUMNS]
    return set_types(pd.concat(parts, ignore_index=True)[names], COMPLEXITY_COLUMNS)


def list_directions(frames: pd.DataFrame, signals: Sequence[str]) -> list[bool]:
    """Whether to tell combinations apart by laterality: both ways where there are such codes, else only without."""
    has_codes = len(frames) > 0 and int(frames[list(signals)].to_numpy().max()) > 1
    return [True, False] if has_codes else [False]


def compare_diversity(
    frames: pd.DataFrame,
    signals: Sequence[str],
    settings: CompareSettings,
    *,
    group_a: str = "ASD",
    group_b: str = "TD",
) -> pd.DataFrame:
    """Test whether participants of one group show more complex or more diverse combinations.

    Parameters
    ----------
    frames
        One row a frame: `participant_id`, `group`, `emotion` and codes of the signals.
    signals
        Actions that make combinations.
    settings
        Section `compare` of the settings.
    group_a, group_b
        The two groups.

    Returns
    -------
    DataFrame
        ``desc-combinations_tests``: one row an emotion and measure.
    """
    records: list[dict[str, object]] = []
    shown = frames[["participant_id", "group", "emotion", *signals]]
    for directions in list_directions(frames, signals):
        people = participant_diversity(shown, directions=directions, min_frames=settings.min_combination_frames)
        for emotion, rows in people.groupby("emotion", sort=False):
            known = rows[rows["rarefied_to"] > 0]
            records += [
                {"emotion": str(emotion), "directions": directions}
                | _test_measure(known, measure, settings, group_a, group_b)
                for measure in _MEASURES
            ]
    table = pd.DataFrame(records, columns=[column.name for column in DIVERSITY_COLUMNS])
    table["p_bh"] = adjust_p_values(table["p"])
    return set_types(table, DIVERSITY_COLUMNS)


def _test_measure(
    people: pd.DataFrame, measure: str, settings: CompareSettings, group_a: str, group_b: str
) -> dict[str, object]:
    is_a = (people["group"] == group_a).to_numpy()
    n_a, n_b = int(is_a.sum()), int((~is_a).sum())
    record: dict[str, object] = {
        "measure": measure, "group_a": group_a, "group_b": group_b, "n_a": n_a, "n_b": n_b,
        "rarefied_to": int(people["rarefied_to"].min()) if len(people) else 0,
        "note": describe_too_few(n_a, n_b, settings.min_participants_per_group),
    }  # fmt: skip
    if record["note"]:
        return record
    values = people[[measure]].astype(np.float64)
    a, b = values.loc[is_a, measure], values.loc[~is_a, measure]
    test = mann_whitney(a, b, confidence_level=settings.confidence_level)
    permuted = permute_rank_sums(values, is_a, n_permutations=settings.permutations, seed=settings.seed)
    names = ("u", "z", "z_signed", "p", "rank_biserial", "ci_low", "ci_high")
    record |= {name: getattr(test, name) for name in names}
    record |= {"mean_a": a.mean(), "mean_b": b.mean(), "p_permutation": float(permuted.p[measure])}
    if a.min() == b.min() == a.max() == b.max():
        record["note"] = "the same value in all participants"
    return record
