"""Tests of action units between two groups within each emotion, over participants and over frames, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from features.emotions import EMOTION, selecting_units
from features.facs import EMOTIONET_AUS
from features.frame_table import Column
from stats.clustered_models import estimate_group_effect
from stats.corrections import adjust_p_values
from stats.effect_sizes import cliffs_delta, hedges_g
from stats.frame_tests import compare_frames
from stats.group_tests import mann_whitney, welch_difference
from stats.resampling import bootstrap_rate_differences, permute_frame_statistic, permute_rank_sums
from tasks.emotion_columns import EMOTION_TEST_COLUMNS, FRAME_TEST_COLUMNS, MODEL_COLUMNS
from tasks.settings import CompareSettings

CONSTANT: Final = "the same value in all participants"
CIRCULAR: Final = "the unit itself selects the frames of this emotion: the test is circular"


def compare_emotions(
    rates: pd.DataFrame,
    *,
    group_a: str = "ASD",
    group_b: str = "TD",
    min_participants: int = 3,
    signals: Sequence[str] = EMOTIONET_AUS,
    settings: CompareSettings | None = None,
    circular: bool = False,
) -> pd.DataFrame:
    """Test each signal in each emotion over participants: Mann-Whitney, permutations, Welch's t.

    Parameters
    ----------
    rates
        One row a participant and emotion, from `tasks.emotion_frames`; rows with nulls do not count.
    group_a, group_b
        The two groups.
    min_participants
        Participants that each group needs in an emotion; otherwise the row has no number and `note` says why.
    signals
        Signals to test.
    settings
        Permutations, resamples, level of intervals and seed; the defaults where None.
    circular
        Whether emotions come from the vote that action units confirm, so that tests of these units are marked.

    Returns
    -------
    DataFrame
        ``desc-emotionaus_tests``: one row an emotion and signal.

    Notes
    -----
    Hugging Rain Man (Ji et al., 2025) makes this test over frames, which counts each child thousands of times; here a
    child counts once. For the test over frames see `compare_emotion_frames`.
    """
    chosen = settings or CompareSettings()
    parts = []
    for emotion in pd.unique(rates[EMOTION]):
        shown = rates[(rates[EMOTION] == emotion) & rates[list(signals)].notna().all(axis=1)]
        shown = shown[shown["group"].isin([group_a, group_b])]
        is_a = (shown["group"] == group_a).to_numpy()
        part = describe_groups(group_a, group_b, int(is_a.sum()), int((~is_a).sum()), signals)
        too_few = describe_too_few(int(is_a.sum()), int((~is_a).sum()), min_participants)
        if not too_few:
            part = part.join(_test_participants(shown[list(signals)].astype(np.float64), is_a, chosen))
        part["note"] = too_few or part["note"]
        parts.append(_finish_emotion(part, str(emotion), circular=circular))
    return _adjust_all(parts, EMOTION_TEST_COLUMNS)


def _test_participants(values: pd.DataFrame, is_a: np.ndarray, settings: CompareSettings) -> pd.DataFrame:
    """All tests of the participants' rates, indexed by signal."""
    level, a, b = settings.confidence_level, values[is_a], values[~is_a]
    test = mann_whitney(a, b, confidence_level=level)
    permuted = permute_rank_sums(values, is_a, n_permutations=settings.permutations, seed=settings.seed)
    drawn = bootstrap_rate_differences(
        values, np.ones(len(values)), is_a,
        n_bootstrap=settings.bootstrap_samples, confidence_level=level, seed=settings.seed, weigh="participants",
    )  # fmt: skip
    names = ("u", "z", "z_signed", "p", "p_exact", "rank_biserial", "ci_low", "ci_high")
    table = pd.DataFrame({name: getattr(test, name) for name in names})
    table["mean_a"], table["mean_b"] = a.mean(), b.mean()
    table["p_permutation"], table["p_permutation_max"] = permuted.p, permuted.p_max
    table[["difference", "difference_low", "difference_high"]] = drawn[["difference", "ci_low", "ci_high"]]
    for name in values:
        delta = cliffs_delta(a[name], b[name], confidence_level=level)
        table.loc[name, ["cliffs_low", "cliffs_high"]] = delta.low, delta.high
        if min(len(a), len(b)) > 1:
            welch, g = welch_difference(a[name], b[name]), hedges_g(a[name], b[name], confidence_level=level)
            table.loc[name, ["t", "df", "p_welch"]] = welch.t, welch.df, welch.p
            table.loc[name, ["hedges_g", "g_low", "g_high"]] = g.value, g.low, g.high
    table["note"] = np.where(values.min() == values.max(), CONSTANT, "")
    return table


