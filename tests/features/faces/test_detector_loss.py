"""Training of the detector: matching, loss and loop on cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from features.faces.anchors import anchor_grid, encode_boxes, encode_landmarks
from features.faces.retinaface import SPECS, RawHeads, build_network
from features.faces.training import (
    AnchorTargets,
    LabelledImages,
    detection_loss,
    initialise_weights,
    match_anchors,
    match_batch,
    train_detector,
)

NAME = "retinaface-mobilenet0.25"
SPEC = SPECS[NAME]
POINTS = torch.tensor([[[24.0, 26], [40, 26], [32, 34], [26, 42], [38, 42]]])
FACE = torch.tensor([[16.0, 16, 48, 48]])


def test_a_face_the_size_of_an_anchor_goes_to_that_anchor() -> None:
    anchors = anchor_grid(64, 64, SPEC.anchor_sides)
    exact = int(((anchors - torch.tensor([40.0, 40, 32, 32])).abs().sum(dim=1)).argmin())
    box = torch.tensor([[24.0, 24, 56, 56]])
    targets = match_anchors(box, POINTS, torch.tensor([True]), anchors)
    assert targets.labels[exact] == 1
    torch.testing.assert_close(targets.boxes[exact], torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(targets.landmarks[exact], encode_landmarks(POINTS, anchors[[exact]])[0])


def test_positives_are_those_with_iou_035_and_the_best_of_each_face() -> None:
    anchors = anchor_grid(96, 96, SPEC.anchor_sides)
    corners = torch.cat((anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2), dim=1)
    thin = torch.tensor([[30.0, 4, 34, 90]])  # overlaps no square anchor by 0.35
    targets = match_anchors(thin, POINTS, torch.tensor([True]), anchors)
    shared = (torch.minimum(corners[:, 2:], thin[:, 2:]) - torch.maximum(corners[:, :2], thin[:, :2])).clamp(min=0)
    area = shared.prod(dim=1)
    iou = area / ((corners[:, 2:] - corners[:, :2]).prod(dim=1) + 4 * 86 - area)
    assert iou.max() < 0.35
    assert targets.labels.nonzero()[:, 0].tolist() == [int(iou.argmax())]


def test_a_hidden_face_is_neither_asked_for_nor_forbidden() -> None:
    anchors = anchor_grid(64, 64, SPEC.anchor_sides)
    seen = match_anchors(FACE, POINTS, torch.tensor([True]), anchors).labels
    hidden = match_anchors(FACE, POINTS, torch.tensor([False]), anchors).labels
    assert (hidden == 1).sum() == 0
    assert ((hidden == -1) == (seen == 1)).all()


def test_an_image_without_faces_is_background() -> None:
    images = LabelledImages(
        pixels=np.zeros((2, 64, 64, 3), np.uint8),
        boxes=[np.zeros((0, 4), np.float32), FACE.numpy()],
        landmarks=[np.zeros((0, 5, 2), np.float32), POINTS.numpy()],
        counted=[np.zeros(0, bool), np.ones(1, bool)],
    )
    targets = match_batch(images, SPEC)
    assert (targets.labels[0] == 0).all()
    assert (targets.labels[1] == 1).any()


def perfect_heads(targets: AnchorTargets) -> RawHeads:
    sure = torch.where(targets.labels == 1, 30.0, -30.0)
    return targets.boxes, torch.stack((-sure, sure), dim=-1), targets.landmarks


def targets_of_one_face() -> AnchorTargets:
    one = match_anchors(FACE, POINTS, torch.tensor([True]), anchor_grid(64, 64, SPEC.anchor_sides))
    return AnchorTargets(one.labels[None], one.boxes[None], one.landmarks[None])


def test_the_right_answer_costs_nothing() -> None:
    targets = targets_of_one_face()
    assert float(detection_loss(perfect_heads(targets), targets).total) == pytest.approx(0, abs=1e-6)


def test_the_parts_of_the_loss_follow_their_definition() -> None:
    targets = targets_of_one_face()
    n_positive = int((targets.labels == 1).sum())
    boxes, _, landmarks = perfect_heads(targets)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(*targets.labels.shape, 2, generator=generator)
    loss = detection_loss((boxes + 0.5, logits, landmarks + 3.0), targets)
    # Smooth L1: 0.5 x 0.5^2 below 1; |x| - beta / 2 above beta = 0.05.
    assert float(loss.box) == pytest.approx(4 * 0.125, rel=1e-5)
    assert float(loss.landmark) == pytest.approx(10 * (3 - 0.025), rel=1e-5)
    error = functional.cross_entropy(logits[0], targets.labels[0], reduction="none")
    background = error[targets.labels[0] == 0].sort(descending=True).values[: 7 * n_positive]
    expected = (error[targets.labels[0] == 1].sum() + background.sum()) / n_positive
    assert float(loss.face) == pytest.approx(float(expected), rel=1e-5)
    assert float(loss.total) == pytest.approx(float(2 * loss.box + loss.face + loss.landmark), rel=1e-6)


def test_ignored_anchors_do_not_count() -> None:
    targets = targets_of_one_face()
    ignored = AnchorTargets(torch.full_like(targets.labels, -1), targets.boxes, targets.landmarks)
    heads = (torch.ones_like(targets.boxes), torch.ones(*targets.labels.shape, 2), torch.ones_like(targets.landmarks))
    assert float(detection_loss(heads, ignored).total) == 0


def test_images_without_faces_alone_still_teach() -> None:
    labels = torch.zeros(2, 100, dtype=torch.long)
    targets = AnchorTargets(labels, torch.zeros(2, 100, 4), torch.zeros(2, 100, 10))
    loss = detection_loss((torch.zeros(2, 100, 4), torch.zeros(2, 100, 2), torch.zeros(2, 100, 10)), targets)
    assert float(loss.total) == pytest.approx(7 * np.log(2), rel=1e-5)


def one_batch() -> LabelledImages:
    """Two pictures, each with a square that stands for a face."""
    pixels = np.full((2, 64, 64, 3), 90, np.uint8)
    pixels[0, 16:48, 16:48] = (230, 180, 150)
    pixels[1, 8:40, 24:56] = (230, 180, 150)
    shift = np.array([8, -8], np.float32)
    boxes = [FACE.numpy(), FACE.numpy() + np.tile(shift, 2)]
    return LabelledImages(pixels, boxes, [POINTS.numpy(), POINTS.numpy() + shift], [np.ones(1, bool)] * 2)


def train(seed: int, n_steps: int) -> tuple[dict[str, torch.Tensor], list[float]]:
    network = build_network(NAME)
    initialise_weights(network, seed=seed)
    losses: list[float] = []
    train_detector(
        network,
        [one_batch()] * n_steps,
        spec=SPEC,
        n_steps=n_steps,
        on_step=lambda _step, loss: losses.append(loss.total.item()),
    )
    assert not network.training
    return network.state_dict(), losses


def test_training_lowers_the_loss_and_repeats_itself() -> None:
    first, losses = train(seed=4, n_steps=12)
    again, _ = train(seed=4, n_steps=12)
    assert len(losses) == 12
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_batches_that_end_early_are_noticed() -> None:
    with pytest.raises(ValueError, match="Expected 3 batches, got 1"):
        train_detector(build_network(NAME), [one_batch()], spec=SPEC, n_steps=3)


def test_a_diverging_run_is_stopped() -> None:
    network = build_network(NAME)
    initialise_weights(network, seed=0)
    with torch.no_grad():
        network.get_parameter("ClassHead.0.conv1x1.bias").fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="step 1"):
        train_detector(network, [one_batch()], spec=SPEC, n_steps=1)


def test_encoded_targets_have_the_scale_that_the_loss_expects() -> None:
    """A shift by a tenth of the anchor is one unit."""
    anchor = torch.tensor([[50.0, 50, 64, 64]])
    box = torch.tensor([[18 + 6.4, 18, 82 + 6.4, 82]])
    torch.testing.assert_close(encode_boxes(box, anchor)[0, 0], torch.tensor(1.0), rtol=1e-4, atol=0)
