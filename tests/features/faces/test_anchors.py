"""Anchors against retinaface-pytorch's, and encodings against their definition."""

from __future__ import annotations

import pytest
import torch

from features.faces.anchors import anchor_grid, decode_boxes, decode_landmarks, encode_boxes, encode_landmarks
from features.faces.retinaface import SPECS

SIDES = SPECS["retinaface-resnet50"].anchor_sides


@pytest.mark.parametrize(("height", "width"), [(360, 640), (427, 640), (33, 47)])
def test_anchors_equal_those_of_the_package(height: int, width: int) -> None:
    prior_box = pytest.importorskip("retinaface.prior_box", reason="retinaface-pytorch is not installed")
    theirs = prior_box.priorbox([list(pair) for pair in SIDES], [8, 16, 32], clip=False, image_size=(height, width))
    # Theirs are fractions of the image in float32.
    theirs = theirs * torch.tensor([width, height, width, height])
    torch.testing.assert_close(anchor_grid(height, width, SIDES), theirs, rtol=1e-5, atol=1e-3)


def test_anchors_of_a_size_are_computed_once() -> None:
    assert anchor_grid(96, 128, SIDES) is anchor_grid(96, 128, SIDES)


def test_an_empty_image_has_no_anchors_to_give() -> None:
    with pytest.raises(ValueError, match="height 0"):
        anchor_grid(0, 640, SIDES)


def test_an_anchor_encodes_itself_as_zero() -> None:
    anchors = anchor_grid(64, 64, SIDES)
    boxes = torch.cat((anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2), dim=1)
    torch.testing.assert_close(encode_boxes(boxes, anchors), torch.zeros(len(anchors), 4), rtol=0, atol=1e-5)


def test_box_encoding_follows_its_definition() -> None:
    anchor = torch.tensor([[100.0, 50.0, 20.0, 20.0]])
    box = torch.tensor([[94.0, 30.0, 114.0, 70.0]])  # centre (104, 50), size 20 x 40
    expected = torch.tensor([[4 / 2.0, 0.0, 0.0, 0.6931472 / 0.2]])
    torch.testing.assert_close(encode_boxes(box, anchor), expected)


def test_decoding_undoes_encoding() -> None:
    generator = torch.Generator().manual_seed(5)
    anchors = anchor_grid(96, 64, SIDES)
    corner = torch.rand(len(anchors), 2, generator=generator) * 60
    boxes = torch.cat((corner, corner + 5 + torch.rand(len(anchors), 2, generator=generator) * 90), dim=1)
    landmarks = torch.rand(len(anchors), 5, 2, generator=generator) * 90
    torch.testing.assert_close(decode_boxes(encode_boxes(boxes, anchors), anchors), boxes, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(
        decode_landmarks(encode_landmarks(landmarks, anchors), anchors), landmarks, rtol=1e-4, atol=1e-3
    )
