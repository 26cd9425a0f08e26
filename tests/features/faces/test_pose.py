"""Head pose: known turns of the generic head are recovered; signs are those promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.faces.pose import HEAD_POINTS, SMILE, head_pose, rotation_matrix
from features.facs import EMOTIONET_AUS
from features.synthetic.identity import sample_identity
from features.synthetic.renderer import FaceState, render_frame
from features.synthetic.scene import sample_scene_look


def project(yaw: float, pitch: float, roll: float, *, scale: float = 80.0) -> np.ndarray:
    return (HEAD_POINTS @ rotation_matrix(yaw, pitch, roll).T)[:, :2] * scale + (320, 180)


@given(st.floats(-75, 75), st.floats(-50, 50), st.floats(-60, 60), st.floats(5, 500))
def test_known_angles_are_recovered(yaw: float, pitch: float, roll: float, scale: float) -> None:
    np.testing.assert_allclose(head_pose(project(yaw, pitch, roll, scale=scale)), (yaw, pitch, roll), atol=0.01)


@given(st.floats(-60, 60), st.floats(-40, 40), st.floats(-60, 60), st.floats(0, 0.25))
def test_a_smile_is_no_nod(yaw: float, pitch: float, roll: float, smile: float) -> None:
    """Mouth corners drawn up and out by up to a quarter of the inter-ocular distance (16 mm) turn the head by less than a degree."""
    smiling = HEAD_POINTS + smile * SMILE
    seen = (smiling @ rotation_matrix(yaw, pitch, roll).T)[:, :2] * 80
    np.testing.assert_allclose(head_pose(seen), (yaw, pitch, roll), atol=1)


def test_rendered_smiles_do_not_nod() -> None:
    """Smiles of other heads, whose corners do not move as the generic head's do: within 10 degrees of the same face at rest."""
    scene = sample_scene_look(np.random.default_rng(0), quality=1.0)
    for person in range(4):
        pitches = []
        for smile in (0.0, 1.0):
            actions = np.array([smile if unit in {"AU06", "AU12"} else 0.0 for unit in EMOTIONET_AUS])
            state = FaceState(au_left=actions, au_right=actions)
            faces = [(sample_identity(np.random.default_rng(person)), state)]
            face = render_frame(faces, scene, width=320, height=240, rng=np.random.default_rng(0)).faces[0]
            pitches.append(head_pose(face.landmarks)[1])
        assert abs(pitches[1] - pitches[0]) < 10


def test_angles_survive_a_near_camera() -> None:
    """A head 60 cm from a camera (ten inter-ocular distances) seen in perspective: within four degrees."""
    for angles in ((0, 0, 0), (30, 0, 0), (0, 20, 0), (-25, -15, 10)):
        turned = HEAD_POINTS @ rotation_matrix(*angles).T
        seen = turned[:, :2] / (10 - turned[:, 2:]) * 600
        np.testing.assert_allclose(head_pose(seen), angles, atol=4)


def test_signs() -> None:
    still = project(0, 0, 0)
    nose_right, nose_up = still.copy(), still.copy()
    nose_right[2, 0] += 15
    nose_up[2, 1] -= 15
    assert head_pose(nose_right)[0] > 5
    assert head_pose(nose_up)[1] > 5
    tilted = still.copy()
    tilted[:, 1] += 0.2 * (still[:, 0] - 320)  # image-right side lower: clockwise
    tilted[:, 0] -= 0.2 * (still[:, 1] - 180)
    assert head_pose(tilted)[2] == pytest.approx(np.rad2deg(np.arctan(0.2)), abs=0.5)


def test_a_frontal_face_has_no_pose() -> None:
    """The template of insightface is an average frontal face."""
    from insightface.utils.face_align import arcface_dst

    np.testing.assert_allclose(head_pose(arcface_dst), 0, atol=2)


def test_place_and_size_do_not_matter() -> None:
    points = project(20, -10, 5)
    np.testing.assert_allclose(head_pose(points * 3 + (400, -50)), head_pose(points), atol=1e-3)


def test_small_errors_of_landmarks_cause_small_errors_of_pose() -> None:
    """Landmark errors of 3 % of the inter-ocular distance: standard deviation under 5 degrees, no jumps."""
    rng = np.random.default_rng(0)
    for yaw in (0, 35):
        errors = [
            np.subtract(head_pose(project(yaw, 0, 0) + rng.normal(0, 2.4, (5, 2))), (yaw, 0, 0)) for _ in range(100)
        ]
        assert np.std(errors, axis=0).max() < 5
        assert np.abs(errors).max() < 20


def test_rendered_heads_turn_as_told() -> None:
    """Other heads than the generic one: the sign and the order of magnitude must hold."""
    scene = sample_scene_look(np.random.default_rng(0), quality=1.0)
    measured = []
    turns = [(-30, 0), (-15, 0), (15, 0), (30, 0), (0, -20), (0, 20)]
    for yaw, pitch in turns:
        state = FaceState(yaw_deg=yaw, pitch_deg=pitch)
        faces = [(sample_identity(np.random.default_rng(1)), state)]
        face = render_frame(faces, scene, width=160, height=120, rng=np.random.default_rng(0)).faces[0]
        measured.append(head_pose(face.landmarks))
    yaws, pitches = np.array(measured)[:4, 0], np.array(measured)[4:, 1]
    assert np.corrcoef(yaws, [-30, -15, 15, 30])[0, 1] > 0.99
    np.testing.assert_allclose(yaws, [-30, -15, 15, 30], atol=10)
    assert pitches[1] - pitches[0] == pytest.approx(40, abs=15)


@pytest.mark.parametrize("bad", [np.zeros((5, 2)), np.full((5, 2), np.inf), np.zeros((3, 2))])
def test_landmarks_that_are_no_face_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        head_pose(bad)
