"""Rendered faces are faces to the published RetinaFace (MobileNet-0.25), and lie where the truth says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from features.faces.detector import FaceDetector
from features.synthetic.cohort import plan_cohort
from features.synthetic.renderer import FaceTruth
from features.synthetic.sessions import PRESENT_FRACTION, render_session, simulate_session
from features.synthetic.training_samples import sample_scene

pytestmark = pytest.mark.real_media


@dataclass
class Agreement:
    """How detections compare with the truth: found or not, IoU, landmark distances over the eye distance."""

    found: list[bool]
    overlaps: list[float]
    distances: list[NDArray[np.float64]]


@pytest.fixture(scope="module")
def detector(real_media: Path) -> FaceDetector:
    weights = real_media / "weights" / "retinaface_mobilenet0.25_Final.pth"
    state = torch.load(weights, map_location="cpu", weights_only=True)
    return FaceDetector.from_state_dict(state, name="retinaface-mobilenet0.25", confidence=0.7)


def overlap(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    return shared / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def compare(
    detector: FaceDetector, pictures: list[tuple[NDArray[np.uint8], tuple[FaceTruth, ...]]], visible: float
) -> Agreement:
    result = Agreement([], [], [])
    for start in range(0, len(pictures), 16):
        batch = pictures[start : start + 16]
        for (_, faces), found in zip(batch, detector.detect(np.stack([p for p, _ in batch])), strict=True):
            for face in faces:
                if face.visible_fraction < visible:
                    continue
                scores = [overlap(face.box, box) for box in found.boxes]
                best = int(np.argmax(scores)) if scores else -1
                result.found.append(best >= 0 and scores[best] >= 0.5)
                if result.found[-1]:
                    result.overlaps.append(scores[best])
                    eyes = np.linalg.norm(face.landmarks[1] - face.landmarks[0]) / np.cos(np.deg2rad(face.yaw_deg))
                    result.distances.append(np.linalg.norm(found.landmarks[best] - face.landmarks, axis=1) / eyes)
    return result


def test_faces_of_sessions_are_found_where_they_are(detector: FaceDetector) -> None:
    """Every 15th frame of eight children's sessions: at least 99 % found, boxes and landmarks close."""
    pictures = []
    for plan in plan_cohort(4, seed=77):
        session = simulate_session(
            plan.identity, seed=plan.seed, temperament=plan.temperament, second_person=plan.second_person
        )
        pictures += list(render_session(session, frames=range(5, 360, 15)))
    agreement = compare(detector, pictures, PRESENT_FRACTION)
    assert len(agreement.found) > 160
    assert np.mean(agreement.found) >= 0.99
    assert np.mean(agreement.overlaps) >= 0.85
    assert (np.mean(agreement.distances, axis=0) < 0.08).all()


@pytest.mark.slow
def test_faces_of_training_scenes_are_found(detector: FaceDetector) -> None:
    """Scenes are made hard (light, blur, hands, edges), so a few may be missed."""
    rng = np.random.default_rng(31)
    pictures = [(frame.pixels, frame.faces) for frame, _ in (sample_scene(rng) for _ in range(80))]
    agreement = compare(detector, pictures, PRESENT_FRACTION)
    assert np.mean(agreement.found) >= 0.95
    assert np.mean(agreement.overlaps) >= 0.80