def compare_emotion_frames(
    frames: pd.DataFrame,
    by_participants: pd.DataFrame,
    settings: CompareSettings,
    *,
    signals: Sequence[str],
    group_a: str = "ASD",
    group_b: str = "TD",
    circular: bool = False,
) -> pd.DataFrame:
    """Test each signal in each emotion over frames, as published, beside what holds over participants.

    Parameters
    ----------
    frames
        One row a frame: `participant_id`, `group`, `emotion` and codes of the signals.
    by_participants
        ``desc-emotionaus_tests`` of the same data.
    settings
        Section `compare` of the settings.
    signals
        Actions to test; codes enter as they are.
    group_a, group_b
        The two groups.
    circular
        As in `compare_emotions`.

    Returns
    -------
    DataFrame
        ``desc-emotionframes_tests``: one row an emotion and signal. All rows are marked as pseudo-replicated; `p_cluster` is
        the p-value of the same statistic when participants, not frames, are permuted.
    """
    parts = []
    in_groups = frames[frames["group"].isin([group_a, group_b])]
    for emotion in pd.unique(by_participants[EMOTION]):
        shown = in_groups[in_groups[EMOTION] == emotion]
        people = shown.drop_duplicates("participant_id")["group"]
        n_a, n_b = int((people == group_a).sum()), int((people == group_b).sum())
        part = describe_groups(group_a, group_b, n_a, n_b, signals)
        part["frames_a"] = int((shown["group"] == group_a).sum())
        part["frames_b"] = len(shown) - part["frames_a"]
        too_few = describe_too_few(n_a, n_b, settings.min_participants_per_group)
        if not too_few:
            part = part.join(_test_frames(shown, signals, group_a, settings))
        part["note"] = too_few or part["note"]
        parts.append(_finish_emotion(part, str(emotion), circular=circular, also=("p_cluster",)))
    table = _adjust_all(parts, FRAME_TEST_COLUMNS)
    beside = by_participants.set_index(["emotion", "signal"])[["p", "p_bh"]].reindex(
        pd.MultiIndex.from_frame(table[["emotion", "signal"]])
    )
    table["p_participants"], table["p_participants_bh"] = beside["p"].to_numpy(), beside["p_bh"].to_numpy()
    table["units_agree"] = _compare_units(table["p_bh"], table["p_participants_bh"], settings.alpha)
    table["pseudo_replicated"] = True
    return table


def _test_frames(shown: pd.DataFrame, signals: Sequence[str], group_a: str, settings: CompareSettings) -> pd.DataFrame:
    found = compare_frames(shown[list(signals)], shown["participant_id"], shown["group"] == group_a)
    people = found.participants
    permuted = permute_frame_statistic(
        found.deviations, people["n_frames"], people["is_a"], n_permutations=settings.permutations, seed=settings.seed
    )
    drawn = bootstrap_rate_differences(
        found.sums, people["n_frames"], people["is_a"],
        n_bootstrap=settings.bootstrap_samples, confidence_level=settings.confidence_level, seed=settings.seed,
    )  # fmt: skip
    table = found.tests.join(drawn)
    table["p_cluster"] = permuted.p
    constant = shown[list(signals)].min() == shown[list(signals)].max()
    table["note"] = np.where(constant, "the same value in all frames", "")
    return table


def _compare_units(frames: pd.Series, participants: pd.Series, alpha: float) -> list[str]:
    names = {(True, True): "both", (True, False): "frames only", (False, True): "participants only"}
    return [
        "not tested" if np.isnan(f) or np.isnan(p) else names.get((bool(f < alpha), bool(p < alpha)), "neither")
        for f, p in zip(frames, participants, strict=True)
    ]


