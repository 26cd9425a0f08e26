"""Simulated sessions: dynamics, coverage and agreement of truth and pictures."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

from features.facs import EMOTIONET_AUS, EXPRESSIONS
from features.frame_table import BOX, LANDMARKS
from features.synthetic.au_dynamics import Segment, Temperament, UnitEvent, simulate_units
from features.synthetic.expressions import AU_INDEX, N_AUS
from features.synthetic.identity import sample_identity
from features.synthetic.motion import wander
from features.synthetic.sessions import (
    PRESENT_FRACTION,
    SessionTruth,
    default_script,
    frame_times,
    render_session,
    simulate_session,
)


@pytest.fixture(scope="module")
def session() -> SessionTruth:
    identity = sample_identity(np.random.default_rng(4), age_years=7)
    return simulate_session(identity, seed=12, second_person=True, n_losses=2)


def test_event_rises_stays_and_falls() -> None:
    apex = np.ones(N_AUS)
    event = UnitEvent(1.0, 0.4, 1.0, 0.6, apex, apex)
    profile = event.profile(np.array([0.0, 1.0, 1.2, 1.4, 2.0, 2.4, 2.7, 3.0, 5.0]))
    np.testing.assert_allclose(profile, [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0], atol=1e-12)


def test_units_move_smoothly() -> None:
    """No unit but the eyelids (a blink takes 70 ms) moves by more than half its range between two frames."""
    time_s = frame_times(default_script())
    left, right = simulate_units(default_script(), Temperament(), time_s, np.random.default_rng(0))
    slow = np.arange(N_AUS) != AU_INDEX["AU43"]
    assert np.abs(np.diff(left[:, slow], axis=0)).max() < 0.5
    assert left.min() >= 0
    assert max(left.max(), right.max()) <= 1


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_share_of_smiling_is_the_one_asked_for(share: float) -> None:
    script = (Segment(0.0, 20.0, "joy", "clip"),)
    time_s = frame_times(script)
    temperament = Temperament(joy_smile=share, stretch_share=0.0)
    seen = [
        (simulate_units(script, temperament, time_s, np.random.default_rng(seed))[0][:, AU_INDEX["AU12"]] >= 0.5).mean()
        for seed in range(20)
    ]
    assert np.mean(seen) == pytest.approx(share, abs=0.03)


def test_script_covers_the_session_without_gaps() -> None:
    script = default_script(15.0)
    assert [segment.trial_type for segment in script] == ["baseline", "joy", "surprise", "sadness"]
    assert script[0].onset_s == 0
    for before, after in pairwise(script):
        assert after.onset_s == pytest.approx(before.end_s)
    assert script[-1].end_s == pytest.approx(15.0)


def test_truth_has_every_frame_and_segment(session: SessionTruth) -> None:
    frames = session.frames
    assert len(frames) == 360
    np.testing.assert_array_equal(frames["frame"], np.arange(360))
    np.testing.assert_allclose(frames["time_s"], np.arange(360) / 24)
    assert set(frames["trial_type"]) == {"baseline", "joy", "surprise", "sadness"}
    assert set(frames["expression"]) <= {*EXPRESSIONS, ""}


def test_truth_of_units_is_the_mean_of_both_sides(session: SessionTruth) -> None:
    for name in EMOTIONET_AUS:
        mean = 0.5 * (session.frames[f"{name}_L"] + session.frames[f"{name}_R"])
        np.testing.assert_allclose(session.frames[name], mean)


def test_positions_are_missing_exactly_when_the_face_is_out_of_the_picture(session: SessionTruth) -> None:
    frames = session.frames
    gone = frames["visible_fraction"] == 0
    assert 10 <= gone.sum() <= 80  # twice 0.3 to 0.8 s
    for column in (*BOX, *LANDMARKS):
        np.testing.assert_array_equal(frames[column].isna(), gone)
    np.testing.assert_array_equal(frames["face_present"], frames["visible_fraction"] >= PRESENT_FRACTION)


def test_second_person_is_counted(session: SessionTruth) -> None:
    with_second = session.frames["second_x1"].notna()
    assert 0.2 < with_second.mean() < 0.7
    assert (session.frames.loc[with_second, "n_faces"] >= 1).all()
    assert session.frames["n_faces"].max() == 2
    child = session.frames["face_y2"] - session.frames["face_y1"]
    adult = session.frames["second_y2"] - session.frames["second_y1"]
    assert adult.max() < child.min()  # further away


def test_rendering_agrees_with_the_truth(session: SessionTruth) -> None:
    rendered = list(islice(render_session(session), 3))
    for index, (pixels, faces) in enumerate(rendered):
        assert pixels.shape == (360, 640, 3)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(faces[0].box, session.frames.loc[index, list(BOX)].to_numpy(dtype=float))


def test_sessions_are_reproducible() -> None:
    identity = sample_identity(np.random.default_rng(4), age_years=7)
    script = default_script(4.0)
    first, second, other = (simulate_session(identity, seed=seed, script=script) for seed in (3, 3, 4))
    assert first.frames.equals(second.frames)
    assert not first.frames["yaw_deg"].equals(other.frames["yaw_deg"])
    np.testing.assert_array_equal(next(render_session(first))[0], next(render_session(second))[0])


def test_wandering_keeps_within_its_limit_and_spread() -> None:
    time_s = np.arange(20000) / 24
    walk = wander(time_s, np.random.default_rng(0), spread=5.0, pace_s=1.0, limit=12.0)
    assert np.abs(walk).max() <= 12
    assert 3.5 < walk.std() < 5.2  # the smoothing takes a little away
    assert np.abs(np.diff(walk)).max() < 3


def test_unknown_segments_and_short_scripts_are_refused() -> None:
    with pytest.raises(ValueError, match="trial_type"):
        simulate_units((Segment(0, 1, "boredom", "x"),), Temperament(), np.arange(3.0), np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 4 s"):
        default_script(1.0)
