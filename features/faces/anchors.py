"""Anchor boxes of RetinaFace in network-input pixels, and the encoding of boxes and landmarks relative to them.

References
----------
.. [1] Liu W. et al. (2016). SSD: single shot multibox detector. ECCV. doi:10.1007/978-3-319-46448-0_2
.. [2] Deng J. et al. (2020). RetinaFace. CVPR. doi:10.1109/CVPR42600.2020.00525
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from features.faces.retinaface import STRIDES, AnchorSides

CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2


@lru_cache(maxsize=32)
def anchor_grid(height: int, width: int, sides: AnchorSides, device: str = "cpu") -> Tensor:
    """Return all anchors of an image size, cached because every frame of a video shares one size.

    Parameters
    ----------
    height, width
        Size of the network's input in pixels.
    sides
        Sides of the square anchors of one cell in pixels, for strides 8, 16 and 32.
    device
        Where the tensor lives.

    Returns
    -------
    torch.Tensor
        float32 (anchors, 4): centre x, centre y, width, height in pixels; level by level, row by row, cell by
        cell, smaller anchor first. Do not write into it: it is shared.

    Raises
    ------
    ValueError
        If a side is not positive.

    Examples
    --------
    >>> anchor_grid(32, 32, ((16, 32), (64, 128), (256, 512)))[:3].tolist()
    [[4.0, 4.0, 16.0, 16.0], [4.0, 4.0, 32.0, 32.0], [12.0, 4.0, 16.0, 16.0]]
    """
    if height < 1 or width < 1:
        raise ValueError(f"Expected an image of at least 1x1 pixels, got height {height} and width {width}.")
    levels = []
    for stride, pair in zip(STRIDES, sides, strict=True):
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        centre_y = (torch.arange(rows, dtype=torch.float32) + 0.5) * stride
        centre_x = (torch.arange(columns, dtype=torch.float32) + 0.5) * stride
        side = torch.tensor(pair, dtype=torch.float32)
        grid_y, grid_x, grid_side = torch.meshgrid(centre_y, centre_x, side, indexing="ij")
        levels.append(torch.stack((grid_x, grid_y, grid_side, grid_side), dim=-1).reshape(-1, 4))
    return torch.cat(levels).to(device)


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Express boxes (n, 4) ``x1 y1 x2 y2`` relative to anchors (n, 4); the inverse of `decode_boxes`.

    Notes
    -----
    Centre offset over anchor size over 0.1; logarithm of the size ratio over 0.2 [1]_.
    """
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    sizes = boxes[..., 2:] - boxes[..., :2]
    offsets = (centres - anchors[..., :2]) / (CENTRE_VARIANCE * anchors[..., 2:])
    return torch.cat((offsets, torch.log(sizes / anchors[..., 2:]) / SIZE_VARIANCE), dim=-1)


def decode_boxes(encoded: Tensor, anchors: Tensor) -> Tensor:
    """Turn predictions (n, 4) relative to anchors (n, 4) into boxes ``x1 y1 x2 y2`` in pixels."""
    centres = anchors[..., :2] + encoded[..., :2] * CENTRE_VARIANCE * anchors[..., 2:]
    sizes = anchors[..., 2:] * torch.exp(encoded[..., 2:] * SIZE_VARIANCE)
    corner = centres - sizes / 2
    return torch.cat((corner, corner + sizes), dim=-1)


def encode_landmarks(landmarks: Tensor, anchors: Tensor) -> Tensor:
    """Express landmarks (n, 5, 2) in pixels relative to anchors (n, 4), as (n, 10)."""
    offsets = landmarks - anchors[..., None, :2]
    return (offsets / (CENTRE_VARIANCE * anchors[..., None, 2:])).flatten(-2)


def decode_landmarks(encoded: Tensor, anchors: Tensor) -> Tensor:
    """Turn predictions (n, 10) relative to anchors (n, 4) into landmarks (n, 5, 2) in pixels."""
    offsets = encoded.reshape(*encoded.shape[:-1], 5, 2)
    return anchors[..., None, :2] + offsets * CENTRE_VARIANCE * anchors[..., None, 2:]
