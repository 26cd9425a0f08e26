"""Rendering of faces with exact ground truth, in numpy and OpenCV.

A head is painted frontally (`features.synthetic.head`), turned by inverting the projection of its height field
(`features.synthetic.projection`) and laid over body, hair and room. Landmarks and boxes come from the same geometry.
This is a test instrument: it is drawn, uses no recorded faces, and stands for no real person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from features.facs import EMOTIONET_AUS
from features.synthetic.canvas import Points, sixteenths
from features.synthetic.compositing import PlacedFace, draw_person
from features.synthetic.geometry import ActionUnits, FaceGeometry, face_outline, place_features
from features.synthetic.identity import Identity
from features.synthetic.plates import Plates, make_plates, plate_scale
from features.synthetic.projection import HeadProjection, rotation_matrix, sample_depth
from features.synthetic.scene import (
    Scene,
    add_camera_effects,
    draw_occluder,
    occluder_polygons,
    paint_background,
)

MAX_YAW_DEG = 35.0
MAX_PITCH_DEG = 25.0
MAX_ROLL_DEG = 25.0

_BOX_TOP_Y, _BOX_WIDTH = -0.75, 0.90
"""Upper edge of the annotated face in face units (the hairline) and its share of the face's width: calibrated on the
boxes of RetinaFace, which learnt them from the annotations of WIDER FACE."""


def _no_action() -> NDArray[np.float64]:
    return np.zeros(len(EMOTIONET_AUS))


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """What one person does in one frame.

    Parameters
    ----------
    au_left, au_right
        Intensities (12,) from 0 to 1 in the order of `features.facs.EMOTIONET_AUS`. Left is the SUBJECT's left, the
        image's right side of a frontal face.
    yaw_deg, pitch_deg, roll_deg
        Positive yaw: nose to the image's right; positive pitch: nose up; positive roll: clockwise in the image.
        Limits +-35, +-25, +-25.
    centre_x, centre_y
        Position of the head's centre as fractions of frame width and height; may lie outside.
    height_fraction
        Height of the neutral frontal face (hairline to chin) over the height of the frame.
    gaze_x, gaze_y
        Direction of gaze, -1..1, x to the image's right, y down.
    visible
        False draws nothing: the person has left the picture.
    """

    au_left: NDArray[np.floating] = field(default_factory=_no_action)
    au_right: NDArray[np.floating] = field(default_factory=_no_action)
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    centre_x: float = 0.5
    centre_y: float = 0.5
    height_fraction: float = 0.5
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    visible: bool = True

    def __post_init__(self) -> None:
        for name, limit in (("yaw_deg", MAX_YAW_DEG), ("pitch_deg", MAX_PITCH_DEG), ("roll_deg", MAX_ROLL_DEG)):
            value = getattr(self, name)
            if abs(value) > limit + 1e-6:
                raise ValueError(f"Expected {name} from {-limit} to {limit}, got {value}")
        if self.height_fraction <= 0:
            raise ValueError(f"Expected a positive height_fraction, got {self.height_fraction}")


@dataclass(frozen=True, slots=True, eq=False)
class FaceTruth:
    """Where a rendered face is.

    Parameters
    ----------
    box
        (4,) x1, y1, x2, y2 in pixels, hairline to chin and cheek to cheek; may reach beyond the frame.
    landmarks
        (5, 2) pixels: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner. An eye is the
        middle of its opening, also while it is closed.
    visible_fraction
        Share of the face's area inside the frame and not covered by another person or a hand; 0 when absent.
    """

    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    visible_fraction: float


@dataclass(frozen=True, slots=True, eq=False)
class RenderedFrame:
    """`pixels` (height, width, 3) uint8 RGB and one `FaceTruth` for each face given, in the same order."""

    pixels: NDArray[np.uint8]
    faces: tuple[FaceTruth, ...]


def render_frame(
    faces: Sequence[tuple[Identity, FaceState]],
    scene: Scene,
    *,
    width: int = 640,
    height: int = 360,
    rng: np.random.Generator,
) -> RenderedFrame:
    """Render one picture; later faces are in front of earlier ones.

    Parameters
    ----------
    faces
        People and their states.
    scene
        Surroundings.
    width, height
        Size in pixels.
    rng
        Source of the sensor noise only: everything else is fixed by the other arguments.

    Returns
    -------
    RenderedFrame
    """
    image = paint_background(scene.background, scene.lighting, width, height).copy()
    placed = [_place_face(identity, state, width, height) for identity, state in faces]
    for (identity, state), face in zip(faces, placed, strict=True):
        if state.visible:
            draw_person(image, identity, face, scene.lighting)
    for occluder in scene.occluders:
        draw_occluder(image, occluder, scene.lighting)
    states = [state for _, state in faces]
    return RenderedFrame(
        add_camera_effects(image, scene, rng), _face_truths(placed, states, scene, width=width, height=height)
    )


def locate_faces(
    faces: Sequence[tuple[Identity, FaceState]], scene: Scene, *, width: int = 640, height: int = 360
) -> tuple[FaceTruth, ...]:
    """The truths that `render_frame` would return, without drawing the picture."""
    placed = [_place_face(identity, state, width, height) for identity, state in faces]
    return _face_truths(placed, [state for _, state in faces], scene, width=width, height=height)


def _face_truths(
    placed: Sequence[PlacedFace], states: Sequence[FaceState], scene: Scene, *, width: int, height: int
) -> tuple[FaceTruth, ...]:
    hands = [part for occluder in scene.occluders for part in occluder_polygons(occluder, width, height)]
    truths = []
    for index, (face, state) in enumerate(zip(placed, states, strict=True)):
        nearer = [other.outline for other, s in zip(placed[index + 1 :], states[index + 1 :], strict=True) if s.visible]
        fraction = _visible_fraction(face.outline, nearer + hands, width, height) if state.visible else 0.0
        truths.append(FaceTruth(face.box, face.landmarks, state.yaw_deg, state.pitch_deg, state.roll_deg, fraction))
    return tuple(truths)


def _place_face(identity: Identity, state: FaceState, width: int, height: int) -> PlacedFace:
    aus = ActionUnits(state.au_left, state.au_right)
    geometry = place_features(identity, aus, gaze=(state.gaze_x, state.gaze_y))
    scale = 0.5 * state.height_fraction * height
    plates = make_plates(identity, plate_scale(scale))
    projection = HeadProjection(
        rotation_matrix(state.yaw_deg, state.pitch_deg, state.roll_deg),
        (state.centre_x * width, state.centre_y * height),
        scale,
    )
    landmarks = _project_on_skin(geometry.landmarks(identity), projection, plates, geometry)
    outline = face_outline(identity, geometry.jaw_drop)
    outline = outline[outline[:, 1] >= _BOX_TOP_Y] * (_BOX_WIDTH, 1.0)
    outline = _project_on_skin(outline, projection, plates, geometry)
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    return PlacedFace(plates, aus, geometry, projection, landmarks, outline, box, state.roll_deg)


def _project_on_skin(points: Points, projection: HeadProjection, plates: Plates, geometry: FaceGeometry) -> Points:
    """Image positions of points given after the jaw has moved; their height is that of the skin they came from."""
    y, start = points[:, 1], geometry.stretch_from_y
    factor = 1.0 + geometry.jaw_drop / (1.0 - start)
    resting = np.column_stack([points[:, 0], np.where(y > start, start + (y - start) / factor, y)])
    return projection.project(points, sample_depth(plates.depth, plates.plane, resting))


def _visible_fraction(outline: Points, covers: Sequence[Points], width: int, height: int) -> float:
    """Share of a polygon inside the frame and outside of the polygons `covers`."""
    low = np.floor(outline.min(axis=0)).astype(int)
    high = np.ceil(outline.max(axis=0)).astype(int) + 1
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
    cv2.fillPoly(mask, [sixteenths(outline - low)], 1, cv2.LINE_8, 4)
    total = int(mask.sum())
    for cover in covers:
        cv2.fillPoly(mask, [sixteenths(cover - low)], 0, cv2.LINE_8, 4)
    x0, y0 = np.maximum(-low, 0)
    inside = mask[y0 : max(y0, height - low[1]), x0 : max(x0, width - low[0])]
    return float(inside.sum()) / max(total, 1)
