"""Rated expression segments with a known relation between action units and atypicality.

Of the size and shape of Hugging Rain Man: 22 binary units, segments of consecutive frames, five judges on a scale of 1 to 5.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

UNITS: Final = (
    "AU01", "AU02", "AU04", "AU06", "AU07", "AU43", "AU09", "AU10", "AU12", "AU14", "AU15",
    "AU16", "AU17", "AU18", "AU19", "AU20", "AU23", "AU24", "AU25", "AU27", "AU28", "AU32",
)  # fmt: skip
"""The 22 units of the published regression, in the order of its label files; AU19 and AU32 are descriptors."""

PLANTED_WEIGHTS: Final[dict[str, float]] = {"AU09": 1.6, "AU20": 1.2, "AU12": -1.0}
"""What a segment's rating gains from a unit that is there throughout; all other units say nothing."""

JUDGES: Final = 5
_SEGMENT_FRAMES: Final = 86  # 131,758 frames in 1,535 segments


def simulate_rated_frames(
    n_asd: int,
    n_td: int,
    *,
    segments: int = 16,
    strength: float = 1.0,
    person_sd: float = 0.25,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate the rated frames of a study.

    Parameters
    ----------
    n_asd, n_td
        Participants of each group; 66 and 32 with 16 segments are as many windows as Hugging Rain Man has.
    segments
        Segments of each participant, of 10 to 162 frames.
    strength
        Factor on `PLANTED_WEIGHTS`; 0 leaves no relation.
    person_sd
        Standard deviation, in points, of what judges see in a participant and the units do not show.
    seed
        Of everything.

    Returns
    -------
    DataFrame
        One row a frame: ``participant_id``, ``group``, ``segment`` (int32), ``frame`` (int32, with gaps between segments),
        `UNITS` (float32, 0 or 1), ``rating`` (mean of five whole ratings of 1 to 5, the same throughout a segment).
    """
    rng = np.random.default_rng(seed)
    people = [f"asd{number:03d}" for number in range(n_asd)] + [f"td{number:03d}" for number in range(n_td)]
    parts = [
        _simulate_participant(rng, name, segments=segments, strength=strength, person_sd=person_sd) for name in people
    ]
    return pd.concat(parts, ignore_index=True)


def _simulate_participant(
    rng: np.random.Generator, name: str, *, segments: int, strength: float, person_sd: float
) -> pd.DataFrame:
    group = "ASD" if name.startswith("asd") else "TD"
    # two in five segments of children with ASD hold units that look odd, one in eight of the others
    odd_share = 0.4 if group == "ASD" else 0.12
    offset = rng.normal(0, person_sd)
    sizes = rng.integers(10, 2 * _SEGMENT_FRAMES - 9, segments)
    starts = np.cumsum(np.concatenate([[0], sizes[:-1] + rng.integers(5, 60, segments - 1)]))
    parts = []
    for number, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        shares = rng.beta(0.5, 2.5, len(UNITS))
        odd = rng.random() < odd_share
        for unit, weight in PLANTED_WEIGHTS.items():
            shares[UNITS.index(unit)] = rng.beta(4, 2) if odd == (weight > 0) else rng.beta(1, 9)
        active = _draw_bouts(rng, shares, int(size))
        gain = sum(weight * active[:, UNITS.index(unit)].mean() for unit, weight in PLANTED_WEIGHTS.items())
        seen = 1.6 + strength * gain + offset
        rating = np.clip(np.rint(seen + rng.normal(0, 0.5, JUDGES)), 1, 5).mean()
        table = pd.DataFrame(active, columns=list(UNITS))
        table.insert(0, "participant_id", name)
        table.insert(1, "group", group)
        table.insert(2, "segment", np.int32(number))
        table.insert(3, "frame", (start + np.arange(size)).astype(np.int32))
        parts.append(table.assign(rating=rating))
    return pd.concat(parts, ignore_index=True)


def _draw_bouts(rng: np.random.Generator, shares: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Units on and off in bouts of half a second: (size, units), 0 or 1, on for about their share of the frames."""
    bout = 15
    n_bouts = size // bout + 2
    on = rng.random((n_bouts, len(shares))) < shares
    shift = rng.integers(0, bout, len(shares))
    rows = (np.arange(size)[:, None] + shift) // bout
    return np.take_along_axis(on, rows, axis=0).astype(np.float32)
