"""What the sections on predicted atypicality are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtypicalityTables:
    """Tables of the atypicality step, for the group report.

    Attributes
    ----------
    performance, signals, moments, segments, folds
        ``desc-..._atypicality``; None where the step could not run.
    problem
        Why not.
    planted
        Unit -> weight by which the ratings of a rendered study were drawn; empty otherwise.
    """

    performance: pd.DataFrame | None = None
    signals: pd.DataFrame | None = None
    moments: pd.DataFrame | None = None
    segments: pd.DataFrame | None = None
    folds: pd.DataFrame | None = None
    problem: str = ""
    planted: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtypicalityTrack:
    """Predicted atypicality of one recording.

    Attributes
    ----------
    frames
        ``desc-atypicality_beh``: `model`, `frame`, `prediction`, `sd_repeats`.
    segments
        Rated segments of the recording: `start_frame`, `end_frame`, `mean`.
    """

    frames: pd.DataFrame
    segments: pd.DataFrame
