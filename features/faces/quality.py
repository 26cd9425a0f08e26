"""How sharp and how bright a face crop is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of the grey crop, in squared grey levels (0 to 255) per squared pixel.

    Parameters
    ----------
    crop
        uint8 RGB (H, W, 3). Crops of one size compare; sharpness changes with it, and with the camera's noise.

    Returns
    -------
    float
        0 for an even surface. On aligned 224x224 crops of webcam recordings roughly: under 20 blurred, over 100 sharp.

    References
    ----------
    Pech-Pacheco J. L. et al. (2000). Diatom autofocusing in brightfield microscopy: a comparative study. ICPR.
    doi:10.1109/ICPR.2000.903548
    """
    return float(cv2.Laplacian(_grey(crop), cv2.CV_64F).var())


def brightness(crop: NDArray[np.uint8]) -> float:
    """Return the mean luma (ITU-R BT.601) of an RGB crop (H, W, 3), 0 black to 255 white."""
    return float(_grey(crop).mean())


def _grey(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or crop.size == 0:
        raise ValueError(f"Expected an RGB crop (height, width, 3) of dtype uint8, got {crop.shape} {crop.dtype}.")
    return cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
