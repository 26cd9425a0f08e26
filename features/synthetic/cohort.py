"""A simulated study of autistic and non-autistic children with planted, documented differences.

The differences are ARBITRARY TEST VALUES. They were chosen so that a correct analysis must find them and a wrong one
will not; they are no clinical findings, and nothing about autistic children may be concluded from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.synthetic.au_dynamics import Segment, Temperament
from features.synthetic.identity import Identity, sample_identity
from features.synthetic.sessions import default_script

GROUPS = ("ASD", "TD")
"""Children with ASD (the positive group) and typically developing children."""


@dataclass(frozen=True, slots=True)
class TraitDistribution:
    """Normal distribution of one trait of `Temperament` in both groups, clipped to `low`..`high`."""

    trait: str
    mean_asd: float
    mean_td: float
    spread: float
    low: float
    high: float

    def mean(self, group: str) -> float:
        """Mean of a group before clipping."""
        return self.mean_asd if group == "ASD" else self.mean_td


TRAITS: tuple[TraitDistribution, ...] = (
    TraitDistribution("joy_smile", 0.36, 0.66, 0.14, 0.06, 0.93),
    TraitDistribution("surprise_share", 0.28, 0.54, 0.12, 0.06, 0.90),
    TraitDistribution("sadness_share", 0.40, 0.40, 0.12, 0.06, 0.80),
    TraitDistribution("baseline_frown", 0.42, 0.14, 0.13, 0.0, 0.85),
    TraitDistribution("stretch_share", 0.10, 0.10, 0.03, 0.0, 0.25),
    TraitDistribution("smile_share", 0.05, 0.05, 0.03, 0.0, 0.20),
    TraitDistribution("blinks_per_minute", 14.0, 14.0, 3.0, 5.0, 25.0),
)
"""How the traits are distributed. Only joy_smile, surprise_share and baseline_frown differ between the groups."""


@dataclass(frozen=True, slots=True)
class ParticipantPlan:
    """One simulated child.

    `seed` fixes the session, `identity` the looks; `sex` is ``"F"`` or ``"M"``; `nonverbal_iq` is a covariate without
    any effect.
    """

    participant_id: str
    group: str
    age_years: float
    sex: str
    nonverbal_iq: int
    identity: Identity
    temperament: Temperament
    seed: int
    script: tuple[Segment, ...]
    second_person: bool


def sample_temperament(group: str, rng: np.random.Generator) -> Temperament:
    """Draw a child's responsiveness.

    Raises
    ------
    ValueError
        If `group` is not one of `GROUPS`.
    """
    if group not in GROUPS:
        raise ValueError(f"Expected a group of {GROUPS}, got {group!r}")
    values = {
        trait.trait: float(np.clip(rng.normal(trait.mean(group), trait.spread), trait.low, trait.high))
        for trait in TRAITS
    }
    return Temperament(**values)


def plan_cohort(
    n_per_group: int = 12, seed: int = 2019, *, script: Sequence[Segment] | None = None
) -> list[ParticipantPlan]:
    """Plan a study of `n_per_group` children with ASD and as many without.

    Parameters
    ----------
    n_per_group
        Children per group, at least 1.
    seed
        Fixes everything.
    script
        Stimulus that all watch; by default 15 seconds of `default_script`.

    Returns
    -------
    list of ParticipantPlan
        In random order of groups, ``participant_id`` "001", "002", ...; ages 4 to 12, both sexes in both groups; about
        every third session has an experimenter in the picture.
    """
    if n_per_group < 1:
        raise ValueError(f"Expected at least 1 child per group, got {n_per_group}")
    rng = np.random.default_rng(seed)
    stimulus = default_script() if script is None else tuple(script)
    order = rng.permutation(np.repeat(np.arange(len(GROUPS)), n_per_group))
    count = dict.fromkeys(GROUPS, 0)
    plans = []
    for number, group_index in enumerate(order, start=1):
        group = GROUPS[group_index]
        count[group] += 1
        age = float(np.round(rng.uniform(4, 12), 1))
        sex = "F" if count[group] % 2 else "M"
        plans.append(
            ParticipantPlan(
                participant_id=f"{number:03d}",
                group=group,
                age_years=age,
                sex=sex,
                nonverbal_iq=int(np.clip(rng.normal(100, 13), 70, 135)),
                identity=sample_identity(rng, age_years=age, sex="female" if sex == "F" else "male"),
                temperament=sample_temperament(group, rng),
                seed=int(rng.integers(2**31)),
                script=stimulus,
                second_person=bool(rng.random() < 0.33),
            )
        )
    return plans
