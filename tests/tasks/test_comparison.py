"""Group tests as tables: units of analysis, corrections, and what is said where there is no number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from features.facs import EMOTIONET_AUS
from features.vector_58 import ATTRIBUTE_GROUPS, FEATURE_NAMES
from tasks.attribute_tests import ATTRIBUTE_TEST_COLUMNS, compare_attributes
from tasks.comparison import compare_groups
from tasks.emotion_columns import EMOTION_TEST_COLUMNS
from tasks.emotion_frames import order_emotions, summarize_emotions
from tasks.emotion_tests import compare_emotions
from tasks.errors import InvalidInputError, TooFewParticipantsError
from tasks.settings import CompareSettings
from tasks.tables import write_table

EVENTS = pd.DataFrame({"onset": [2.0, 0.0], "duration": [2.0, 2.0], "trial_type": ["anger", "joy"]})
N_PER_GROUP = 6


def make_features(sessions: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(2 * N_PER_GROUP), sessions)
    table = pd.DataFrame(rng.normal(size=(len(people), 58)), columns=list(FEATURE_NAMES))
    table["participant_id"] = [f"{person:03d}" for person in people]
    table["session"] = np.tile([str(number) for number in range(sessions)], 2 * N_PER_GROUP) if sessions > 1 else ""
    table["task"] = "clips"
    table["group"] = np.where(people % 2, "TD", "ASD")
    table[["included", "exclusion_reason"]] = True, ""
    return table


def make_frames(row: pd.Series, n: int = 100) -> pd.DataFrame:
    """4 s at 25 frames/s, joy then anger; AU12 is active in joy for half of the frames in TD, never in ASD."""
    frames = pd.DataFrame(0.1, index=range(n), columns=list(EMOTIONET_AUS))
    joy = np.arange(n) < n // 2
    if row["group"] == "TD":
        frames.loc[joy & (np.arange(n) % 2 == 0), "AU12"] = 0.9
    frames["AU01"] = np.random.default_rng(int(row["participant_id"])).random(n)
    frames["participant_id"], frames["session"], frames["task"] = row["participant_id"], row["session"], row["task"]
    return frames.assign(frame=np.arange(n, dtype=np.int32), time_s=np.arange(n) / 25, valid=True)


def make_study(sessions: int = 1) -> tuple[pd.DataFrame, list[pd.DataFrame], dict[tuple[str, str, str], pd.DataFrame]]:
    features = make_features(sessions)
    frames = [make_frames(row) for _, row in features.iterrows()]
    keys = [tuple(row) for row in features[["participant_id", "session", "task"]].itertuples(index=False)]
    return features, frames, dict.fromkeys(keys, EVENTS)


def test_tables_of_the_contract(tmp_path: Path) -> None:
    attributes, emotions = compare_groups(*make_study())[:2]
    assert attributes.columns.tolist() == [column.name for column in ATTRIBUTE_TEST_COLUMNS]
    assert emotions.columns.tolist() == [column.name for column in EMOTION_TEST_COLUMNS]
    assert attributes["attribute_group"].tolist() == ["AU", "arousal", "valence", "expression"]
    assert emotions["emotion"].unique().tolist() == ["joy", "anger"]  # order of the stimulus
    assert len(emotions) == 2 * 12
    assert (attributes[["n_a", "n_b"]] == N_PER_GROUP).all(axis=None)
    write_table(attributes, tmp_path / "a.parquet", described=ATTRIBUTE_TEST_COLUMNS)
    write_table(emotions, tmp_path / "e.parquet", described=EMOTION_TEST_COLUMNS)


def test_attribute_test_is_students_t_of_the_composite() -> None:
    features = make_features().set_index("participant_id")
    table = compare_attributes(features).set_index("attribute_group")
    for attribute, names in ATTRIBUTE_GROUPS.items():
        composite = stats.zscore(features[list(names)].to_numpy(), ddof=1).mean(axis=1)
        is_a = (features["group"] == "ASD").to_numpy()
        expected = stats.ttest_ind(composite[is_a], composite[~is_a])
        assert table.loc[attribute, "t"] == pytest.approx(expected.statistic)
        assert table.loc[attribute, "p"] == pytest.approx(expected.pvalue)
        assert table.loc[attribute, "mean_a"] == pytest.approx(composite[is_a].mean())
    assert table["p_bh"].tolist() == pytest.approx(stats.false_discovery_control(table["p"]))


def test_emotion_test_is_mann_whitney_of_rates() -> None:
    features, frames, events = make_study()
    table = compare_groups(features, frames, events)[1].set_index(["emotion", "signal"])
    smile = table.loc[("joy", "AU12")]
    # all of TD above all of ASD, 0.5 against 0, tied within the groups: σ² = 36/12·(13 - 2·210/(12·11))
    assert (smile["mean_a"], smile["mean_b"], smile["u"], smile["rank_biserial"]) == (0, 0.5, 0, -1)
    assert smile["z_signed"] == smile["z"] == pytest.approx(-18 / np.sqrt(3 * (13 - 420 / 132)))
    assert smile["note"] == ""
    brow = pd.Series({row["participant_id"]: (row_frames["AU01"][50:] > 0.5).mean() for row, row_frames in zip(
        features.to_dict("records"), frames, strict=True)})  # fmt: skip
    is_a = (features["group"] == "ASD").to_numpy()
    expected = stats.mannwhitneyu(brow[is_a], brow[~is_a], use_continuity=False, method="asymptotic")
    assert table.loc[("anger", "AU01"), "p"] == pytest.approx(expected.pvalue)
    for emotion, rows in table.groupby(level="emotion"):
        assert rows["p_bh"].tolist() == pytest.approx(stats.false_discovery_control(rows["p"])), emotion
    assert table["p_bh_all"].tolist() == pytest.approx(stats.false_discovery_control(table["p"]))


def test_a_unit_that_nobody_shows_is_said() -> None:
    table = compare_groups(*make_study())[1].set_index(["emotion", "signal"])
    row = table.loc[("joy", "AU04")]
    assert (row["z"], row["p"], row["note"]) == (0, 1, "the same value in all participants")


def test_sessions_are_averaged_before_the_test() -> None:
    features, frames, events = make_study(sessions=2)
    attributes, emotions = compare_groups(features, frames, events)[:2]
    assert (attributes["n_a"] == N_PER_GROUP).all()
    assert (emotions["n_a"] == N_PER_GROUP).all()
    averaged = features.groupby("participant_id")[list(FEATURE_NAMES)].mean()
    averaged["group"] = features.groupby("participant_id")["group"].first()
    pd.testing.assert_frame_equal(compare_attributes(averaged), attributes)


def test_excluded_sessions_are_left_out() -> None:
    features, frames, events = make_study()
    features.loc[0, ["included", "exclusion_reason"]] = False, "no frame is valid"
    attributes, emotions = compare_groups(features, frames, events)[:2]
    assert set(attributes["n_a"]) == set(emotions["n_a"]) == {N_PER_GROUP - 1}


def test_few_participants_in_an_emotion_give_a_note() -> None:
    features, frames, events = make_study()
    only_joy = EVENTS[EVENTS["trial_type"] == "joy"]
    asd = features[features["group"] == "ASD"]["participant_id"]
    events = {key: only_joy if key[0] in set(asd.iloc[2:]) else EVENTS for key in events}
    table = compare_groups(features, frames, events)[1]
    anger = table[table["emotion"] == "anger"]
    assert set(anger["note"]) == {"too few participants: 2 and 6, 3 are needed in each group"}
    assert anger[["u", "z", "p", "p_bh", "p_bh_all", "mean_a"]].isna().all(axis=None)
    joy = table[table["emotion"] == "joy"]
    assert joy["p_bh"].tolist() == pytest.approx(joy["p_bh_all"].tolist())  # the family is what was tested
    enough = compare_groups(features, frames, events, CompareSettings(min_participants_per_group=2))[1]
    assert enough["p"].notna().all()


def test_short_segments_do_not_count() -> None:
    features, frames, events = make_study()
    for table in frames[:8]:
        table.loc[5:49, "valid"] = False  # five valid frames of joy are left
    table = compare_groups(features, frames, events)[1]
    assert set(table.loc[table["emotion"] == "joy", "n_a"]) == {2}
    assert set(table.loc[table["emotion"] == "anger", "n_a"]) == {N_PER_GROUP}


def test_without_events_there_are_no_emotions() -> None:
    attributes, emotions = compare_groups(*make_study()[:2], {})[:2]
    assert len(attributes) == 4
    assert emotions.empty
    assert emotions.columns.tolist() == [column.name for column in EMOTION_TEST_COLUMNS]


def test_means_of_other_signals() -> None:
    features, frames, events = make_study()
    rates = summarize_emotions(frames, events, features, signals=("AU12",), statistic="mean")
    assert rates.columns.tolist() == ["participant_id", "group", "emotion", "n_valid", "AU12"]
    smile = rates[rates["emotion"] == "joy"].groupby("group")["AU12"].mean()
    assert smile.to_dict() == pytest.approx({"ASD": 0.1, "TD": 0.5})
    assert (rates["n_valid"] == 50).all()
    assert len(compare_emotions(rates, signals=("AU12",))) == 2


def test_groups_without_variation_have_no_t() -> None:
    people = make_features().assign(**dict.fromkeys(ATTRIBUTE_GROUPS["valence"], 0.5)).set_index("participant_id")
    row = compare_attributes(people).set_index("attribute_group").loc["valence"]
    assert np.isnan(row["t"])
    assert row["note"] == "no variation within the groups"


def test_a_constructed_null_is_uniform() -> None:
    # 360 tests without a difference: a tenth of p below .1, give or take 3 standard errors of .016
    rng = np.random.default_rng(2)
    rates = pd.DataFrame(rng.random((20 * 30, 12)), columns=list(EMOTIONET_AUS))
    rates["emotion"] = np.repeat([f"e{number}" for number in range(30)], 20)
    rates["group"] = np.tile(["ASD", "TD"], 20 * 15)
    table = compare_emotions(rates.assign(participant_id=""))
    assert len(table) == 30 * 12
    assert 0.05 < (table["p"] < 0.1).mean() < 0.15
    assert (table["p_bh_all"] > 0.05).all()


def test_order_is_that_of_the_stimulus() -> None:
    assert order_emotions([EVENTS, EVENTS.assign(trial_type=["fear", "joy"])]) == ["joy", "anger", "fear"]


def test_what_cannot_be_compared_is_said() -> None:
    features, frames, events = make_study()
    few = features[(features["group"] == "TD") | (features["participant_id"] == "000")]
    with pytest.raises(TooFewParticipantsError, match="got 1 ASD and 6 TD"):
        compare_groups(few, frames, events)
    broken = dict.fromkeys(events, EVENTS.drop(columns="duration"))
    with pytest.raises(InvalidInputError, match="Emotions of sub-000, task clips: .*duration"):
        compare_groups(features, frames, broken)
