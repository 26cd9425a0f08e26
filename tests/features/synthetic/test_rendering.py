"""Rendered pictures: pixels agree with the truth that comes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from features.facs import EMOTIONET_AUS
from features.synthetic.identity import Identity, sample_identity
from features.synthetic.renderer import FaceState, RenderedFrame, locate_faces, render_frame
from features.synthetic.scene import Background, Lighting, Occluder, Scene, sample_scene_look

PLAIN = Scene(background=Background("plain", (0.5, 0.55, 0.6)), noise=0.0)
EVEN = replace(PLAIN, lighting=Lighting(direction=(0.0, -0.3, 1.0)))


@pytest.fixture(scope="module")
def child() -> Identity:
    fair = sample_identity(np.random.default_rng(11), age_years=8)
    return replace(fair, skin_rgb=(0.85, 0.70, 0.60), hair_style="short")


def units(**intensities: float) -> NDArray[np.float64]:
    return np.array([intensities.get(name, 0.0) for name in EMOTIONET_AUS])


def render(identity: Identity, state: FaceState, scene: Scene = EVEN) -> RenderedFrame:
    return render_frame([(identity, state)], scene, width=400, height=360, rng=np.random.default_rng(0))


def eye_patch(frame: RenderedFrame, eye: int) -> NDArray[np.int64]:
    x, y = frame.faces[0].landmarks[eye].astype(int)
    return frame.pixels[y - 7 : y + 10, x - 12 : x + 13].astype(int)


def test_same_seed_same_picture_and_other_noise_otherwise(child: Identity) -> None:
    state = FaceState(units(AU12=0.8), units(AU12=0.8), yaw_deg=10)
    scene = replace(EVEN, noise=4.0)
    first, second, other = (
        render_frame([(child, state)], scene, rng=np.random.default_rng(seed)).pixels for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).mean() > 0.3


@pytest.mark.parametrize("pitch", [0.0, 12.0])
def test_landmarks_mirror_when_yaw_changes_sign(child: Identity, pitch: float) -> None:
    """A symmetric face turned to the other side is the mirror image."""
    left, right = (render(child, FaceState(yaw_deg=yaw, pitch_deg=pitch)).faces[0].landmarks for yaw in (-25.0, 25.0))
    mirrored = left[[1, 0, 2, 4, 3]] * (-1, 1) + (400, 0)
    np.testing.assert_allclose(mirrored, right, atol=0.15)  # heights are sampled on a grid of pixels


def test_yaw_moves_the_nose_further_than_the_eyes(child: Identity) -> None:
    """Parallax: what is nearer to the camera moves more."""
    front = render(child, FaceState()).faces[0].landmarks
    turned = render(child, FaceState(yaw_deg=20)).faces[0].landmarks
    shift = turned[:, 0] - front[:, 0]
    assert shift[2] > max(shift[0], shift[1]) + 3


def test_closed_eyes_show_no_white(child: Identity) -> None:
    """Sclera is the only part around the eye in which blue nearly equals red."""

    def white(intensity: float) -> int:
        frame = render(child, FaceState(units(AU43=intensity), units(AU43=intensity), height_fraction=0.6))
        patch = eye_patch(frame, 0)
        bright = patch.min(axis=2) > 140
        return int((bright & (patch[..., 0] - patch[..., 2] < 30)).sum())

    assert white(0.0) > 25
    assert white(1.0) == 0


def test_one_closed_eye_is_on_the_named_side(child: Identity) -> None:
    """`au_left` is the subject's left, which is the image's right."""
    rest = render(child, FaceState(height_fraction=0.6))
    wink = render(child, FaceState(units(AU43=1.0), units(), height_fraction=0.6))
    change = [np.abs(eye_patch(wink, eye) - eye_patch(rest, eye)).mean() for eye in (0, 1)]
    assert change[1] > 15
    assert change[0] < 1


@pytest.mark.parametrize("unit", EMOTIONET_AUS)
def test_every_unit_changes_the_picture(child: Identity, unit: str) -> None:
    """Between the intensities that count as absent (0.3) and present (0.6)."""
    weak, strong = (render(child, FaceState(units(**{unit: v}), units(**{unit: v}))) for v in (0.3, 0.6))
    change = np.abs(strong.pixels.astype(int) - weak.pixels.astype(int)).max(axis=2)
    assert (change > 12).sum() > 60


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 30.0])
def test_box_holds_the_landmarks_and_is_filled_by_the_face(child: Identity, yaw: float) -> None:
    face = render(child, FaceState(yaw_deg=yaw, roll_deg=10, pitch_deg=-10)).faces[0]
    x1, y1, x2, y2 = face.box
    assert (face.landmarks > (x1, y1)).all()
    assert (face.landmarks < (x2, y2)).all()
    assert face.visible_fraction == pytest.approx(1.0)


def test_dropped_jaw_lowers_the_box(child: Identity) -> None:
    rest, dropped = (render(child, FaceState(units(AU26=v), units(AU26=v))).faces[0] for v in (0.0, 1.0))
    # The chin moves by 0.24 of half the face height of 180 px.
    assert dropped.box[3] - rest.box[3] == pytest.approx(0.24 * 90, abs=0.5)
    assert dropped.box[1] == pytest.approx(rest.box[1])


def test_size_and_place_are_those_asked_for(child: Identity) -> None:
    face = render(child, FaceState(centre_x=0.3, centre_y=0.6, height_fraction=0.4)).faces[0]
    assert face.box[[0, 2]].mean() == pytest.approx(0.3 * 400, abs=0.5)
    assert face.box[3] == pytest.approx(0.6 * 360 + 0.2 * 360, abs=0.5)  # the chin is half a face below the centre


def test_visible_fraction_counts_edges_hands_and_people(child: Identity) -> None:
    assert render(child, FaceState(visible=False)).faces[0].visible_fraction == 0
    assert render(child, FaceState(centre_x=0.0)).faces[0].visible_fraction == pytest.approx(0.5, abs=0.03)
    assert render(child, FaceState(centre_x=-0.5)).faces[0].visible_fraction == 0
    hand = Occluder(0.5, 0.55, 0.3, 0.0, (0.7, 0.5, 0.4))
    covered = render(child, FaceState(), replace(EVEN, occluders=(hand,))).faces[0].visible_fraction
    assert 0.2 < covered < 0.9
    pair = [(child, FaceState(centre_x=0.45)), (child, FaceState(centre_x=0.5))]
    behind, front = locate_faces(pair, EVEN, width=400, height=360)
    assert front.visible_fraction == pytest.approx(1.0)
    assert behind.visible_fraction < 0.5


def test_locating_agrees_with_rendering(child: Identity) -> None:
    state = FaceState(yaw_deg=12, pitch_deg=-4, roll_deg=3, centre_x=0.4)
    drawn = render(child, state).faces[0]
    found = locate_faces([(child, state)], EVEN, width=400, height=360)[0]
    np.testing.assert_array_equal(drawn.box, found.box)
    np.testing.assert_array_equal(drawn.landmarks, found.landmarks)


def test_invisible_person_leaves_the_empty_room(child: Identity) -> None:
    empty = render_frame([], EVEN, width=400, height=360, rng=np.random.default_rng(0)).pixels
    np.testing.assert_array_equal(render(child, FaceState(visible=False)).pixels, empty)


def test_light_from_the_left_brightens_the_left(child: Identity) -> None:
    scene = replace(PLAIN, lighting=Lighting(direction=(-1.0, -0.2, 0.5), ambient=0.3, strength=0.75))
    frame = render(child, FaceState(), scene)
    x, y = frame.faces[0].landmarks[2].astype(int)
    left = frame.pixels[y - 10 : y + 10, x - 45 : x - 25].mean()
    right = frame.pixels[y - 10 : y + 10, x + 25 : x + 45].mean()
    assert left > right + 25


@pytest.mark.parametrize("height_fraction", [0.1, 0.3, 0.9])
def test_all_sizes_render(child: Identity, height_fraction: float) -> None:
    frame = render(child, FaceState(height_fraction=height_fraction))
    x, y = frame.faces[0].landmarks[2].astype(int)
    skin = frame.pixels[y, x].astype(int)
    assert skin[0] > skin[2] + 15  # the nose is skin, not the bluish wall


def test_limits_are_enforced() -> None:
    with pytest.raises(ValueError, match="yaw_deg"):
        FaceState(yaw_deg=60)
    with pytest.raises(ValueError, match="height_fraction"):
        FaceState(height_fraction=0)


def test_scene_looks_are_reproducible() -> None:
    assert sample_scene_look(np.random.default_rng(5)) == sample_scene_look(np.random.default_rng(5))
