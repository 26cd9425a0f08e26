"""Turning a head: rotation conventions and the inversion of the projection."""

from __future__ import annotations

import numpy as np
import pytest

from features.synthetic.canvas import Plane
from features.synthetic.identity import sample_identity
from features.synthetic.projection import HeadProjection, rotation_matrix, sample_depth
from features.synthetic.relief import head_depth


@pytest.mark.parametrize(
    ("angles", "nose_direction"), [((20, 0, 0), (1, 0)), ((0, 20, 0), (0, -1)), ((-20, 0, 0), (-1, 0))]
)
def test_signs_of_yaw_and_pitch(angles: tuple[float, float, float], nose_direction: tuple[int, int]) -> None:
    nose = rotation_matrix(*angles) @ [0.0, 0.0, 1.0]
    np.testing.assert_array_equal(np.sign(np.round(nose[:2], 9)), nose_direction)


def test_positive_roll_turns_clockwise_in_the_image() -> None:
    right = rotation_matrix(0, 0, 20) @ [1.0, 0.0, 0.0]
    assert right[1] > 0  # the image's right side goes down


def test_rotation_is_orthonormal() -> None:
    turn = rotation_matrix(23, -14, 8)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-30, 10, 5), (15, -20, -15)])
def test_inverse_map_undoes_the_projection(angles: tuple[float, float, float]) -> None:
    """Points of the inner face, projected and looked up in the inverse map, come back to where they were."""
    plane = Plane(100.0)
    identity = sample_identity(np.random.default_rng(3), age_years=8)
    depth = head_depth(identity, plane)
    view = HeadProjection(rotation_matrix(*angles), (150.0, 150.0), 90.0)
    map_x, map_y = view.inverse_map(depth, plane, (0, 0), (300, 300))
    points = np.array([[0.0, -0.3], [0.3, 0.0], [-0.3, 0.0], [0.0, 0.6], [0.25, 0.5], [-0.25, 0.5]])
    seen = view.project(points, sample_depth(depth, plane, points))
    column, row = np.floor(seen).astype(int).T
    expected = plane.to_pixels(points)
    found = np.stack([map_x[row, column], map_y[row, column]], axis=1)
    # A picture pixel is 100/90 plate pixels wide at yaw 0 and up to twice that where the cheek turns away.
    np.testing.assert_allclose(found, expected, atol=2.5)
