"""Random rendered pictures with exact labels, for training and testing the detector and the attribute networks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.facs import EXPRESSIONS
from features.synthetic.expressions import (
    AU_INDEX,
    N_AUS,
    POSITIVE_INTENSITY,
    expression_label,
    mean_units,
    prototype_units,
    valence_arousal,
)
from features.synthetic.identity import Identity, sample_identity
from features.synthetic.renderer import FaceState, FaceTruth, RenderedFrame, render_frame
from features.synthetic.scene import Occluder, sample_scene_look


@dataclass(frozen=True, slots=True, eq=False)
class FaceLabels:
    """Exact labels of one rendered face.

    Parameters
    ----------
    identity
        Who it is.
    au_left, au_right, au_mean
        Intensities (12,), 0..1; left is the SUBJECT's left.
    au_present
        (12,) bool: mean of both sides >= 0.5. One-sided full contempt has a mean AU12 of 0.5 or more.
    expression
        Name, or None where the face is no clear prototype (unknown: mask it in training).
    expression_id
        Index in `features.facs.EXPRESSIONS`, -1 for None.
    valence, arousal
        -1..1.
    truth
        Box, landmarks, pose and visible fraction.
    """

    identity: Identity
    au_left: NDArray[np.float64]
    au_right: NDArray[np.float64]
    au_mean: NDArray[np.float64]
    au_present: NDArray[np.bool_]
    expression: str | None
    expression_id: int
    valence: float
    arousal: float
    truth: FaceTruth


def sample_scene(
    rng: np.random.Generator, *, width: int = 640, height: int = 360, n_faces: int | None = None
) -> tuple[RenderedFrame, tuple[FaceLabels, ...]]:
    """Render a random picture.

    Parameters
    ----------
    rng
        Source of all randomness: the same state gives the same picture.
    width, height
        Size in pixels.
    n_faces
        Number of people; by default 1 (85 %), 2 (7 %), 3 (3 %) or 0 (5 %).

    Returns
    -------
    frame : RenderedFrame
    labels : tuple of FaceLabels
        One for each of ``frame.faces``, in the same order; faces can be hidden by a hand, by another face or by the
        edge (``truth.visible_fraction``).
    """
    if n_faces is None:
        n_faces = int(rng.choice(4, p=[0.05, 0.85, 0.07, 0.03]))
    scene = sample_scene_look(rng, quality=float(rng.uniform(0, 1)))
    people = []
    for index in range(n_faces):
        au_left, au_right = sample_units(rng)
        state = _sample_state(rng, au_left, au_right, index, n_faces)
        people.append((sample_identity(rng), state))
    if people and rng.random() < 0.06:
        scene = replace(scene, occluders=(_sample_hand(rng, people[-1][1], people[-1][0], height / width),))
    frame = render_frame(people, scene, width=width, height=height, rng=rng)
    labels = tuple(
        label_face(identity, state, truth) for (identity, state), truth in zip(people, frame.faces, strict=True)
    )
    return frame, labels


def label_face(identity: Identity, state: FaceState, truth: FaceTruth) -> FaceLabels:
    """All labels of one rendered face."""
    au_left, au_right = np.asarray(state.au_left, dtype=float), np.asarray(state.au_right, dtype=float)
    mean = mean_units(au_left, au_right)
    valence, arousal = valence_arousal(au_left, au_right)
    expression = expression_label(au_left, au_right)
    return FaceLabels(
        identity=identity,
        au_left=au_left,
        au_right=au_right,
        au_mean=mean,
        au_present=mean >= POSITIVE_INTENSITY,
        expression=expression,
        expression_id=-1 if expression is None else EXPRESSIONS.index(expression),
        valence=float(valence),
        arousal=float(arousal),
        truth=truth,
    )


def sample_units(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw AU intensities (12,) of the left and right side.

    A mixture of expressions at all strengths with jitter (50 %), independent units of which each is active with
    probability 0.3 (40 %), and faces nearly at rest (10 %); a tenth of the faces are lopsided. Each unit is present
    (mean >= 0.5) in at least 12 % of the faces; few intensities fall between 0.3 and 0.5.
    """
    kind = rng.random()
    if kind < 0.50:
        left, right = _jittered_prototype(rng)
    elif kind < 0.90:
        active = rng.random(N_AUS) < rng.choice([0.15, 0.3, 0.45])
        left = np.where(active, rng.uniform(0.45, 1.0, N_AUS), rng.uniform(0, 0.25, N_AUS) * (rng.random(N_AUS) < 0.4))
        right = np.clip(left + rng.normal(0, 0.05, N_AUS), 0, 1)
        if rng.random() < 0.2:
            left, right = _make_lopsided(rng, left, right)
    else:
        left = rng.uniform(0, 0.18, N_AUS) * (rng.random(N_AUS) < 0.5)
        right = np.clip(left + rng.normal(0, 0.02, N_AUS), 0, 1)
    if rng.random() < 0.10:
        left[AU_INDEX["AU43"]] = right[AU_INDEX["AU43"]] = rng.uniform(0.6, 1.0)
    return _make_possible(rng, left, right)


