"""Judges' ratings of rendered sessions, with a known relation between action units and atypicality.

The weights are ARBITRARY TEST VALUES, no clinical findings: see `features.synthetic.cohort`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd

from features.synthetic.au_dynamics import Segment

RENDERED_WEIGHTS: Final[dict[str, float]] = {"AU04": 3.0, "AU12": -1.5}
"""Points that a segment's atypicality gains from a unit at full intensity throughout; all other units say nothing."""

BASE_ATYPICALITY: Final = 2.3
"""Atypicality of a segment in which neither unit is there, in points of the scale."""

PERSON_SD: Final = 0.15
"""Standard deviation, in points, of what judges see in a participant and the units do not show."""

JUDGE_SD: Final = 0.5
"""Standard deviation of a judge's error, in points, before the rating is rounded."""

JUDGES: Final = ("J1", "J2", "J3", "J4", "J5")

SEGMENT_S: Final = 1.5
"""Length that rated segments come near to, in seconds; each part of the stimulus is cut into equal ones."""


def rate_session(truth: pd.DataFrame, script: Sequence[Segment], *, seed: int) -> pd.DataFrame:
    """Cut a rendered session into segments and have five judges rate them.

    Parameters
    ----------
    truth
        Truth table of the session: `frame`, `time_s`, `face_present`, and the units of `RENDERED_WEIGHTS`.
    script
        Parts of the stimulus; no segment crosses them.
    seed
        Of the participant's offset and the judges' errors.

    Returns
    -------
    DataFrame
        One row a segment: ``start_frame``, ``end_frame`` (both within it), ``atypicality`` (float, what judges see before
        their errors, 1 to 5), and a column for each of `JUDGES` (int, 1 to 5). Frames in which the face is away are not
        seen by the judges; a segment without any other is not rated.

    Notes
    -----
    Atypicality is `BASE_ATYPICALITY` plus the weighted mean intensity of the units over the segment, plus the
    participant's offset. A rating is that plus the judge's error, rounded and held to the scale.
    """
    rng = np.random.default_rng([seed, 5])
    offset = rng.normal(0, PERSON_SD)
    rows = []
    for part in script:
        n_parts = max(1, round(part.duration_s / SEGMENT_S))
        edges = part.onset_s + part.duration_s * np.arange(n_parts + 1) / n_parts
        for begin, end in pairwise(edges):
            own = truth[(truth["time_s"] >= begin - 1e-9) & (truth["time_s"] < end - 1e-9)]
            noise = rng.normal(0, JUDGE_SD, len(JUDGES))
            seen = own[own["face_present"].astype(bool)]
            if seen.empty:
                continue
            gain = sum(weight * float(seen[unit].mean()) for unit, weight in RENDERED_WEIGHTS.items())
            atypicality = float(np.clip(BASE_ATYPICALITY + gain + offset, 1, 5))
            ratings = np.clip(np.rint(atypicality + noise), 1, 5).astype(int)
            rows.append((int(own["frame"].iloc[0]), int(own["frame"].iloc[-1]), atypicality, *ratings.tolist()))
    return pd.DataFrame(rows, columns=["start_frame", "end_frame", "atypicality", *JUDGES])
