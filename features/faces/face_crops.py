"""How a found face is cut for the attribute network; training and extraction cut alike."""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from features.faces.alignment import align_face, crop_box
from features.faces.enlarged_box import crop_enlarged_box

CropMode = Literal["aligned", "box", "enlarged_box"]

CROP_MODES: Final[dict[CropMode, str]] = {
    "aligned": "turned upright by five landmarks",
    "box": "the square around the face box, not turned",
    "enlarged_box": "the face box with each side moved outwards by 0.3 of it, brought to a square, not turned",
}
"""What each mode shows."""

BOX_CROP: Final = 512
"""Side of the crop of mode ``box`` in pixels, before it is reduced to what the network sees (Hugging Rain Man)."""


def cut_face(
    picture: NDArray[np.uint8],
    box: NDArray[np.floating],
    landmarks: NDArray[np.floating],
    *,
    mode: CropMode,
    size: int,
) -> NDArray[np.uint8]:
    """Cut a face out of a picture.

    Parameters
    ----------
    picture
        uint8 RGB (H, W, 3).
    box
        ``x1 y1 x2 y2`` in pixels.
    landmarks
        (5, 2) in pixels: left eye, right eye, nose, left and right corner of the mouth.
    mode
        See `CROP_MODES`.
    size
        Side of the crop in pixels.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (size, size, 3).

    Raises
    ------
    ValueError
        If landmarks coincide, or the box is empty or outside the picture.
    """
    if mode == "aligned":
        return align_face(picture, landmarks, size=size)
    if mode == "enlarged_box":
        return crop_enlarged_box(picture, box, size=size)
    whole = crop_box(picture, box, size=BOX_CROP)
    return cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
