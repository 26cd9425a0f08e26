"""Geometry of rendered faces: what an action unit moves, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from features.facs import EMOTIONET_AUS
from features.synthetic.geometry import ActionUnits, FaceGeometry, face_outline, place_features
from features.synthetic.identity import Identity, sample_identity


@pytest.fixture(scope="module")
def child() -> Identity:
    return sample_identity(np.random.default_rng(7), age_years=6)


def units(**intensities: float) -> NDArray[np.float64]:
    return np.array([intensities.get(name, 0.0) for name in EMOTIONET_AUS])


def pose_units(identity: Identity, left: NDArray[np.float64], right: NDArray[np.float64] | None = None) -> FaceGeometry:
    return place_features(identity, ActionUnits(left, left if right is None else right))


def test_resting_face_is_symmetric(child: Identity) -> None:
    points = pose_units(child, units()).landmarks(child)
    mirrored = points[[1, 0, 2, 4, 3]] * (-1, 1)
    np.testing.assert_allclose(points, mirrored, atol=1e-12)


def test_smile_of_the_left_side_moves_the_image_right_corner_only(child: Identity) -> None:
    rest = pose_units(child, units()).mouth.corners
    smile = pose_units(child, units(AU12=1.0), units()).mouth.corners
    assert smile[0, 0] > rest[0, 0] + 0.05  # outwards, on the image's right
    assert smile[0, 1] < rest[0, 1] - 0.05  # up (y points down)
    np.testing.assert_array_equal(smile[1], rest[1])


def test_stretch_moves_the_corners_out_but_not_up(child: Identity) -> None:
    rest = pose_units(child, units()).mouth.corners
    stretched = pose_units(child, units(AU20=1.0)).mouth.corners
    assert stretched[0, 0] > rest[0, 0] + 0.08
    assert stretched[0, 1] >= rest[0, 1]


@pytest.mark.parametrize(("unit", "inner", "outer"), [("AU01", -1, 0), ("AU02", 0, -1), ("AU04", 1, 0)])
def test_brow_ends_move_as_the_coding_system_says(child: Identity, unit: str, inner: int, outer: int) -> None:
    rest = pose_units(child, units()).brows[0]
    moved = pose_units(child, units(**{unit: 1.0})).brows[0]
    shift = moved[:, 1] - rest[:, 1]
    for direction, end in ((inner, shift[0]), (outer, shift[-3])):
        if direction:
            assert direction * end > 0.08


def test_lids_open_with_au5_and_close_with_au43(child: Identity) -> None:
    def opening(**intensities: float) -> float:
        eye = pose_units(child, units(**intensities)).eyes[0]
        return float((eye.lower_lid[:, 1] - eye.upper_lid[:, 1]).max())

    assert opening(AU05=1.0) > 1.3 * opening()
    assert opening(AU06=1.0) < 0.8 * opening()
    assert opening(AU43=1.0) < 0.01


def test_jaw_drop_lowers_the_chin_and_chin_raise_lifts_it(child: Identity) -> None:
    def chin(**intensities: float) -> float:
        return float(face_outline(child, pose_units(child, units(**intensities)).jaw_drop)[:, 1].max())

    assert chin() == pytest.approx(1.0)
    assert chin(AU26=1.0) == pytest.approx(1.24)
    assert chin(AU17=1.0) < 1.0


def test_lips_part_with_au25_and_stay_sealed_over_a_dropped_jaw(child: Identity) -> None:
    assert pose_units(child, units()).mouth.gap == 0
    assert pose_units(child, units(AU26=1.0)).mouth.gap == 0
    parted = pose_units(child, units(AU25=1.0)).mouth.gap
    assert pose_units(child, units(AU25=1.0, AU26=1.0)).mouth.gap > 2 * parted > 0.1


def test_intensities_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        ActionUnits(units(AU12=1.2), units())
    with pytest.raises(ValueError, match="shape"):
        ActionUnits(np.zeros(22), np.zeros(22))


def test_children_have_larger_lower_eyes_than_adults() -> None:
    rng = np.random.default_rng(0)
    young = [sample_identity(rng, age_years=4) for _ in range(20)]
    grown = [sample_identity(rng, age_years=40) for _ in range(20)]
    assert np.mean([i.eye_opening for i in young]) > 1.3 * np.mean([i.eye_opening for i in grown])
    assert np.mean([i.eye_y for i in young]) > np.mean([i.eye_y for i in grown]) + 0.08


def test_identity_checks_its_arguments() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="age_years"):
        sample_identity(rng, age_years=200)
    with pytest.raises(ValueError, match="sex"):
        sample_identity(rng, sex="x")
