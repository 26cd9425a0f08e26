"""Training of RetinaFace: which anchor answers for which face, the joint loss, and a plain training loop.

References
----------
.. [1] Deng J. et al. (2020). RetinaFace. CVPR. doi:10.1109/CVPR42600.2020.00525
.. [2] Liu W. et al. (2016). SSD: single shot multibox detector. ECCV. doi:10.1007/978-3-319-46448-0_2
.. [3] Smith L. N. & Topin N. (2019). Super-convergence: very fast training of neural networks using large learning
   rates. doi:10.1117/12.2520589
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import box_convert, box_iou

from features.faces.anchors import anchor_grid, encode_boxes, encode_landmarks
from features.faces.detector import normalise_pixels
from features.faces.retinaface import ANCHORS_PER_CELL, DetectorSpec, RawHeads

MATCH_IOU = 0.35
NEGATIVES_PER_POSITIVE = 7
BOX_WEIGHT, CLASS_WEIGHT, LANDMARK_WEIGHT = 2.0, 1.0, 1.0
LANDMARK_BETA = 0.05
"""Where smooth L1 turns from square to absolute. Far below the usual 1, because 1 is a tenth of the anchor, about a quarter
of the distance between the eyes: errors that still matter would hardly count."""
_FACE, _BACKGROUND, _IGNORED = 1, 0, -1


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """A batch of training images.

    Attributes
    ----------
    pixels
        uint8 RGB (n, H, W, 3).
    boxes
        One float32 array (faces, 4) an image, ``x1 y1 x2 y2`` in pixels; may reach beyond the image.
    landmarks
        One float32 array (faces, 5, 2) an image, in the order of `features.faces.postprocessing.Detections`.
    counted
        One bool array (faces,) an image. A face that is not counted (hardly visible) is neither to be found nor
        a mistake when found.
    """

    pixels: NDArray[np.uint8]
    boxes: list[NDArray[np.float32]]
    landmarks: list[NDArray[np.float32]]
    counted: list[NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class AnchorTargets:
    """What each anchor should say: class (n, anchors), 1 or 0, -1 for either; boxes (.., 4) and landmarks (.., 10)."""

    labels: Tensor
    boxes: Tensor
    landmarks: Tensor


@dataclass(frozen=True, slots=True)
class DetectionLoss:
    """The three parts of the loss, each averaged over the batch's positive anchors, and their weighted sum."""

    box: Tensor
    face: Tensor
    landmark: Tensor

    @property
    def total(self) -> Tensor:
        """The sum in the weights 2 : 1 : 1."""
        return self.weighted(LANDMARK_WEIGHT)

    def weighted(self, landmark_weight: float) -> Tensor:
        """The sum in the weights 2 : 1 : `landmark_weight`."""
        return BOX_WEIGHT * self.box + CLASS_WEIGHT * self.face + landmark_weight * self.landmark


def match_anchors(boxes: Tensor, landmarks: Tensor, counted: Tensor, anchors: Tensor) -> AnchorTargets:
    """Assign the faces of one image to anchors.

    Parameters
    ----------
    boxes
        float32 (faces, 4) in pixels.
    landmarks
        float32 (faces, 5, 2) in pixels.
    counted
        bool (faces,).
    anchors
        float32 (anchors, 4), centre and size.

    Returns
    -------
    AnchorTargets
        Without the batch axis: labels (anchors,), boxes (anchors, 4), landmarks (anchors, 10).

    Notes
    -----
    An anchor answers for the face it overlaps most, if the intersection over union reaches 0.35. Each counted face
    also gets the anchor that overlaps it most, however little, so that none goes unlearned.
    """
    n_anchors = len(anchors)
    if len(boxes) == 0:
        return AnchorTargets(
            torch.full((n_anchors,), _BACKGROUND), torch.zeros(n_anchors, 4), torch.zeros(n_anchors, 10)
        )
    overlap = box_iou(boxes, box_convert(anchors, "cxcywh", "xyxy"))
    best_overlap, face_of_anchor = overlap.max(dim=0)
    labels = torch.where(best_overlap >= MATCH_IOU, _FACE, _BACKGROUND)
    labels[(labels == _FACE) & ~counted[face_of_anchor]] = _IGNORED
    faces = counted.nonzero()[:, 0]
    best_anchor = overlap[faces].argmax(dim=1)
    face_of_anchor[best_anchor] = faces
    labels[best_anchor] = _FACE
    return AnchorTargets(
        labels,
        encode_boxes(boxes[face_of_anchor], anchors),
        encode_landmarks(landmarks[face_of_anchor], anchors),
    )