def model_emotions(
    frames: pd.DataFrame,
    settings: CompareSettings,
    *,
    signals: Sequence[str],
    covariates: pd.DataFrame | None = None,
    group_a: str = "ASD",
    group_b: str = "TD",
    circular: bool = False,
) -> pd.DataFrame:
    """Regress each signal on group within each emotion, participants as clusters (GEE).

    Parameters
    ----------
    frames
        One row a frame: `participant_id`, `group`, `emotion` and codes of the signals; above 0 is active.
    settings
        Section `compare` of the settings.
    signals
        Actions to model.
    covariates
        One row a participant, index `participant_id`, numbers.
    group_a, group_b
        The two groups.
    circular
        As in `compare_emotions`.

    Returns
    -------
    DataFrame
        ``desc-emotionmodels_tests``: one row an emotion and signal.
    """
    family, working = settings.model_family, settings.working_correlation
    described = "" if covariates is None else ", ".join(map(str, covariates.columns))
    parts = []
    in_groups = frames[frames["group"].isin([group_a, group_b]) & frames[EMOTION].notna()]
    for emotion in pd.unique(in_groups[EMOTION]):
        shown = in_groups[in_groups[EMOTION] == emotion]
        by_person = (shown[list(signals)] > 0).groupby(shown["participant_id"])
        sums, n_frames = by_person.sum(), by_person.size()
        is_a = shown.groupby("participant_id")["group"].first() == group_a
        records = []
        for name in signals:
            effect = estimate_group_effect(
                sums[name], n_frames, is_a, covariates=covariates, family=family, working=working,
                confidence_level=settings.confidence_level,
            )  # fmt: skip
            too_few = describe_too_few(effect.n_a, effect.n_b, settings.min_participants_per_group)
            number = {} if too_few else {
                key: getattr(effect, key) for key in ("estimate", "ci_low", "ci_high", "t", "p", "within_correlation")
            }  # fmt: skip
            records.append({
                "signal": name, "group_a": group_a, "group_b": group_b, "n_a": effect.n_a, "n_b": effect.n_b,
                "family": family, "working": working, "covariates": described, "df": max(effect.df, 0),
                "note": too_few or effect.note, **number,
            })  # fmt: skip
        parts.append(_finish_emotion(pd.DataFrame(records).set_index("signal"), str(emotion), circular=circular))
    return _adjust_all(parts, MODEL_COLUMNS)


def _finish_emotion(part: pd.DataFrame, emotion: str, *, circular: bool, also: Sequence[str] = ()) -> pd.DataFrame:
    """Add the emotion, corrections within it, and the mark of units that select its frames."""
    table = part.rename_axis("signal").reset_index()
    table["emotion"] = emotion
    for name in ("p", *also):
        values = table[name] if name in table else pd.Series(np.nan, index=table.index)
        table[f"{name}_bh"] = adjust_p_values(values)
        table[f"{name}_holm"] = adjust_p_values(values, method="holm")
    table["selection"] = table["signal"].isin(selecting_units(emotion)) if circular else False
    table.loc[table["selection"], "note"] = [
        f"{CIRCULAR}; {note}" if note else CIRCULAR for note in table.loc[table["selection"], "note"]
    ]
    return table


def _adjust_all(parts: Sequence[pd.DataFrame], columns: Sequence[Column]) -> pd.DataFrame:
    names = [column.name for column in columns]
    if not parts:
        return set_types(pd.DataFrame(columns=names), columns)
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(dict.fromkeys([*names, *parts[0].columns])))
    table["p_bh_all"], table["p_holm_all"] = adjust_p_values(table["p"]), adjust_p_values(table["p"], method="holm")
    return set_types(table[names], columns)


def describe_groups(group_a: str, group_b: str, n_a: int, n_b: int, index: Sequence[str]) -> pd.DataFrame:
    """Columns that say which groups are compared, a row for each of `index`."""
    return pd.DataFrame({"group_a": group_a, "group_b": group_b, "n_a": n_a, "n_b": n_b}, index=list(index))


def describe_too_few(n_a: int, n_b: int, min_participants: int) -> str:
    """Why a test cannot be made; empty where both groups have enough participants."""
    if min(n_a, n_b) >= min_participants:
        return ""
    return f"too few participants: {n_a} and {n_b}, {min_participants} are needed in each group"


def set_types(table: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Give the columns of a table the types of its dictionary; missing booleans are false."""
    names = {"string": "str", "int32": "int32", "float64": "float64", "bool": "bool"}
    filled = table.assign(**{c.name: table[c.name].eq(other=True) for c in columns if c.dtype == "bool"})
    return filled.astype({column.name: names[column.dtype] for column in columns})
