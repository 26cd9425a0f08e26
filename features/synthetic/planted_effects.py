"""The differences planted between the groups of the simulated study, and how large they are in the population.

ARBITRARY TEST VALUES, no clinical findings: see `features.synthetic.cohort`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.facs import EMOTIONET_AUS
from features.synthetic.au_dynamics import Segment, simulate_units
from features.synthetic.cohort import sample_temperament
from features.synthetic.expressions import POSITIVE_INTENSITY, mean_units, valence_arousal
from features.synthetic.sessions import default_script, frame_times


@dataclass(frozen=True, slots=True)
class PlantedEffect:
    """A statistic of a participant's frames in which the groups differ by design.

    Parameters
    ----------
    name, description
        Short name, and a sentence for reports.
    signal
        Column of the truth table and of frame tables: an AU, ``"valence"`` or ``"arousal"``.
    trial_type
        Segment that counts, or None for the whole session.
    threshold
        The statistic is the share of frames in which the signal is above it (truth tables: at or above).
    direction
        Sign of the difference ASD minus TD: -1, +1, or 0 for the control.
    """

    name: str
    description: str
    signal: str
    trial_type: str | None
    threshold: float
    direction: int

    @property
    def statistic(self) -> str:
        """The statistic in words."""
        where = f"of the {self.trial_type} segment" if self.trial_type else "of the session"
        return f"fraction of frames {where} with {self.signal} >= {self.threshold:g}"


PLANTED_EFFECTS: tuple[PlantedEffect, ...] = (
    PlantedEffect(
        "joy_smile", "children with ASD smile for less of the joy clip", "AU12", "joy", POSITIVE_INTENSITY, -1
    ),
    PlantedEffect(
        "positive_valence", "children with ASD show positive valence for less of the session", "valence", None, 0.0, -1
    ),
    PlantedEffect(
        "surprise_brow",
        "children with ASD raise the inner brows for less of the surprise clip",
        "AU01",
        "surprise",
        POSITIVE_INTENSITY,
        -1,
    ),
    PlantedEffect(
        "baseline_frown",
        "children with ASD lower the brows for more of the baseline",
        "AU04",
        "baseline",
        POSITIVE_INTENSITY,
        1,
    ),
    PlantedEffect("lip_stretch", "control: no difference in stretched lips", "AU20", None, POSITIVE_INTENSITY, 0),
)
"""Four planted differences and a planted zero."""


@dataclass(frozen=True, slots=True)
class PopulationValue:
    """Value of an effect's statistic in both populations.

    `difference` is ASD minus TD; `cohens_d` divides it by the pooled standard deviation between children;
    `standard_error` is that of the simulated difference.
    """

    mean_asd: float
    mean_td: float
    difference: float
    cohens_d: float
    standard_error: float


def measure_effect(effect: PlantedEffect, frames: pd.DataFrame, script: Sequence[Segment]) -> float:
    """Statistic of one participant.

    Parameters
    ----------
    effect
        What to measure.
    frames
        A truth table or a frame table: ``time_s`` and the effect's signal; rows count where ``valid`` (or
        ``face_present``) is true, if there is such a column.
    script
        Segments of the stimulus.

    Returns
    -------
    float
        0..1; NaN where no frame counts.
    """
    time_s = frames["time_s"].to_numpy(dtype=float)
    signal = frames[effect.signal].to_numpy(dtype=float)
    counts = np.isfinite(signal)
    for column in ("valid", "face_present"):
        if column in frames.columns:
            counts &= frames[column].to_numpy(dtype=bool)
    return _share(effect, time_s, signal, counts, script)


def _share(
    effect: PlantedEffect,
    time_s: NDArray[np.float64],
    signal: NDArray[np.float64],
    counts: NDArray[np.bool_],
    script: Sequence[Segment],
) -> float:
    if effect.trial_type is not None:
        shown = np.zeros(len(time_s), dtype=bool)
        for segment in script:
            if segment.trial_type == effect.trial_type:
                shown |= (time_s >= segment.onset_s - 1e-9) & (time_s < segment.end_s - 1e-9)
        counts = counts & shown
    if not counts.any():
        return float("nan")
    return float((signal[counts] >= effect.threshold).mean())


@lru_cache(maxsize=8)
def population_values(
    *, n_per_group: int = 400, seed: int = 1, script: tuple[Segment, ...] | None = None
) -> dict[str, PopulationValue]:
    """Population values of `PLANTED_EFFECTS`, by simulating many children without rendering them.

    Parameters
    ----------
    n_per_group
        Simulated children per group.
    seed
        Fixes the simulation.
    script
        Stimulus; by default `default_script`.

    Returns
    -------
    dict
        Effect name -> `PopulationValue`.
    """
    stimulus = default_script() if script is None else script
    samples = {
        group: np.array([_simulated_statistics(group, stimulus, [seed, k, index]) for k in range(n_per_group)])
        for index, group in enumerate(("ASD", "TD"))
    }
    asd, td = samples["ASD"], samples["TD"]
    difference = asd.mean(axis=0) - td.mean(axis=0)
    variances = asd.var(axis=0, ddof=1), td.var(axis=0, ddof=1)
    pooled = np.sqrt(0.5 * (variances[0] + variances[1]))
    error = np.sqrt((variances[0] + variances[1]) / n_per_group)
    return {
        effect.name: PopulationValue(
            mean_asd=float(asd[:, k].mean()),
            mean_td=float(td[:, k].mean()),
            difference=float(difference[k]),
            cohens_d=float(difference[k] / pooled[k]),
            standard_error=float(error[k]),
        )
        for k, effect in enumerate(PLANTED_EFFECTS)
    }


def _simulated_statistics(group: str, script: tuple[Segment, ...], seed: list[int]) -> list[float]:
    rng = np.random.default_rng(seed)
    time_s = frame_times(script)
    left, right = simulate_units(script, sample_temperament(group, rng), time_s, rng)
    mean = mean_units(left, right)
    valence, arousal = valence_arousal(left, right)
    signals = {name: mean[:, k] for k, name in enumerate(EMOTIONET_AUS)}
    signals |= {"valence": valence, "arousal": arousal}
    everything = np.ones(len(time_s), dtype=bool)
    return [_share(effect, time_s, signals[effect.signal], everything, script) for effect in PLANTED_EFFECTS]