def match_batch(images: LabelledImages, spec: DetectorSpec) -> AnchorTargets:
    """Run `match_anchors` on each image of a batch and stack the targets."""
    height, width = images.pixels.shape[1:3]
    anchors = anchor_grid(height, width, spec.anchor_sides)
    targets = [
        match_anchors(
            torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            torch.as_tensor(landmarks, dtype=torch.float32).reshape(-1, 5, 2),
            torch.as_tensor(counted, dtype=torch.bool).reshape(-1),
            anchors,
        )
        for boxes, landmarks, counted in zip(images.boxes, images.landmarks, images.counted, strict=True)
    ]
    return AnchorTargets(
        torch.stack([target.labels for target in targets]),
        torch.stack([target.boxes for target in targets]),
        torch.stack([target.landmarks for target in targets]),
    )


def detection_loss(heads: RawHeads, targets: AnchorTargets) -> DetectionLoss:
    """Return the joint loss of a batch.

    Notes
    -----
    Boxes and landmarks: smooth L1 on the encoded values, positive anchors only. Class: cross-entropy on the positive
    anchors and on the seven times as many background anchors that the network gets most wrong, sought over the whole
    batch [2]_: so images without a face teach too.
    """
    encoded_boxes, logits, encoded_landmarks = heads
    positive = targets.labels == _FACE
    n_positive = int(positive.sum())
    norm = max(n_positive, 1)
    class_error = functional.cross_entropy(
        logits.transpose(1, 2), targets.labels.clamp(min=_BACKGROUND), reduction="none"
    )
    background_error = class_error[targets.labels == _BACKGROUND]
    n_hard = min(NEGATIVES_PER_POSITIVE * norm, len(background_error))
    hard_error = background_error.topk(n_hard, sorted=False).values
    return DetectionLoss(
        box=functional.smooth_l1_loss(encoded_boxes[positive], targets.boxes[positive], reduction="sum") / norm,
        face=(class_error[positive].sum() + hard_error.sum()) / norm,
        landmark=functional.smooth_l1_loss(
            encoded_landmarks[positive], targets.landmarks[positive], reduction="sum", beta=LANDMARK_BETA
        )
        / norm,
    )


def initialise_weights(network: nn.Module, *, seed: int) -> None:
    """Set weights for training from scratch, the same for the same seed.

    Notes
    -----
    Convolutions Kaiming-normal, batch norms to identity. The class head starts out saying "background" with
    probability 0.99, because nearly every anchor is: else the first steps drown in background error.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=generator)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            nn.init.zeros_(module.bias)
            if name.startswith("ClassHead"):
                with torch.no_grad():
                    module.bias.copy_(torch.tensor((2.3, -2.3)).repeat(ANCHORS_PER_CELL))
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def train_detector(
    network: nn.Module,
    batches: Iterable[LabelledImages],
    *,
    spec: DetectorSpec,
    n_steps: int,
    learning_rate: float = 4e-3,
    weight_decay: float = 5e-4,
    landmark_weight: float = LANDMARK_WEIGHT,
    on_step: Callable[[int, DetectionLoss], None] | None = None,
) -> None:
    """Train `network` in place and leave it in inference mode.

    Parameters
    ----------
    network
        With initial weights, of `initialise_weights` or published ones.
    batches
        At least `n_steps` batches. All randomness of training lies in them: the same batches and initial weights
        give the same result on one thread.
    spec
        Input format and anchors.
    n_steps
        Number of updates.
    learning_rate
        Highest rate of the one-cycle schedule (AdamW).
    weight_decay
        Of convolution weights; biases and batch norms are not decayed.
    landmark_weight
        Weight of the landmark loss; boxes weigh 2, face or background 1.
    on_step
        Called after each update with the number of updates done and the losses.

    Raises
    ------
    ValueError
        If `batches` ends early.
    FloatingPointError
        If the loss is no longer finite; a lower rate helps.
    """
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}], lr=learning_rate
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps, pct_start=0.15)
    network.train().to(memory_format=torch.channels_last)
    source = iter(batches)
    for step in range(1, n_steps + 1):
        images = next(source, None)
        if images is None:
            raise ValueError(f"Expected {n_steps} batches, got {step - 1}.")
        loss = detection_loss(
            network(normalise_pixels(torch.from_numpy(images.pixels), spec)), match_batch(images, spec)
        )
        if not torch.isfinite(loss.total):
            raise FloatingPointError(f"The loss is not finite at step {step}. Lower learning_rate ({learning_rate}).")
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss.weighted(landmark_weight))
        nn.utils.clip_grad_norm_(network.parameters(), max_norm=10.0)
        optimizer.step()
        schedule.step()
        if on_step is not None:
            on_step(step, loss)
    network.eval()
