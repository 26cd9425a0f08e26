"""From raw outputs to faces, against retinaface-pytorch's `predict_jsons` and on cases with known answers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from features.faces.anchors import anchor_grid, encode_boxes, encode_landmarks
from features.faces.postprocessing import FrameGeometry, select_faces
from features.faces.retinaface import SPECS, RawHeads

SIDES = SPECS["retinaface-resnet50"].anchor_sides
HEIGHT, WIDTH = 240, 320
PLAIN = FrameGeometry(HEIGHT, WIDTH, HEIGHT, WIDTH)


def crafted_heads(seed: int) -> RawHeads:
    """Outputs in which 300 anchors see a face, some of them overlapping, some across the frame's edges."""
    rng = np.random.default_rng(seed)
    n_anchors = len(anchor_grid(HEIGHT, WIDTH, SIDES))
    logits = np.stack((rng.normal(4, 1, n_anchors), rng.normal(-4, 1, n_anchors)), axis=1)
    faces = rng.choice(n_anchors, 300, replace=False)
    logits[faces] = np.stack((rng.normal(-1, 1, 300), rng.normal(1, 1, 300)), axis=1)
    boxes, landmarks = rng.normal(0, 1.5, (n_anchors, 4)), rng.normal(0, 2, (n_anchors, 10))
    as_batch = (torch.from_numpy(values).float()[None] for values in (boxes, logits, landmarks))
    return next(as_batch), next(as_batch), next(as_batch)


@pytest.fixture
def package_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
    pytest.importorskip("albumentations", reason="retinaface.predict_single needs albumentations, a dev package")
    predict_single = pytest.importorskip("retinaface.predict_single", reason="retinaface-pytorch is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torchvision's, about `pretrained`
        return predict_single.Model(max_size=WIDTH)


@pytest.mark.parametrize("seed", range(5))
def test_faces_equal_those_of_the_package(package_model, seed: int) -> None:
    heads = crafted_heads(seed)
    package_model.model = lambda _image: heads
    theirs = package_model.predict_jsons(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), confidence_threshold=0.7, nms_threshold=0.4
    )
    ours = select_faces(heads, PLAIN, anchor_sides=SIDES, confidence=0.7, nms_iou=0.4)[0]
    assert len(theirs) >= 20
    assert len(ours) == len(theirs)
    # The package rounds to two decimals; half of the last, and float32 of its anchors as fractions of the image.
    np.testing.assert_allclose(ours.boxes, [face["bbox"] for face in theirs], rtol=0, atol=0.0055)
    np.testing.assert_allclose(ours.scores, [face["score"] for face in theirs], rtol=0, atol=0.0051)
    np.testing.assert_allclose(ours.landmarks, [face["landmarks"] for face in theirs], rtol=0, atol=0.0055)


def heads_for(boxes: torch.Tensor, scores: list[float], landmarks: torch.Tensor | None = None) -> RawHeads:
    """Outputs that decode to these boxes, each from an anchor of its own."""
    anchors = anchor_grid(HEIGHT, WIDTH, SIDES)
    n = len(boxes)
    encoded = torch.zeros(1, len(anchors), 4)
    logits = torch.tensor([20.0, 0.0]).repeat(1, len(anchors), 1)
    points = torch.zeros(1, len(anchors), 10)
    encoded[0, :n] = encode_boxes(boxes, anchors[:n])
    logits[0, :n, 1] = 20 + torch.logit(torch.tensor(scores))
    if landmarks is not None:
        points[0, :n] = encode_landmarks(landmarks, anchors[:n])
    return encoded, logits, points


def test_of_two_overlapping_boxes_the_better_stays_and_results_are_sorted() -> None:
    boxes = torch.tensor([[10.0, 10, 50, 50], [12, 10, 52, 50], [100, 100, 140, 150]])
    faces = select_faces(heads_for(boxes, [0.8, 0.9, 0.95]), PLAIN, anchor_sides=SIDES, confidence=0.5, nms_iou=0.4)[0]
    np.testing.assert_allclose(faces.boxes, boxes[[2, 1]], atol=1e-3)
    np.testing.assert_allclose(faces.scores, [0.95, 0.9], atol=1e-5)


def test_the_threshold_is_exclusive_of_lower_scores() -> None:
    boxes = torch.tensor([[10.0, 10, 50, 50], [100, 100, 140, 150]])
    faces = select_faces(heads_for(boxes, [0.49, 0.51]), PLAIN, anchor_sides=SIDES, confidence=0.5, nms_iou=0.4)[0]
    np.testing.assert_allclose(faces.scores, [0.51], atol=1e-5)


def test_coordinates_are_those_of_the_source_frame() -> None:
    box = torch.tensor([[10.0, 20, 50, 60]])
    points = torch.tensor([[[20.0, 30], [40, 30], [30, 40], [22, 50], [38, 50]]])
    geometry = FrameGeometry(source_height=720, source_width=1280, input_height=HEIGHT, input_width=WIDTH)
    faces = select_faces(heads_for(box, [0.9], points), geometry, anchor_sides=SIDES, confidence=0.5, nms_iou=0.4)[0]
    np.testing.assert_allclose(faces.boxes, [[40, 60, 200, 180]], atol=1e-3)
    np.testing.assert_allclose(faces.landmarks, points * torch.tensor([4.0, 3.0]), atol=1e-3)


def test_images_of_a_batch_do_not_mix() -> None:
    first = heads_for(torch.tensor([[10.0, 10, 50, 50]]), [0.9])
    nothing = heads_for(torch.zeros(0, 4), [])
    second = heads_for(torch.tensor([[11.0, 10, 51, 50], [100, 100, 150, 150]]), [0.8, 0.7])
    heads = tuple(torch.cat(parts) for parts in zip(first, nothing, second, strict=True))
    found = select_faces(heads, PLAIN, anchor_sides=SIDES, confidence=0.5, nms_iou=0.4)  # type: ignore[arg-type]
    assert [len(faces) for faces in found] == [1, 0, 2]
    assert found[1].boxes.shape == (0, 4)
    assert found[1].landmarks.shape == (0, 5, 2)
    assert found[0].boxes.dtype == np.float32


def test_outputs_of_another_size_are_refused() -> None:
    heads = crafted_heads(0)
    with pytest.raises(ValueError, match="anchors"):
        select_faces(heads, FrameGeometry(64, 64, 64, 64), anchor_sides=SIDES, confidence=0.5, nms_iou=0.4)


def test_selecting_faces_keeps_their_parts_together() -> None:
    boxes = torch.tensor([[10.0, 10, 50, 50], [100, 100, 140, 150]])
    faces = select_faces(heads_for(boxes, [0.8, 0.9]), PLAIN, anchor_sides=SIDES, confidence=0.5, nms_iou=0.4)[0]
    sure = faces.select(faces.scores > 0.85)
    np.testing.assert_allclose(sure.boxes, boxes[[1]], atol=1e-3)
    assert len(sure) == len(sure.landmarks) == 1
