"""Smooth random movement of head and eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wander(time_s: Array, rng: np.random.Generator, *, spread: float, pace_s: float, limit: float) -> Array:
    """Random walk (n,) around zero: an Ornstein-Uhlenbeck process, smoothed by a second relaxation.

    Parameters
    ----------
    time_s
        Evenly spaced times (n,), seconds.
    spread
        Standard deviation before the smoothing, in the unit of the result.
    pace_s
        Time constant in seconds.
    limit
        Largest absolute value.
    """
    n = len(time_s)
    step = float(time_s[1] - time_s[0]) if n > 1 else 1.0
    keep = np.exp(-step / pace_s)
    follow = 1 - np.exp(-step / (0.15 * pace_s))
    kicks = rng.standard_normal(n) * spread * np.sqrt(1 - keep**2)
    walk, smooth = np.empty(n), np.empty(n)
    walk[0] = smooth[0] = rng.standard_normal() * spread
    for k in range(1, n):
        walk[k] = keep * walk[k - 1] + kicks[k]
        smooth[k] = smooth[k - 1] + follow * (walk[k] - smooth[k - 1])
    return np.clip(smooth, -limit, limit)


def random_gaze(time_s: Array, rng: np.random.Generator, *, dwell_s: float = 0.8) -> Array:
    """Direction of gaze (n, 2), -1..1, that jumps about every `dwell_s` seconds as saccades do."""
    gaze = np.empty((len(time_s), 2))
    target, until = rng.normal(0, [0.25, 0.18]), 0.0
    for k, now in enumerate(time_s):
        if now >= until:
            target = np.clip(rng.normal(0, [0.28, 0.20]), -0.8, 0.8)
            until = now + rng.exponential(dwell_s) + 0.15
        gaze[k] = target
    return gaze
