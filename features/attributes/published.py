"""Figures that Li et al. (2019) report of the attribute network, in one table.

References
----------
Li, Mehta, Aneja, Foster, Ventola, Shic & Shapiro (2019). A facial affect analysis system for autism spectrum disorder, figure 2a.
https://doi.org/10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Mode = Literal["single-task", "multi-task"]

SOURCE: Final = "Li et al. (2019), figure 2a"


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of figure 2a; a single-task row is four networks.

    Attributes
    ----------
    unit, mode
        Which row.
    parameters_m
        Millions of weights.
    macs_g
        Thousand millions of multiply-accumulates for one image of 224 x 224; the paper heads the column FLOPs.
    expression_macro_f1
        F1 of the expressions on AffectNet's validation set, 0 to 1; which mean of the classes is not stated.
    au_f1_accuracy
        Mean over the action units of (F1 + accuracy) / 2 on EmotioNet, 0 to 1.
    valence_pearson, arousal_pearson
        Correlation on AffectNet's validation set.
    """

    unit: str
    mode: Mode
    parameters_m: float
    macs_g: float
    expression_macro_f1: float
    au_f1_accuracy: float
    valence_pearson: float
    arousal_pearson: float


FIGURE_2: Final = (
    PublishedRow("bottleneck", "single-task", 25.9, 3.4, 0.56, 0.78, 0.63, 0.54),
    PublishedRow("mobilenet", "single-task", 24.8, 3.1, 0.57, 0.77, 0.64, 0.52),
    PublishedRow("eesp", "single-task", 9.7, 1.2, 0.57, 0.76, 0.64, 0.52),
    PublishedRow("bottleneck", "multi-task", 6.5, 0.85, 0.58, 0.75, 0.68, 0.61),
    PublishedRow("mobilenet", "multi-task", 6.2, 0.78, 0.58, 0.75, 0.68, 0.62),
    PublishedRow("eesp", "multi-task", 2.4, 0.29, 0.58, 0.75, 0.69, 0.61),
)
"""In the order of the paper."""

MEASURES: Final = ("expression_macro_f1", "au_f1_accuracy", "valence_pearson", "arousal_pearson")
"""Measures of the figure, by the names of `features.attributes.tallies.score_sums`."""


def find_row(unit: str, mode: Mode) -> PublishedRow | None:
    """The published row of a unit; None where there is none."""
    return next((row for row in FIGURE_2 if (row.unit, row.mode) == (unit, mode)), None)
