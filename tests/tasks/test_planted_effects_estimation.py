"""Planted differences are found again where they are, and not where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from features.synthetic.planted_effects import PLANTED_EFFECTS
from tasks.errors import InvalidInputError, TooFewParticipantsError
from tasks.planted_effects import PLANTED_EFFECT_COLUMNS, estimate_effects


@dataclass(frozen=True)
class Planted:
    name: str
    signal: str
    trial_type: str | None
    direction: int
    description: str = "a difference"


SMILE = Planted("smile", "AU12", "joy", -1)
VALENCE = Planted("valence", "valence", None, 1)
CONTROL = Planted("control", "AU20", None, 0)
EVENTS = pd.DataFrame({"onset": [0.0], "duration": [2.0], "trial_type": ["joy"]})
PARTICIPANTS = pd.DataFrame({"participant_id": [f"sub-{n:03d}" for n in range(8)], "group": ["ASD", "TD"] * 4})


def make_frames(number: int, *, smile_frames: int) -> pd.DataFrame:
    """4 s at 25 frames/s; AU12 is 0.9 for `smile_frames` of the 50 of joy, and 0.9 all through the rest."""
    frame = np.arange(100)
    return pd.DataFrame(
        {
            "participant_id": f"{number:03d}", "session": "", "task": "clips", "frame": frame, "time_s": frame / 25,
            "valid": True, "AU12": np.where((frame < smile_frames) | (frame >= 50), 0.9, 0.5),
            "AU20": np.random.default_rng(number).random(100), "valence": np.where(frame < 10 + number % 2, 0.0, 0.3),
        }
    )  # fmt: skip


def make_tables() -> list[pd.DataFrame]:
    # ASD (even numbers) smile for 10, 11, 12, 13 of the 50 frames, TD for 30, 31, 32, 33
    return [make_frames(n, smile_frames=(30 if n % 2 else 10) + n // 2) for n in range(8)]


def estimate(tables: list[pd.DataFrame], *effects: Planted, **options: object) -> pd.DataFrame:
    events = {(f"{n:03d}", "", "clips"): EVENTS for n in range(8)}
    planted = {effect.name: 0.4 * effect.direction for effect in effects}
    return estimate_effects(tables, events, PARTICIPANTS, effects, planted=planted, **options).set_index("effect")  # type: ignore[arg-type]


def test_differences_by_hand() -> None:
    table = estimate(make_tables(), SMILE, VALENCE, CONTROL)
    assert ["effect", *table.columns] == [column.name for column in PLANTED_EFFECT_COLUMNS]
    smile = table.loc["smile"]
    assert smile["estimate"] == pytest.approx((11.5 - 31.5) / 50)
    assert smile["planted"] == -0.4
    assert smile["statistic"] == "fraction of valid frames of the joy segment with AU12 > 0.5"
    # sd of 10..13 of 50 in both groups, four each: half width t(6, .975) sd √(1/2) = 2.4469 · 0.025820 · 0.70711
    half = 2.446912 * np.std([0.20, 0.22, 0.24, 0.26], ddof=1) * np.sqrt(0.5)
    assert (smile["ci_low"], smile["ci_high"]) == pytest.approx((-0.4 - half, -0.4 + half), abs=1e-6)
    assert (smile["n_a"], smile["n_b"]) == (4, 4)
    assert smile["recovered"]
    assert table.loc["valence", "statistic"] == "fraction of valid frames of the session with valence > 0"
    assert table.loc["control", "recovered"]


def test_wrong_side_and_no_difference_are_not_recovered() -> None:
    tables = make_tables()
    assert not estimate(tables, Planted("smile", "AU12", "joy", 1)).loc["smile", "recovered"]
    assert not estimate(tables, Planted("smile", "AU12", "joy", 0)).loc["smile", "recovered"]
    assert not estimate(tables, Planted("lips", "AU20", None, -1)).loc["lips", "recovered"]


def test_frames_without_a_face_do_not_count() -> None:
    tables = make_tables()
    for table in tables:
        table.loc[40:49, "valid"] = False
        table.loc[40:49, ["AU12", "AU20", "valence"]] = np.nan
    assert estimate(tables, SMILE).loc["smile", "estimate"] == pytest.approx(-20 / 40)


def test_a_constant_control_is_no_difference() -> None:
    row = estimate([table.assign(AU20=0.0) for table in make_tables()], CONTROL).loc["control"]
    assert row["estimate"] == 0
    assert row["recovered"]


def test_sessions_are_averaged_and_events_may_be_missing() -> None:
    second = make_frames(0, smile_frames=50).assign(session="2")  # no events: does not count for joy
    row = estimate([*make_tables(), second], SMILE).loc["smile"]
    assert row["estimate"] == pytest.approx(-0.4)


def test_too_few_and_unknown() -> None:
    with pytest.raises(TooFewParticipantsError, match="got 1 ASD and 1 TD"):
        estimate(make_tables()[:2], SMILE)
    with pytest.raises(InvalidInputError, match="smile"):
        estimate_effects(make_tables(), {}, PARTICIPANTS, [SMILE], planted={})


def test_effects_of_the_simulated_study_fit() -> None:
    from features.synthetic.sessions import default_script

    segments = default_script()
    events = pd.DataFrame(
        {
            "onset": [segment.onset_s for segment in segments],
            "duration": [segment.duration_s for segment in segments],
            "trial_type": [segment.trial_type for segment in segments],
        }
    )
    rng = np.random.default_rng(0)
    tables = []
    for number in range(8):
        frames = pd.DataFrame(rng.random((360, 5)), columns=["AU01", "AU04", "AU12", "AU20", "valence"])
        frames["participant_id"], frames["session"], frames["task"] = f"{number:03d}", "", "clips"
        tables.append(frames.assign(frame=np.arange(360), time_s=np.arange(360) / 24, valid=True))
    planted = {effect.name: 0.1 * effect.direction for effect in PLANTED_EFFECTS}
    by_session = {(f"{n:03d}", "", "clips"): events for n in range(8)}
    table = estimate_effects(tables, by_session, PARTICIPANTS, PLANTED_EFFECTS, planted=planted)
    assert table["effect"].tolist() == [effect.name for effect in PLANTED_EFFECTS]
    assert table["estimate"].abs().max() < 0.2  # nothing was planted in these tables
