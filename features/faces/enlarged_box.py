"""Face crops by a data set's own boxes, as Li et al. (2019) prepared the images that their networks learned from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

ENLARGEMENT = 0.3
"""How far each side of the box moves outwards, in widths or heights of the box: the crop is 1.6 times the box."""


def enlarge_box(
    box: NDArray[np.floating], *, width: int, height: int, enlargement: float = ENLARGEMENT
) -> tuple[int, int, int, int]:
    """Part of a picture that belongs to an enlarged box.

    Parameters
    ----------
    box
        ``x1 y1 x2 y2`` in pixels; infinite values stand for the edge of the picture.
    width, height
        Of the picture in pixels.
    enlargement
        How far each side moves outwards, in widths or heights of the box.

    Returns
    -------
    tuple of int
        ``left, top, right, bottom`` in whole pixels, right and bottom excluded, within the picture.

    Raises
    ------
    ValueError
        If the box is empty or not known, or nothing of it lies in the picture.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    if not (x2 > x1 and y2 > y1):
        raise ValueError(f"Expected a box with x1 < x2 and y1 < y2, got {[x1, y1, x2, y2]}.")
    more_x, more_y = enlargement * (x2 - x1), enlargement * (y2 - y1)
    left, right = (round(float(np.clip(x, 0, width))) for x in (x1 - more_x, x2 + more_x))
    top, bottom = (round(float(np.clip(y, 0, height))) for y in (y1 - more_y, y2 + more_y))
    if right <= left or bottom <= top or x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        raise ValueError(f"Expected a box in a picture of {width}x{height} pixels, got {[x1, y1, x2, y2]}.")
    return left, top, right, bottom


def crop_enlarged_box(
    picture: NDArray[np.uint8], box: NDArray[np.floating], *, size: int, enlargement: float = ENLARGEMENT
) -> NDArray[np.uint8]:
    """Cut an enlarged box out of a picture and bring it to a square; a box that is not square is stretched.

    Parameters
    ----------
    picture
        uint8 RGB (H, W, 3).
    box, enlargement
        See `enlarge_box`.
    size
        Side of the crop in pixels.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (size, size, 3).

    Raises
    ------
    ValueError
        If the box is empty or not known, or nothing of it lies in the picture.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = enlarge_box(box, width=width, height=height, enlargement=enlargement)
    # Area averaging, because bilinear sampling skips pixels where it shrinks.
    shrinks = right - left > size or bottom - top > size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture[top:bottom, left:right], (size, size), interpolation=how).astype(np.uint8, copy=False)
