"""Simulated rated segments: their form, and the relation that is planted in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.synthetic.rated_sequences import PLANTED_WEIGHTS, UNITS, simulate_rated_frames


def test_form_is_that_of_rated_segments() -> None:
    frames = simulate_rated_frames(4, 2, segments=5, seed=1)
    assert frames["participant_id"].nunique() == 6
    assert frames.groupby("participant_id")["segment"].nunique().tolist() == [5] * 6
    assert not frames.duplicated(["participant_id", "frame"]).any()
    assert set(np.unique(frames[list(UNITS)])) == {0.0, 1.0}
    assert len(UNITS) == 22
    by_segment = frames.groupby(["participant_id", "segment"])
    assert (by_segment["rating"].max() == by_segment["rating"].min()).all()
    assert frames["rating"].between(1, 5).all()
    np.testing.assert_allclose(frames["rating"] * 5, (frames["rating"] * 5).round())  # five judges, whole ratings
    steps = by_segment["frame"].diff().dropna()
    assert (steps == 1).all()


def test_planted_units_alone_say_something() -> None:
    frames = simulate_rated_frames(40, 20, segments=10, seed=2)
    segments = frames.groupby(["participant_id", "segment"])[[*UNITS, "rating"]].mean()
    found = segments.corr()["rating"].drop("rating")
    for unit, weight in PLANTED_WEIGHTS.items():
        assert np.sign(found[unit]) == np.sign(weight)
        assert abs(found[unit]) > 0.3
    assert found.drop(list(PLANTED_WEIGHTS)).abs().max() < 0.15


def test_seed_decides_everything() -> None:
    first, again = (simulate_rated_frames(1, 1, segments=2, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
