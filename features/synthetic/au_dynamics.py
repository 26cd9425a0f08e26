"""How action units move over time: events with onset, apex and offset, blinks, and responses to stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.synthetic.expressions import AU_INDEX, N_AUS, prototype_units

Units = NDArray[np.float64]

TRIAL_TYPES = ("baseline", "joy", "surprise", "sadness")
"""Kinds of stimulus segments to which a simulated participant responds."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of the stimulus: when it is shown (seconds), its kind, and which clip it is."""

    onset_s: float
    duration_s: float
    trial_type: str
    stim_id: str

    @property
    def end_s(self) -> float:
        """Time at which the segment is over; it does not belong to it."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True, slots=True)
class Temperament:
    """How one participant responds. Shares are fractions of a segment's time, 0..1.

    Parameters
    ----------
    joy_smile
        Share of a joy segment spent smiling (AU6, AU12, mostly AU25).
    surprise_share
        Share of a surprise segment with raised brows (AU1, AU2) and dropped jaw (AU25, AU26).
    sadness_share
        Share of a sadness segment with AU1, AU4 and AU17.
    baseline_frown
        Share of a baseline segment with a lowered brow (AU4).
    stretch_share
        Share of the whole session with stretched lips (AU20).
    smile_share
        Share of the time outside joy and baseline with brief smiles.
    blinks_per_minute
        Rate of blinks.
    """

    joy_smile: float = 0.60
    surprise_share: float = 0.50
    sadness_share: float = 0.40
    baseline_frown: float = 0.15
    stretch_share: float = 0.06
    smile_share: float = 0.05
    blinks_per_minute: float = 14.0


@dataclass(frozen=True, slots=True, eq=False)
class UnitEvent:
    """Units that rise together from `onset_s` within `attack_s`, stay for `hold_s` and fade within `decay_s`."""

    onset_s: float
    attack_s: float
    hold_s: float
    decay_s: float
    au_left: Units
    au_right: Units

    def profile(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the apex, 0..1, at each time; smooth at both ends."""
        rise = np.clip((time_s - self.onset_s) / self.attack_s, 0, 1)
        fall = np.clip((time_s - self.onset_s - self.attack_s - self.hold_s) / self.decay_s, 0, 1)
        return np.asarray(_smooth_step(rise) * (1 - _smooth_step(fall)))


