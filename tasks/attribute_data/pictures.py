"""Decoding image files of a data set; damaged ones are named, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

UNREADABLE: Final = "file cannot be read"
DAMAGED: Final = "damaged image"

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG", b"IEND"


def read_picture(path: Path) -> NDArray[np.uint8] | str:
    """Decode an image file.

    Parameters
    ----------
    path
        JPEG, PNG or another format that OpenCV reads.

    Returns
    -------
    ndarray or str
        uint8 RGB (H, W, 3), turned upright where the file says so; or the reason why there is none.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return UNREADABLE
    if not data or _is_cut_off(data):
        return DAMAGED
    try:
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # a header that promises more pixels than OpenCV allows
        return DAMAGED
    if decoded is None or min(decoded.shape[:2]) < 2:
        return DAMAGED
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end: decoders fill what is missing with grey and only print a warning."""
    if data.startswith(_JPEG_START):
        scan = data.rfind(_JPEG_SCAN)  # of the picture itself: a thumbnail in the header has an end of its own
        return scan < 0 or data.find(_JPEG_END, scan) < 0
    if data.startswith(_PNG_START):
        return _PNG_END not in data[-64:]
    return False
