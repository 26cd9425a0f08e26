"""Batched face detection on RGB frames."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from features.faces.postprocessing import Detections, FrameGeometry, select_faces
from features.faces.retinaface import (
    DetectorSpec,
    RawHeads,
    build_network,
    find_spec,
    load_published_state,
)

Frames = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]


class FaceDetector:
    """RetinaFace on batches of frames.

    Parameters
    ----------
    network
        A network of `features.faces.retinaface`, with its weights loaded. A copy is kept in inference form (batch
        norms folded into convolutions); the one given stays as it is.
    name
        ``retinaface-mobilenet0.25`` or ``retinaface-resnet50``: settles channel order and normalisation.
    long_side
        Frames whose longer side exceeds this many pixels are shrunk to it before detection; smaller ones are not
        enlarged. Halving it makes detection about four times as fast and loses faces below some 16 pixels of it.
    confidence
        Lowest score of a face (exclusive), 0 to 1.
    nms_iou
        Overlap above which two boxes are one face, 0 to 1.
    device
        A torch device name.

    Raises
    ------
    ValueError
        If a setting is outside its range.

    Examples
    --------
    >>> detector = FaceDetector(build_network("retinaface-mobilenet0.25"), name="retinaface-mobilenet0.25")
    >>> faces = detector.detect(np.zeros((2, 360, 640, 3), dtype=np.uint8))
    >>> len(faces)
    2
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        long_side: int = 640,
        confidence: float = 0.5,
        nms_iou: float = 0.4,
        device: str = "cpu",
    ) -> None:
        self.spec = find_spec(name)
        if long_side < 32:
            raise ValueError(f"Expected a long side of at least 32 pixels, got {long_side}.")
        if not (0 < confidence < 1 and 0 < nms_iou <= 1):
            raise ValueError(f"Expected confidence and nms_iou between 0 and 1, got {confidence} and {nms_iou}.")
        self.name = name
        self.long_side = long_side
        self.confidence = confidence
        self.nms_iou = nms_iou
        self.device = device
        self._network = fold_batch_norms(network).to(device).to(memory_format=torch.channels_last)

    @classmethod
    def from_state_dict(
        cls,
        state_dict: Mapping[str, Tensor],
        *,
        name: str,
        long_side: int = 640,
        confidence: float = 0.5,
        nms_iou: float = 0.4,
        device: str = "cpu",
    ) -> FaceDetector:
        """Build the network `name`, load `state_dict` strictly, and wrap it; see the class for the settings."""
        network = build_network(name)
        load_published_state(network, state_dict)
        return cls(
            network,
            name=name,
            long_side=long_side,
            confidence=confidence,
            nms_iou=nms_iou,
            device=device,
        )

    def detect(self, frames: Frames) -> list[Detections]:
        """Find the faces of each frame.

        Parameters
        ----------
        frames
            uint8 RGB, an array (n, H, W, 3) or a sequence of arrays (H, W, 3), whose sizes may differ. All frames of
            one size go through the network as one batch: the caller's batch size bounds the memory.

        Returns
        -------
        list of Detections
            One entry a frame, in the order given; an empty one where no face was found.

        Raises
        ------
        ValueError
            If a frame is not uint8 of shape (H, W, 3).
        """
        by_size: dict[tuple[int, int], list[int]] = {}
        for index, frame in enumerate(frames):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
                raise ValueError(
                    f"Expected RGB frames (height, width, 3) of dtype uint8, got frame {index} with shape "
                    f"{frame.shape} and dtype {frame.dtype}."
                )
            by_size.setdefault(frame.shape[:2], []).append(index)
        found: dict[int, Detections] = {}
        for (height, width), members in by_size.items():
            resized = np.stack([shrink_frame(frames[i], long_side=self.long_side) for i in members])
            geometry = FrameGeometry(height, width, resized.shape[1], resized.shape[2])
            faces = select_faces(
                self.predict_heads(resized),
                geometry,
                anchor_sides=self.spec.anchor_sides,
                confidence=self.confidence,
                nms_iou=self.nms_iou,
            )
            found.update(zip(members, faces, strict=True))
        return [found[index] for index in range(len(frames))]

    @torch.inference_mode()
    def predict_heads(self, frames: NDArray[np.uint8]) -> RawHeads:
        """Return the network's raw outputs for RGB frames (n, H, W, 3) of the network's input size."""
        pixels = torch.from_numpy(frames).to(self.device)
        boxes, logits, landmarks = self._network(normalise_pixels(pixels, self.spec))
        return boxes, logits, landmarks


def shrink_frame(frame: NDArray[np.uint8], *, long_side: int) -> NDArray[np.uint8]:
    """Shrink a frame so that its longer side is `long_side` pixels; frames that are smaller are returned as is."""
    height, width = frame.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Area averaging, because bilinear sampling skips pixels below half size and small faces alias.
    interpolation = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR
    return cv2.resize(frame, size, interpolation=interpolation).astype(np.uint8, copy=False)


def normalise_pixels(pixels: Tensor, spec: DetectorSpec) -> Tensor:
    """Turn uint8 RGB pixels (n, H, W, 3) into float32 network input (n, 3, H, W), stored channels last."""
    images = pixels.permute(0, 3, 1, 2)
    if spec.channel_order == "BGR":
        images = images.flip(1)
    mean = torch.tensor(spec.mean, device=pixels.device).view(3, 1, 1)
    images = images.to(torch.float32, memory_format=torch.channels_last) - mean
    if spec.std != (1.0, 1.0, 1.0):
        images = images / torch.tensor(spec.std, device=pixels.device).view(3, 1, 1)
    return images


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Return a copy for inference in which each batch norm is merged into the convolution before it.

    Notes
    -----
    In both networks a batch norm is registered directly after the convolution that it normalises, also in
    torchvision's residual blocks; a test holds the outputs to those of the network as given.
    """
    folded = copy.deepcopy(network).eval()
    for parent in list(folded.modules()):
        previous: tuple[str, nn.Module] | None = None
        for child_name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and previous and isinstance(previous[1], nn.Conv2d):
                setattr(parent, previous[0], fuse_conv_bn_eval(previous[1], child))
                setattr(parent, child_name, nn.Identity())
            previous = (child_name, child)
    return folded.requires_grad_(False)
