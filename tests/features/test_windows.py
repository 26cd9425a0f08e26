"""Windows: against a brute-force reference, and case by case where the rules meet their borders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.windows import index_windows, sliding_windows

SIGNALS = ["AU01", "AU12"]


def make_frames(numbers: list[int], participant: str = "p1", **columns: object) -> pd.DataFrame:
    n = len(numbers)
    values = np.arange(2 * n, dtype=float).reshape(n, 2)
    return pd.DataFrame(
        {"participant_id": participant, **columns, "frame": numbers, "AU01": values[:, 0], "AU12": values[:, 1]}
    )


def reference(
    frames: pd.DataFrame, ratings: pd.Series, length: int, stride: int, rule: str
) -> list[tuple[object, int, list[list[float]], float]]:
    """The definition, one frame after the other: runs as lists, then windows as slices."""
    rows = [
        (row.participant_id, row.segment, row.frame, [row.AU01, row.AU12], rating)
        for row, rating in zip(frames.itertuples(), ratings, strict=True)
        if not np.isnan(rating)
    ]
    rows.sort(key=lambda row: (row[0], row[1], row[2]))
    runs: list[list[tuple]] = []
    for row in rows:
        last = runs[-1][-1] if runs else None
        joins = last is not None and last[:2] == row[:2] and row[2] == last[2] + 1
        if joins and not (rule == "segment" and last[4] != row[4]):
            runs[-1].append(row)
        else:
            runs.append([row])
    found = []
    for run in runs:
        for start in range(0, len(run) - length + 1, stride):
            window = run[start : start + length]
            values = [row[3] for row in window]
            if np.isnan(values).any():
                continue
            inside = [row[4] for row in window]
            label = {
                "mean": sum(inside) / length,
                "segment": inside[0],
                "mode": max(inside, key=lambda rating: (inside.count(rating), -inside.index(rating))),
            }[rule]
            found.append((window[0][0], window[0][2], values, label))
    return found


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.Series]:
    n = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = pd.DataFrame(
        {
            "participant_id": rng.choice(["a", "b"], n, p=[0.8, 0.2]),
            "segment": rng.choice([0, 1], n, p=[0.8, 0.2]),
            "frame": rng.integers(0, 30, n),
            "AU01": rng.random(n).astype(np.float32),
            "AU12": np.where(rng.random(n) < 0.05, np.nan, rng.random(n)).astype(np.float32),
        }
    ).drop_duplicates(["participant_id", "segment", "frame"])
    ratings = pd.Series(rng.choice([1.0, 1.0, 1.4, 2.2, np.nan], len(frames), p=[0.5, 0.2, 0.15, 0.1, 0.05]))
    return frames.astype({"frame": "int32"}), ratings


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(1, 6), st.integers(1, 3), st.sampled_from(["mode", "mean", "segment"]))
def test_windows_agree_with_the_brute_force_reference(
    table: tuple[pd.DataFrame, pd.Series], length: int, stride: int, rule: str
) -> None:
    frames, ratings = table
    windows, labels, where = sliding_windows(frames, SIGNALS, ratings, length=length, stride=stride, label=rule)
    expected = reference(frames, ratings, length, stride, rule)
    assert list(where["participant_id"]) == [item[0] for item in expected]
    assert list(where["start"]) == [item[1] for item in expected]
    assert list(where["end"]) == [item[1] + length - 1 for item in expected]
    np.testing.assert_array_equal(windows, np.array([item[2] for item in expected]).reshape(-1, length, 2))
    np.testing.assert_allclose(labels, [item[3] for item in expected], rtol=1e-12)


def test_no_window_crosses_a_gap_a_participant_or_a_segment() -> None:
    frames = pd.concat(
        [
            make_frames([0, 1, 2, 4, 5, 6], segment=0),
            make_frames([7, 8, 9], segment=1),
            make_frames([10, 11, 12], participant="p2", segment=1),
        ],
        ignore_index=True,
    )
    _, _, where = sliding_windows(frames, SIGNALS, pd.Series(1.0, index=frames.index), length=3)
    assert where[["participant_id", "segment", "start"]].to_numpy().tolist() == [
        ["p1", 0, 0],
        ["p1", 0, 4],
        ["p1", 1, 7],
        ["p2", 1, 10],
    ]


def test_ties_go_to_the_rating_met_first() -> None:
    frames = make_frames([0, 1, 2, 3])
    ratings = pd.Series([3.0, 1.0, 3.0, 1.0])
    assert sliding_windows(frames, SIGNALS, ratings, length=4)[1].tolist() == [3.0]
    assert sliding_windows(frames, SIGNALS, ratings, length=4, label="mean")[1].tolist() == [2.0]
    assert sliding_windows(frames, SIGNALS, ratings[::-1], length=4)[1].tolist() == [1.0]


def test_segment_rule_never_mixes_ratings() -> None:
    _, labels, where = sliding_windows(
        make_frames(list(range(6))), SIGNALS, pd.Series([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]), length=2, label="segment"
    )
    assert labels.tolist() == [1.0, 1.0, 2.0, 2.0]
    assert where["start"].tolist() == [0, 1, 3, 4]


def test_what_is_left_out_is_counted() -> None:
    frames = make_frames([0, 1, 2, 3, 4, 8, 9])
    frames.loc[4, "AU12"] = np.nan
    index = index_windows(frames, SIGNALS, pd.Series(1.0, index=frames.index), length=3)
    assert index.runs["n_frames"].tolist() == [5, 2]
    assert index.runs["n_windows"].tolist() == [2, 0]
    assert index.runs["n_dropped"].tolist() == [1, 0]
    assert index.runs["too_short"].tolist() == [False, True]
    assert len(index) == 2


def test_windows_of_one_run_are_a_view() -> None:
    frames = make_frames(list(range(1000)))
    index = index_windows(frames, SIGNALS, pd.Series(1.0, index=frames.index))
    windows = index.windows()
    assert windows.shape == (986, 15, 2)
    assert np.shares_memory(windows, index.signals)


def test_without_ratings_all_frames_count_and_labels_are_missing() -> None:
    index = index_windows(make_frames(list(range(20))), SIGNALS, None, stride=5)
    assert index.provenance["start"].tolist() == [0, 5]
    assert np.isnan(index.labels).all()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"columns": ["participant_id", "frame", "AU01"]}, {}, "AU12"),
        ({}, {"length": 0}, "length and stride"),
        ({}, {"stride": 0}, "length and stride"),
        ({}, {"label": "median"}, "label"),
    ],
)
def test_bad_input_is_named(change: dict, options: dict, message: str) -> None:
    frames = make_frames(list(range(20))).reindex(**change) if change else make_frames(list(range(20)))
    with pytest.raises(ValueError, match=message):
        sliding_windows(frames, SIGNALS, pd.Series(1.0, index=frames.index), **options)


def test_ratings_must_fit_and_frames_stand_once() -> None:
    frames = make_frames(list(range(20)))
    with pytest.raises(ValueError, match="rating of each of 20"):
        sliding_windows(frames, SIGNALS, pd.Series([1.0]))
    with pytest.raises(ValueError, match="each frame once"):
        sliding_windows(make_frames([0, 1, 1]), SIGNALS, pd.Series([1.0, 1.0, 1.0]), length=1)
