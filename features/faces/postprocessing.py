"""From raw RetinaFace outputs to faces in source pixels: threshold, decode, suppress overlaps, scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import nms

from features.faces.anchors import anchor_grid, decode_boxes, decode_landmarks
from features.faces.retinaface import AnchorSides, RawHeads


@dataclass(frozen=True, slots=True)
class Detections:
    """The faces of one frame, best score first.

    Attributes
    ----------
    boxes
        float32 (n, 4), ``x1 y1 x2 y2`` in source pixels. As predicted: may reach beyond the frame.
    scores
        float32 (n,), probability of a face, 0 to 1.
    landmarks
        float32 (n, 5, 2), x and y in source pixels of the eye on the image's left, the eye on its right, the nose
        tip, the mouth corner on the image's left and the one on its right.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.integer]) -> Detections:
        """Return the faces of a mask (n,) or of indices, in their order."""
        return Detections(self.boxes[chosen], self.scores[chosen], self.landmarks[chosen])


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """Sizes in pixels of the source frame and of the network input made from it."""

    source_height: int
    source_width: int
    input_height: int
    input_width: int


def select_faces(
    heads: RawHeads,
    geometry: FrameGeometry,
    *,
    anchor_sides: AnchorSides,
    confidence: float,
    nms_iou: float,
) -> list[Detections]:
    """Turn the raw outputs of a batch into faces.

    Parameters
    ----------
    heads
        Encoded boxes (n, anchors, 4), class logits (n, anchors, 2), encoded landmarks (n, anchors, 10).
    geometry
        Sizes shared by all images of the batch.
    anchor_sides
        Of the detector's spec.
    confidence
        Keep scores strictly above this, 0 to 1.
    nms_iou
        Of two boxes that overlap by more than this intersection over union, only the better stays.

    Returns
    -------
    list of Detections
        One entry an image.

    Notes
    -----
    Only anchors above the threshold are decoded: of about 4,700 at 640x360 a face lights up a few dozen. Boxes that
    begin at or beyond the right or lower edge are dropped, the rule of ``retinaface-pytorch``.
    """
    encoded_boxes, logits, encoded_landmarks = heads
    anchors = anchor_grid(geometry.input_height, geometry.input_width, anchor_sides, str(logits.device))
    if anchors.shape[0] != logits.shape[1]:
        raise ValueError(
            f"Expected outputs for the {anchors.shape[0]} anchors of a {geometry.input_width}x"
            f"{geometry.input_height} input, got {logits.shape[1]}."
        )
    scores = torch.softmax(logits, dim=-1)[..., 1]
    image_index, anchor_index = torch.nonzero(scores > confidence, as_tuple=True)
    scores = scores[image_index, anchor_index]
    anchors = anchors[anchor_index]
    boxes = decode_boxes(encoded_boxes[image_index, anchor_index], anchors)
    landmarks = decode_landmarks(encoded_landmarks[image_index, anchor_index], anchors)

    faces = []
    counts = torch.bincount(image_index, minlength=logits.shape[0]).tolist()
    for box, score, points in zip(
        torch.split(boxes, counts), torch.split(scores, counts), torch.split(landmarks, counts), strict=True
    ):
        kept = nms(box, score, nms_iou)
        faces.append(_scale_to_source(box[kept], score[kept], points[kept], geometry))
    return faces


def _scale_to_source(boxes: Tensor, scores: Tensor, landmarks: Tensor, geometry: FrameGeometry) -> Detections:
    scale = torch.tensor(
        (
            geometry.source_width / geometry.input_width,
            geometry.source_height / geometry.input_height,
        ),
        device=boxes.device,
    )
    boxes = boxes * scale.repeat(2)
    edges = torch.tensor((geometry.source_width - 1, geometry.source_height - 1), device=boxes.device)
    inside = (boxes[:, :2] < edges).all(dim=1)
    return Detections(
        boxes=boxes[inside].cpu().numpy(),
        scores=scores[inside].cpu().numpy(),
        landmarks=(landmarks[inside] * scale).cpu().numpy(),
    )