def _jittered_prototype(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    name = str(rng.choice(EXPRESSIONS))
    strength = float(rng.uniform(0.85, 1.0) if name == "contempt" or rng.random() < 0.5 else rng.uniform(0.45, 1.0))
    side = "left" if rng.random() < 0.5 else "right"
    left, right = prototype_units(name, strength, with_optional=bool(rng.random() < 0.6), side=side)
    spread = rng.normal(0, 0.08, N_AUS)
    left = np.where(left > 0, left + spread, left)
    right = np.where(right > 0, right + spread + rng.normal(0, 0.04, N_AUS), right)
    if name == "contempt":
        lip = AU_INDEX["AU12"]
        left[lip], right[lip] = (rng.uniform(0.88, 1.0), rng.uniform(0.0, 0.25))[:: 1 if side == "left" else -1]
    faint = rng.uniform(0, 0.2, N_AUS) * (rng.random(N_AUS) < 0.25)
    left, right = np.maximum(left, faint), np.maximum(right, faint)
    return np.clip(left, 0, 1), np.clip(right, 0, 1)


def _make_lopsided(
    rng: np.random.Generator, left: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weaker = np.where(rng.random(N_AUS) < 0.5, rng.uniform(0.0, 0.4, N_AUS), 1.0)
    weaker[AU_INDEX["AU43"]] = 1.0
    return (left * weaker, right) if rng.random() < 0.5 else (left, right * weaker)


def _make_possible(
    rng: np.random.Generator, left: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Units in the midline are the same on both sides; a dropped jaw mostly parts the lips and undoes the chin raise."""
    for name in ("AU17", "AU25", "AU26"):
        index = AU_INDEX[name]
        left[index] = right[index] = 0.5 * (left[index] + right[index])
    jaw, parted, chin = AU_INDEX["AU26"], AU_INDEX["AU25"], AU_INDEX["AU17"]
    if left[jaw] > 0.3 and rng.random() < 0.85:
        left[parted] = right[parted] = max(float(left[parted]), float(rng.uniform(0.6, 1.0)))
    if left[jaw] > 0.4 and left[chin] > 0.3:
        weaker = chin if rng.random() < 0.5 else jaw
        left[weaker] = right[weaker] = rng.uniform(0.0, 0.2)
    return left, right


def _sample_state(
    rng: np.random.Generator,
    au_left: NDArray[np.float64],
    au_right: NDArray[np.float64],
    index: int,
    n_faces: int,
) -> FaceState:
    largest = 0.75 if n_faces == 1 else 0.45
    height = float(np.exp(rng.uniform(np.log(0.15), np.log(largest))))
    slot = (index + 0.5) / n_faces
    centre_x = slot + rng.uniform(-0.35, 0.35) / n_faces
    centre_y = 0.5 + rng.uniform(-1, 1) * max(0.0, 0.5 - 0.55 * height)
    if rng.random() < 0.05:
        centre_x = rng.choice([0.0, 1.0]) + rng.uniform(-0.05, 0.05)
    return FaceState(
        au_left=au_left,
        au_right=au_right,
        yaw_deg=float(np.clip(rng.normal(0, 13), -34, 34)),
        pitch_deg=float(np.clip(rng.normal(0, 8), -24, 24)),
        roll_deg=float(np.clip(rng.normal(0, 8), -24, 24)),
        centre_x=float(centre_x),
        centre_y=float(centre_y),
        height_fraction=height,
        gaze_x=float(np.clip(rng.normal(0, 0.35), -1, 1)),
        gaze_y=float(np.clip(rng.normal(0, 0.3), -1, 1)),
    )


def _sample_hand(rng: np.random.Generator, state: FaceState, identity: Identity, aspect: float) -> Occluder:
    face = state.height_fraction
    away = rng.uniform(-np.pi, np.pi)
    distance = face * rng.uniform(0.3, 0.7)
    return Occluder(
        centre_x=float(state.centre_x + aspect * distance * np.cos(away)),
        centre_y=float(state.centre_y + distance * np.sin(away)),
        size=float(face * rng.uniform(0.3, 0.5)),
        angle_deg=float(np.rad2deg(away) - 90 + rng.normal(0, 20)),
        colour=identity.skin_rgb,
    )
