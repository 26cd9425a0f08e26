"""Ratings of rendered sessions: segments within the stimulus' parts, and the relation that was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.synthetic.rendered_ratings import JUDGES, RENDERED_WEIGHTS, rate_session
from features.synthetic.sessions import FRAME_RATE_HZ, default_script


def make_truth(seconds: float = 15.0, **units: float) -> pd.DataFrame:
    n = round(seconds * FRAME_RATE_HZ)
    table = pd.DataFrame({"frame": np.arange(n), "time_s": np.arange(n) / FRAME_RATE_HZ, "face_present": True})
    return table.assign(**{name: units.get(name, 0.0) for name in RENDERED_WEIGHTS})


def test_segments_cover_the_session_and_do_not_cross_parts_of_the_stimulus() -> None:
    script = default_script(15.0)
    rated = rate_session(make_truth(), script, seed=1)
    assert rated["start_frame"].tolist() == [0, *(rated["end_frame"].iloc[:-1] + 1)]
    assert rated["end_frame"].iloc[-1] == 359
    starts = {round(np.ceil(part.onset_s * FRAME_RATE_HZ - 1e-6)) for part in script}
    assert starts <= set(rated["start_frame"])
    lengths = rated["end_frame"] - rated["start_frame"] + 1
    assert lengths.between(1.0 * FRAME_RATE_HZ, 2.0 * FRAME_RATE_HZ).all()
    assert rated[list(JUDGES)].isin(range(1, 6)).all(axis=None)
    pd.testing.assert_frame_equal(rated, rate_session(make_truth(), script, seed=1))


@pytest.mark.parametrize("unit", sorted(RENDERED_WEIGHTS))
def test_a_unit_moves_atypicality_by_its_weight_and_judges_follow(unit) -> None:
    script = default_script(15.0)
    without = rate_session(make_truth(), script, seed=1)
    half = rate_session(make_truth(**{unit: 0.5}), script, seed=1)
    moved = half["atypicality"] - without["atypicality"]
    np.testing.assert_allclose(moved, 0.5 * RENDERED_WEIGHTS[unit])
    judged = half[list(JUDGES)].mean(axis=None) - without[list(JUDGES)].mean(axis=None)
    assert judged * RENDERED_WEIGHTS[unit] > 0


def test_frames_without_a_face_are_not_seen_by_judges() -> None:
    script = default_script(15.0)
    truth = make_truth()
    truth.loc[truth["frame"] < 36, "face_present"] = False  # the whole of the first segment
    truth.loc[truth["frame"].between(36, 40), ["face_present", "AU04"]] = [False, 1.0]
    rated = rate_session(truth, script, seed=1)
    assert rated["start_frame"].iloc[0] == 36
    whole = rate_session(make_truth(), script, seed=1)
    assert rated["atypicality"].iloc[0] == pytest.approx(whole["atypicality"].iloc[1])
