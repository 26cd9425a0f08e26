"""Emotion by stimulus segment, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.emotions import label_frames_by_segment, summarize_segments


def make_events(*rows: tuple[object, object, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


def label(times: list[float], events: pd.DataFrame) -> list[object]:
    labels = label_frames_by_segment(pd.DataFrame({"time_s": times}), events)
    return [None if pd.isna(name) else name for name in labels]


def test_segments_are_half_open() -> None:
    events = make_events((1.0, 2.0, "joy"), (3.0, 1.0, "sadness"), (5.0, 1.0, "joy"))
    times = [0.0, 0.999, 1.0, 2.999, 3.0, 3.999, 4.0, 5.5, 6.0]
    assert label(times, events) == [None, None, "joy", "joy", "sadness", "sadness", None, "joy", None]


def test_order_of_events_and_frames_does_not_matter() -> None:
    events = make_events((3.0, 1.0, "sadness"), (1.0, 2.0, "joy"))
    assert label([3.5, 1.5, 0.0], events) == ["sadness", "joy", None]


def test_container_rounding_does_not_move_a_frame() -> None:
    # 10 s as a sum of thirtieths of a second is 10.000000000000002 or 9.999999999999998
    events = make_events((0.0, 10.0, "joy"), (10.0, 1.0, "sadness"))
    assert label([9.9999999, 10.0000001], events) == ["sadness", "sadness"]


def test_moments_cover_nothing() -> None:
    events = make_events((0.0, 4.0, "joy"), (1.0, 0.0, "press"), (2.0, "n/a", "press"), (0.5, 1.0, None))
    assert label([0.0, 1.0, 2.0], events) == ["joy", "joy", "joy"]
    assert label([0.0], make_events()) == [None]


def test_index_of_frames_is_kept() -> None:
    frames = pd.DataFrame({"time_s": [0.0, 1.0]}, index=[7, 3])
    labels = label_frames_by_segment(frames, make_events((0.0, 5.0, "joy")))
    assert labels.index.tolist() == [7, 3]
    assert labels.name == "emotion"


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (make_events((0.0, 2.0, "joy"), (1.0, 2.0, "sadness")), "'joy' until 2 s and 'sadness' from 1 s"),
        (make_events((0.0, -1.0, "joy")), "got -1"),
        (make_events((None, 1.0, "joy")), "onset"),
        (make_events(("soon", 1.0, "joy")), "'soon'"),
        (pd.DataFrame({"onset": [0.0], "duration": [1.0]}), "missing trial_type"),
    ],
)
def test_events_that_cannot_be_read_are_said(events: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        label_frames_by_segment(pd.DataFrame({"time_s": [0.0]}), events)


def test_overlap_by_rounding_is_no_overlap() -> None:
    assert label([1.9995], make_events((0.0, 2.0, "joy"), (1.9995, 1.0, "sadness"))) == ["sadness"]


def test_frames_need_times() -> None:
    with pytest.raises(ValueError, match="time_s"):
        label_frames_by_segment(pd.DataFrame({"frame": [0]}), make_events())
    with pytest.raises(ValueError, match="nulls"):
        label_frames_by_segment(pd.DataFrame({"time_s": [np.nan]}), make_events())


def test_rates_and_means_by_hand() -> None:
    frames = pd.DataFrame(
        {
            "valid": [True, True, False, True, True],
            "AU12": [0.9, 0.5, np.nan, 0.6, 0.2],
            "AU04": [0.1, 0.2, np.nan, 0.3, 0.4],
        }
    )
    emotions = pd.Series(["joy", "joy", "joy", "sadness", None])
    rates = summarize_segments(frames, emotions, signals=("AU12", "AU04"))
    assert rates.index.tolist() == ["joy", "sadness"]
    assert rates["n_valid"].tolist() == [2, 1]
    assert rates["AU12"].tolist() == [0.5, 1.0]  # 0.5 itself is not active, the lost frame does not count
    means = summarize_segments(frames, emotions, signals=("AU04",), statistic="mean")
    assert means["AU04"].tolist() == pytest.approx([0.15, 0.3])
    few = summarize_segments(frames, emotions, signals=("AU12",), min_frames=2)
    assert few["AU12"].isna().tolist() == [False, True]
    assert few["n_valid"].tolist() == [2, 1]


def test_an_emotion_without_a_valid_frame_is_null() -> None:
    frames = pd.DataFrame({"valid": [False, True], "AU12": [np.nan, 1.0]})
    rates = summarize_segments(frames, pd.Series(["joy", "sadness"]), signals=("AU12",))
    assert rates.loc["joy", "n_valid"] == 0
    assert np.isnan(rates.loc["joy", "AU12"])
    assert summarize_segments(frames, pd.Series([None, None]), signals=("AU12",)).empty


def test_arguments_are_checked() -> None:
    frames = pd.DataFrame({"valid": [True], "AU12": [1.0]})
    with pytest.raises(ValueError, match="missing AU04"):
        summarize_segments(frames, pd.Series(["joy"]), signals=("AU12", "AU04"))
    with pytest.raises(ValueError, match="each of 1 frames"):
        summarize_segments(frames, pd.Series(["joy", "joy"]), signals=("AU12",))
    with pytest.raises(ValueError, match="median"):
        summarize_segments(frames, pd.Series(["joy"]), signals=("AU12",), statistic="median")  # type: ignore[arg-type]
