"""Rendered sessions: a simulated participant watches a stimulus, and the truth of every frame is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.facs import EMOTIONET_AUS
from features.frame_table import BOX, LANDMARKS, POSE
from features.synthetic.au_dynamics import Segment, Temperament, UnitEvent, simulate_units, sum_events
from features.synthetic.expressions import AU_INDEX, N_AUS, expression_label, mean_units, valence_arousal
from features.synthetic.identity import Identity, sample_identity
from features.synthetic.motion import random_gaze, wander
from features.synthetic.renderer import FaceState, FaceTruth, locate_faces, render_frame
from features.synthetic.scene import Scene, sample_scene_look

FRAME_RATE_HZ = 24.0
SECOND_BOX = ("second_x1", "second_y1", "second_x2", "second_y2")
PRESENT_FRACTION = 0.6
"""A face counts as present where at least this share of it is inside the picture and uncovered."""

_SCRIPT_SHARES = (
    ("baseline", 0.20, "fixation"),
    ("joy", 0.28, "puppies"),
    ("surprise", 0.26, "jack-in-the-box"),
    ("sadness", 0.26, "lost-toy"),
)


@dataclass(frozen=True, slots=True, eq=False)
class SessionTruth:
    """A simulated session before it is rendered.

    Parameters
    ----------
    participant, experimenter
        Who is in the picture; the experimenter is None in sessions without a second person.
    script
        Segments of the stimulus.
    scene
        Room, light and camera.
    states, experimenter_states
        What both do in each frame.
    width, height, seed
        Size in pixels, and the seed of the sensor noise.
    frames
        One row a frame: ``frame`` (int32), ``time_s``, ``trial_type``, ``stim_id``, ``face_present`` (bool),
        ``visible_fraction``, ``n_faces`` (int32, faces present), ``AU01`` ... ``AU43`` (mean of both sides),
        ``AU01_L``, ``AU01_R`` ... (L is the SUBJECT's left), ``expression`` (string, empty where it is no prototype),
        ``arousal``, ``valence``, the head pose, the face box and the landmarks (NaN where the participant is out of the
        picture), and the experimenter's box ``second_x1`` ... ``second_y2`` (NaN where absent). Units, arousal and
        valence go on while the face is out of the picture.
    """

    participant: Identity
    experimenter: Identity | None
    script: tuple[Segment, ...]
    scene: Scene
    states: tuple[FaceState, ...]
    experimenter_states: tuple[FaceState, ...]
    width: int
    height: int
    seed: int
    frames: pd.DataFrame


def default_script(duration_s: float = 15.0) -> tuple[Segment, ...]:
    """Return the demo's stimulus: baseline, then clips of joy, surprise and sadness.

    Raises
    ------
    ValueError
        If `duration_s` is below 4.
    """
    if duration_s < 4:
        raise ValueError(f"Expected a duration of at least 4 s, got {duration_s}")
    segments, onset = [], 0.0
    for trial_type, share, stim_id in _SCRIPT_SHARES:
        length = share * duration_s
        segments.append(Segment(round(onset, 6), round(length, 6), trial_type, stim_id))
        onset += length
    return tuple(segments)


def frame_times(script: Sequence[Segment], fps: float = FRAME_RATE_HZ) -> NDArray[np.float64]:
    """Times (n,), seconds, of the frames from 0 to the end of the script."""
    end_s = max(segment.end_s for segment in script)
    return np.asarray(np.arange(round(end_s * fps)) / fps)


def segment_of_frames(script: Sequence[Segment], time_s: NDArray[np.float64]) -> list[Segment | None]:
    """Segment shown at each time, None between segments."""
    return [next((s for s in script if s.onset_s - 1e-9 <= t < s.end_s - 1e-9), None) for t in time_s]


def simulate_session(
    identity: Identity,
    *,
    seed: int,
    temperament: Temperament | None = None,
    script: Sequence[Segment] | None = None,
    fps: float = FRAME_RATE_HZ,
    width: int = 640,
    height: int = 360,
    second_person: bool | None = None,
    n_losses: int | None = None,
) -> SessionTruth:
    """Simulate a session without rendering it.

    Parameters
    ----------
    identity
        The participant.
    seed
        Fixes everything that is random.
    temperament
        How the participant responds; see `Temperament`.
    script
        Stimulus; by default `default_script`.
    fps
        Frames a second.
    width, height
        Size of the picture in pixels.
    second_person
        Whether an experimenter is in the picture for a part of the time; drawn (30 %) by default.
    n_losses
        How often the participant leaves the picture for 0.3 to 0.8 s; 0 to 2 by default.
    """
    rng = np.random.default_rng(seed)
    script = default_script() if script is None else tuple(script)
    time_s = frame_times(script, fps)
    au_left, au_right = simulate_units(script, temperament or Temperament(), time_s, rng)
    if n_losses is None:
        n_losses = int(rng.choice(3, p=[0.4, 0.4, 0.2]))
    states = _participant_states(time_s, au_left, au_right, n_losses, rng)
    if second_person is None:
        second_person = bool(rng.random() < 0.3)
    experimenter: Identity | None = None
    others: tuple[FaceState, ...] = ()
    if second_person:
        experimenter = sample_identity(rng, age_years=float(rng.uniform(24, 50)))
        others = _experimenter_states(time_s, states[0].centre_x, rng)
    scene = replace(sample_scene_look(rng, quality=0.85, kinds=("plain", "room")), motion_blur_px=0.0)
    frames = _truth_table(time_s, script, au_left, au_right)
    session = SessionTruth(identity, experimenter, script, scene, states, others, width, height, seed, frames)
    _add_positions(session)
    return session


def render_session(
    session: SessionTruth, *, frames: Iterable[int] | None = None
) -> Iterator[tuple[NDArray[np.uint8], tuple[FaceTruth, ...]]]:
    """Render a session frame by frame.

    Parameters
    ----------
    session
        What to render.
    frames
        Indices of the frames wanted; all by default. A frame looks the same whichever others are rendered.

    Yields
    ------
    pixels : ndarray, shape (height, width, 3), uint8
        RGB.
    faces : tuple of FaceTruth
        The participant's, and the experimenter's where there is one.
    """
    for index in range(len(session.states)) if frames is None else frames:
        rng = np.random.default_rng([session.seed, index])
        people = _people(session, index)
        frame = render_frame(people, session.scene, width=session.width, height=session.height, rng=rng)
        yield frame.pixels, frame.faces[::-1]


def _people(session: SessionTruth, index: int) -> list[tuple[Identity, FaceState]]:
    """The participant sits in front."""
    people = [(session.participant, session.states[index])]
    if session.experimenter is not None:
        people.insert(0, (session.experimenter, session.experimenter_states[index]))
    return people


def _participant_states(
    time_s: NDArray[np.float64],
    au_left: NDArray[np.float64],
    au_right: NDArray[np.float64],
    n_losses: int,
    rng: np.random.Generator,
) -> tuple[FaceState, ...]:
    height = float(rng.uniform(0.42, 0.54))
    centre_x, centre_y = float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.46, 0.54))
    yaw = wander(time_s, rng, spread=8.0, pace_s=1.2, limit=30)
    pitch = wander(time_s, rng, spread=5.0, pace_s=1.2, limit=20)
    roll = wander(time_s, rng, spread=4.5, pace_s=1.5, limit=20)
    sway_x = wander(time_s, rng, spread=0.018, pace_s=1.5, limit=0.05)
    sway_y = wander(time_s, rng, spread=0.012, pace_s=1.5, limit=0.035)
    size = height * (1 + wander(time_s, rng, spread=0.03, pace_s=2.0, limit=0.1))
    gaze = random_gaze(time_s, rng)
    away, direction = _losses(time_s, n_losses, rng)
    reach = (0.5 + 0.45 * height) * direction
    return tuple(
        FaceState(
            au_left=au_left[k],
            au_right=au_right[k],
            yaw_deg=float(yaw[k]),
            pitch_deg=float(pitch[k]),
            roll_deg=float(roll[k]),
            centre_x=float(centre_x + sway_x[k] + reach * away[k] * 1.2),
            centre_y=float(centre_y + sway_y[k]),
            height_fraction=float(size[k]),
            gaze_x=float(gaze[k, 0]),
            gaze_y=float(gaze[k, 1]),
            visible=bool(away[k] < 0.99),
        )
        for k in range(len(time_s))
    )


def _losses(time_s: NDArray[np.float64], n_losses: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
    """Share of the way out of the picture (n,), and the side to which the participant leaves."""
    end_s = float(time_s[-1])
    nothing = np.zeros(N_AUS)
    away = np.zeros(len(time_s))
    for _ in range(n_losses):
        event = UnitEvent(rng.uniform(0.5, end_s - 1.5), 0.20, rng.uniform(0.3, 0.8), 0.20, nothing, nothing)
        away = np.maximum(away, event.profile(time_s))
    return away, float(rng.choice([-1.0, 1.0]))


def _experimenter_states(
    time_s: NDArray[np.float64], child_x: float, rng: np.random.Generator
) -> tuple[FaceState, ...]:
    end_s = float(time_s[-1])
    start = rng.uniform(0.0, 0.5) * end_s
    stop = start + rng.uniform(0.3, 0.6) * end_s
    left_side = child_x >= 0.5
    centre_x = float(rng.uniform(0.11, 0.15) if left_side else rng.uniform(0.85, 0.89))
    centre_y, height = float(rng.uniform(0.28, 0.40)), float(rng.uniform(0.26, 0.32))
    yaw = (14.0 if left_side else -14.0) + wander(time_s, rng, spread=4.0, pace_s=1.5, limit=15)
    speech = np.zeros(N_AUS)
    speech[[AU_INDEX["AU25"], AU_INDEX["AU26"]]] = 0.6, 0.25
    words = [
        UnitEvent(t, 0.08, 0.05, 0.12, speech * rng.uniform(0.3, 1.0), speech * 0.6)
        for t in np.arange(start, stop, 0.4)
    ]
    left, _ = sum_events(words, time_s)
    return tuple(
        FaceState(
            au_left=left[k],
            au_right=left[k],
            yaw_deg=float(yaw[k]),
            centre_x=centre_x,
            centre_y=centre_y,
            height_fraction=height,
            visible=bool(start <= time_s[k] < stop),
        )
        for k in range(len(time_s))
    )


def _truth_table(
    time_s: NDArray[np.float64],
    script: Sequence[Segment],
    au_left: NDArray[np.float64],
    au_right: NDArray[np.float64],
) -> pd.DataFrame:
    shown = segment_of_frames(script, time_s)
    mean = mean_units(au_left, au_right)
    valence, arousal = valence_arousal(au_left, au_right)
    columns: dict[str, object] = {
        "frame": np.arange(len(time_s), dtype=np.int32),
        "time_s": time_s,
        "trial_type": [segment.trial_type if segment else "" for segment in shown],
        "stim_id": [segment.stim_id if segment else "" for segment in shown],
    }
    columns |= {name: mean[:, k] for k, name in enumerate(EMOTIONET_AUS)}
    for k, name in enumerate(EMOTIONET_AUS):
        columns[f"{name}_L"], columns[f"{name}_R"] = au_left[:, k], au_right[:, k]
    columns["expression"] = [expression_label(left, right) or "" for left, right in zip(au_left, au_right, strict=True)]
    columns["arousal"], columns["valence"] = arousal, valence
    return pd.DataFrame(columns)


def _add_positions(session: SessionTruth) -> None:
    """Fill pose, boxes, landmarks and presence into the table of a new session."""
    table = session.frames
    n = len(table)
    positions = np.full((n, len(BOX) + len(LANDMARKS)), np.nan)
    second = np.full((n, len(SECOND_BOX)), np.nan)
    visible, n_faces = np.zeros(n), np.zeros(n, dtype=np.int32)
    for index in range(n):
        truths = locate_faces(_people(session, index), session.scene, width=session.width, height=session.height)
        own = truths[-1]
        visible[index] = own.visible_fraction
        if own.visible_fraction > 0:
            positions[index] = np.concatenate([own.box, own.landmarks.ravel()])
        if len(truths) > 1 and truths[0].visible_fraction > 0:
            second[index] = truths[0].box
        n_faces[index] = sum(truth.visible_fraction >= PRESENT_FRACTION for truth in truths)
    table["face_present"] = visible >= PRESENT_FRACTION
    table["visible_fraction"] = visible
    table["n_faces"] = n_faces
    table[list(POSE)] = [[state.yaw_deg, state.pitch_deg, state.roll_deg] for state in session.states]
    table[[*BOX, *LANDMARKS]] = positions
    table[list(SECOND_BOX)] = second
