"""The 58 features against hand-made frames and against plain pandas."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.facs import EMOTIONET_AUS
from features.frame_table import empty_rows
from features.vector_58 import (
    ATTRIBUTE_GROUPS,
    FEATURE_NAMES,
    FEATURE_SETS,
    SIGNALS,
    SPECS,
    attribute_group,
    coverage,
    feature_columns,
    participant_vector,
)


def make_frames(n: int, seed: int = 0, *, invalid: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frames = pd.DataFrame({name: rng.random(n, dtype=np.float32) for name in SIGNALS})
    frames[["arousal", "valence"]] = frames[["arousal", "valence"]] * 2 - 1
    frames["valid"] = rng.random(n) >= invalid
    frames.loc[0, "valid"] = True
    frames.loc[~frames["valid"], list(SIGNALS)] = np.nan
    frames["time_s"] = np.arange(n) / 25
    return frames


def test_names_are_those_of_the_paper_in_its_order() -> None:
    assert len(FEATURE_NAMES) == 58
    assert FEATURE_NAMES[:3] == ("mean_AU01", "mean_AU02", "mean_AU04")
    assert FEATURE_NAMES[12:14] == ("mean_expr_neutral", "mean_expr_happy")
    assert FEATURE_NAMES[20:23] == ("mean_arousal", "mean_valence", "sd_AU01")
    assert FEATURE_NAMES[44:46] == ("active_AU01", "active_AU02")
    assert FEATURE_NAMES[56:] == ("positive_arousal", "positive_valence")
    assert [spec.index for spec in SPECS] == list(range(58))
    # SPSS: a letter first, letters, digits and underscores, at most 64 bytes, unique without regard to case
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name) for name in FEATURE_NAMES)
    assert len({name.lower() for name in FEATURE_NAMES}) == 58


def test_ablation_sets_have_the_dimensions_of_figure_3b() -> None:
    # 12 units x (mean, sd, activation) = 36; arousal and valence add mean, sd, positive each; 8 expressions x 2 = 16
    assert {name: len(names) for name, names in FEATURE_SETS.items()} == {
        "AU": 36, "AU+arousal": 39, "AU+arousal+valence": 42, "all": 58,
    }  # fmt: skip
    assert {name: len(names) for name, names in ATTRIBUTE_GROUPS.items()} == {
        "AU": 36, "arousal": 3, "valence": 3, "expression": 16,
    }  # fmt: skip
    assert attribute_group("AU12") == "AU"
    with pytest.raises(ValueError, match="AU99"):
        attribute_group("AU99")


def test_values_by_hand() -> None:
    frames = pd.DataFrame({name: [0.0, 0.0, 0.0, 0.0, np.nan] for name in SIGNALS})
    frames["valid"] = [True, True, True, True, False]
    frames["AU12"] = [0.5, 0.75, 1.0, 0.25, 99.0]  # 99 stands in a frame that is not valid and must not be read
    frames["valence"] = [0.0, 0.5, -0.5, 1.0, np.nan]
    vector = participant_vector(frames)
    assert vector["mean_AU12"] == 0.625
    assert vector["sd_AU12"] == pytest.approx(np.sqrt(0.3125 / 4))  # deviations .125 .125 .375 .375
    assert vector["active_AU12"] == 0.5  # 0.5 itself is not above 0.5
    assert vector["positive_valence"] == 0.5  # 0 itself is not above 0
    assert vector["mean_valence"] == 0.25
    assert participant_vector(frames, ddof=1)["sd_AU12"] == pytest.approx(np.sqrt(0.3125 / 3))
    assert participant_vector(frames, activation_threshold=0.2)["active_AU12"] == 1.0
    assert participant_vector(frames, missing="inactive")["active_AU12"] == 0.4
    assert participant_vector(frames, missing="inactive")["mean_AU12"] == 0.625


def test_agrees_with_pandas() -> None:
    frames = make_frames(500)
    seen = frames[frames["valid"]].astype(np.float64)
    vector = participant_vector(frames)
    np.testing.assert_allclose(vector.iloc[:22], seen[list(SIGNALS)].mean(), rtol=1e-12)
    np.testing.assert_allclose(vector.iloc[22:44], seen[list(SIGNALS)].std(ddof=0), rtol=1e-12)
    np.testing.assert_allclose(vector.iloc[44:56], (seen[list(EMOTIONET_AUS)] > 0.5).mean(), rtol=1e-12)
    np.testing.assert_allclose(vector.iloc[56:], (seen[["arousal", "valence"]] > 0).mean(), rtol=1e-12)
    assert vector.dtype == np.float64
    assert tuple(vector.index) == FEATURE_NAMES


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 60))
def test_order_of_frames_and_rows_without_a_face_do_not_matter(seed: int, n: int) -> None:
    frames = make_frames(n, seed)
    vector = participant_vector(frames)
    shuffled = frames.sample(frac=1, random_state=seed)
    lost = pd.concat([shuffled, shuffled.head(3).assign(valid=False)], ignore_index=True)
    np.testing.assert_allclose(participant_vector(lost), vector, rtol=1e-9, atol=1e-12)
    assert vector.between(-1, 1).all()


def test_a_constant_signal_has_no_deviation() -> None:
    frames = pd.DataFrame({name: np.full(1000, 0.1, dtype=np.float32) for name in SIGNALS}).assign(valid=True)
    vector = participant_vector(frames)
    assert (vector.filter(like="sd_") == 0).all()


def test_a_frame_table_is_accepted_whole() -> None:
    rows = empty_rows(4)
    rows.loc[:1, "valid"] = True
    rows.loc[:1, list(SIGNALS)] = 0.25
    assert participant_vector(rows)["mean_AU43"] == 0.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns=["AU06", "valence"]), "missing are AU06, valence"),
        (lambda f: f.drop(columns="valid"), "missing are valid"),
        (lambda f: f.assign(valid=False), "no valid frames"),
        (lambda f: f.iloc[:0], "no valid frames"),
        (lambda f: f.assign(AU12=55.0), "Expected AU12 between 0 and 1, got 55"),
        (lambda f: f.assign(valence=-1.2), "Expected valence between -1 and 1"),
        (lambda f: f.assign(AU01=np.nan, AU02=np.nan), "nulls in AU01, AU02"),
        (lambda f: f.assign(valid=[True, None] * 5), "nulls"),
        (lambda f: f.assign(valid=3), "true or false"),
        (lambda f: f.assign(participant_id=["a", "b"] * 5), "one participant"),
    ],
)
def test_what_cannot_be_summarised_is_said(change: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        participant_vector(change(make_frames(10, invalid=0)))  # type: ignore[operator]


def test_settings_are_checked() -> None:
    frames = make_frames(10)
    with pytest.raises(ValueError, match="ddof"):
        participant_vector(frames, ddof=2)
    with pytest.raises(ValueError, match="missing"):
        participant_vector(frames, missing="zero")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 2 valid frames"):
        participant_vector(frames.head(1), ddof=1)


def test_rounding_of_a_float32_softmax_is_no_error() -> None:
    frames = make_frames(3, invalid=0).assign(expr_happy=np.float32(1.0000001))
    assert participant_vector(frames)["mean_expr_happy"] == pytest.approx(1)


def test_dictionary_describes_every_feature() -> None:
    described = feature_columns(activation_threshold=0.4)
    assert tuple(column.name for column in described) == FEATURE_NAMES
    by_name = {column.name: column for column in described}
    assert by_name["active_AU12"].description == (
        "Fraction of valid frames in which the probability of AU12 (lip corner puller) is above 0.4"
    )
    assert (by_name["mean_valence"].low, by_name["mean_valence"].high) == (-1, 1)
    assert (by_name["positive_arousal"].low, by_name["positive_arousal"].unit) == (0, "fraction")
    assert all(column.description and column.unit for column in described)


def at(times: list[float], valid: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"time_s": times, "valid": np.array(valid, dtype=bool)})


@pytest.mark.parametrize(
    ("times", "valid", "gap"),
    [
        ([0, 1, 2, 3, 4], [1, 1, 1, 1, 1], 0.0),
        ([0, 1, 2, 3, 4], [1, 0, 0, 1, 1], 2.0),  # from frame 1 to frame 3
        ([0, 1, 2, 3, 4], [0, 0, 1, 1, 1], 2.0),  # starts without a face
        ([0, 1, 2, 3, 4], [1, 1, 1, 0, 0], 2.0),  # the last frame stands for the median interval, 1 s
        ([0, 1, 2, 3, 4], [0, 0, 0, 0, 0], 5.0),
        ([0, 0.1, 0.2, 0.9, 1.0], [1, 1, 0, 0, 1], 0.8),  # variable rate: 0.2 to 1.0
        ([0, 1, 2, 12, 13], [1, 1, 1, 1, 1], 9.0),  # the camera stalled after 2: one interval is seen, 9 s are not
        ([0, 1, 2, 12, 13], [1, 1, 0, 1, 1], 10.0),
        ([0, 1, 3, 5, 6], [1, 1, 1, 1, 1], 0.0),  # half the rate is no stall
        ([7], [1], 0.0),
        ([7], [0], 0.0),
    ],
)
def test_longest_gap(times: list[float], valid: list[int], gap: float) -> None:
    assert coverage(at(times, valid)).longest_gap_s == pytest.approx(gap)


def test_coverage_counts() -> None:
    seen = coverage(at([0, 1, 2, 3], [1, 0, 1, 1]))
    assert (seen.n_frames, seen.n_valid, seen.valid_fraction) == (4, 3, 0.75)


def test_coverage_needs_times_in_order() -> None:
    with pytest.raises(ValueError, match="increase"):
        coverage(at([0, 2, 1], [1, 1, 1]))
    with pytest.raises(ValueError, match="time_s"):
        coverage(pd.DataFrame({"valid": [True]}))
    with pytest.raises(ValueError, match="empty"):
        coverage(at([], []))