def _smooth_step(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x * x * (3 - 2 * x)


def sum_events(events: Sequence[UnitEvent], time_s: NDArray[np.float64]) -> tuple[Units, Units]:
    """Intensities (n, 12) of the left and right side; where events overlap the stronger one counts."""
    left, right = np.zeros((len(time_s), N_AUS)), np.zeros((len(time_s), N_AUS))
    for event in events:
        profile = event.profile(time_s)[:, None]
        np.maximum(left, profile * event.au_left, out=left)
        np.maximum(right, profile * event.au_right, out=right)
    return left, right


def simulate_units(
    script: Sequence[Segment], temperament: Temperament, time_s: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Units, Units]:
    """Action units of a participant who watches a stimulus.

    Parameters
    ----------
    script
        Segments of the stimulus; `trial_type` is one of `TRIAL_TYPES`.
    temperament
        The participant's responsiveness.
    time_s
        Times of the frames (n,), seconds.
    rng
        Source of latencies, strengths and spontaneous movements.

    Returns
    -------
    au_left, au_right : ndarray, shape (n, 12), float64
        0..1; left is the SUBJECT's left.

    Raises
    ------
    ValueError
        If a segment is of an unknown kind.
    """
    events: list[UnitEvent] = []
    for segment in script:
        if segment.trial_type not in TRIAL_TYPES:
            raise ValueError(f"Expected a trial_type of {TRIAL_TYPES}, got {segment.trial_type!r}")
        events += _respond(segment, temperament, rng)
    end_s = max((segment.end_s for segment in script), default=0.0)
    events += _spread_events(0.0, end_s, temperament.stretch_share, {"AU20": 0.9}, rng, typical_s=0.55)
    events += _spontaneous(end_s, rng)
    left, right = sum_events(events, time_s)
    _settle_conflicts(left)
    _settle_conflicts(right)
    blinks_left, blinks_right = sum_events(_blinks(end_s, temperament.blinks_per_minute, rng), time_s)
    return np.maximum(left, blinks_left), np.maximum(right, blinks_right)


def _respond(segment: Segment, temperament: Temperament, rng: np.random.Generator) -> list[UnitEvent]:
    start, end = segment.onset_s, segment.end_s
    if segment.trial_type == "baseline":
        return _spread_events(start, end, temperament.baseline_frown, {"AU04": 0.9}, rng, typical_s=0.9)
    if segment.trial_type == "joy":
        return [_response(segment, "happy", temperament.joy_smile, 0.35, rng)]
    brief = _spread_events(start, end, temperament.smile_share, {"AU06": 0.6, "AU12": 0.8}, rng, typical_s=0.6)
    if segment.trial_type == "surprise":
        return [_response(segment, "surprise", temperament.surprise_share, 0.18, rng), *brief]
    return [_response(segment, "sad", temperament.sadness_share, 0.45, rng), *brief]


def _response(segment: Segment, expression: str, share: float, attack_s: float, rng: np.random.Generator) -> UnitEvent:
    """One expression for a share of the segment, after a latency; half strength is reached in mid-attack."""
    seconds = float(np.clip(share, 0.04, 0.93)) * segment.duration_s
    attack = min(attack_s * rng.uniform(0.8, 1.2), 0.8 * seconds)
    decay = attack * rng.uniform(1.0, 1.4)
    hold = max(seconds - 0.5 * (attack + decay), 0.0)
    slack = segment.duration_s - (attack + hold + decay)
    latency = float(np.clip(rng.gamma(4.0, 0.08), 0.0, max(slack, 0.0)))
    left, right = prototype_units(expression, rng.uniform(0.85, 1.0), with_optional=bool(rng.random() < 0.8))
    imbalance = 1 + rng.normal(0, 0.03, N_AUS)
    left, right = np.clip(left * imbalance, 0, 1), np.clip(right / imbalance, 0, 1)
    return UnitEvent(segment.onset_s + latency, attack, hold, decay, left, right)


def _spread_events(
    start_s: float, end_s: float, share: float, units: dict[str, float], rng: np.random.Generator, *, typical_s: float
) -> list[UnitEvent]:
    """Short events of the given units that together fill a share of the time, spread at random without overlap."""
    total = float(np.clip(share, 0.0, 0.9)) * (end_s - start_s)
    if total < 0.1:
        return []
    n = max(1, round(total / typical_s))
    lengths = total * rng.dirichlet(np.full(n, 12.0))
    gaps = (end_s - start_s - total) * rng.dirichlet(np.full(n + 1, 2.0))
    apex = np.zeros(N_AUS)
    for name, value in units.items():
        apex[AU_INDEX[name]] = value
    events, clock = [], start_s
    for gap, length in zip(gaps[:-1], lengths, strict=True):
        clock += gap
        ramp = min(0.16, 0.45 * length)
        strength = np.clip(apex * rng.uniform(0.92, 1.1), 0, 1)
        # Intensity passes 0.5 a little after mid-ramp, so the events are stretched by a ramp.
        events.append(UnitEvent(clock - 0.5 * ramp, ramp, length - ramp + 0.02, ramp, strength, strength.copy()))
        clock += length
    return events


def _spontaneous(end_s: float, rng: np.random.Generator) -> list[UnitEvent]:
    """Faint movements below the presence threshold, and now and then the lips part."""
    events = []
    for _ in range(int(rng.poisson(0.5 * end_s))):
        apex = np.zeros(N_AUS)
        apex[rng.integers(N_AUS - 1)] = rng.uniform(0.05, 0.25)
        side = rng.uniform(0.7, 1.0)
        times = (rng.uniform(0, end_s), rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.8), rng.uniform(0.1, 0.4))
        events.append(UnitEvent(*times, apex, apex * side))
    for _ in range(int(rng.poisson(0.05 * end_s))):
        apex = np.zeros(N_AUS)
        apex[AU_INDEX["AU25"]] = rng.uniform(0.6, 0.9)
        events.append(UnitEvent(rng.uniform(0, end_s), 0.2, rng.uniform(0.2, 0.7), 0.25, apex, apex))
    return events


def _blinks(end_s: float, per_minute: float, rng: np.random.Generator) -> list[UnitEvent]:
    apex = np.zeros(N_AUS)
    apex[AU_INDEX["AU43"]] = 1.0
    events, clock = [], 0.0
    while per_minute > 0:
        clock += 0.3 + rng.exponential(60.0 / per_minute)
        if clock >= end_s:
            break
        events.append(UnitEvent(clock, 0.07, rng.uniform(0.05, 0.12), 0.11, apex, apex))
    return events


def _settle_conflicts(units: Units) -> None:
    """A dropped jaw undoes the chin raise and stretched lips weaken the smile, in place."""
    jaw, chin, smile, stretch = (AU_INDEX[name] for name in ("AU26", "AU17", "AU12", "AU20"))
    units[:, chin] *= 1 - np.clip(units[:, jaw], 0, 1)
    units[:, smile] *= 1 - 0.75 * np.clip(units[:, stretch], 0, 1)
