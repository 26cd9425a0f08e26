"""The simulated study: its plan, and the differences planted in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.synthetic.cohort import GROUPS, plan_cohort, sample_temperament
from features.synthetic.planted_effects import (
    PLANTED_EFFECTS,
    PopulationValue,
    measure_effect,
    population_values,
)
from features.synthetic.sessions import default_script, simulate_session


@pytest.fixture(scope="module")
def values() -> dict[str, PopulationValue]:
    return population_values(n_per_group=150)


def test_planted_differences_have_their_sign_and_size(values: dict[str, PopulationValue]) -> None:
    for effect in PLANTED_EFFECTS:
        value = values[effect.name]
        assert value.difference == pytest.approx(value.mean_asd - value.mean_td)
        if effect.direction:
            assert effect.direction * value.difference > 10 * value.standard_error
            assert 1.5 < abs(value.cohens_d) < 3.2


def test_control_is_zero(values: dict[str, PopulationValue]) -> None:
    control = next(effect for effect in PLANTED_EFFECTS if effect.direction == 0)
    assert abs(values[control.name].difference) < 3 * values[control.name].standard_error


def test_joy_effect_follows_from_the_planted_shares(values: dict[str, PopulationValue]) -> None:
    """Smiles fill 36 and 66 % of the clip; lips that stretch meanwhile (10 % of the time) hide some of them."""
    assert values["joy_smile"].difference == pytest.approx(-0.30 * 0.9, abs=0.04)


def test_statistic_counts_valid_frames_of_the_segment() -> None:
    effect = next(effect for effect in PLANTED_EFFECTS if effect.name == "joy_smile")
    script = default_script(15.0)  # joy from 3.0 to 7.2 s
    frames = pd.DataFrame({"time_s": np.arange(15.0), "AU12": [0.0] * 3 + [1.0, 0.0, 1.0, np.nan, 1.0] + [1.0] * 7})
    assert measure_effect(effect, frames, script) == pytest.approx(3 / 4)
    frames["valid"] = frames["time_s"] != 3.0
    assert measure_effect(effect, frames, script) == pytest.approx(2 / 3)
    frames["valid"] = False
    assert np.isnan(measure_effect(effect, frames, script))


def test_truth_table_gives_about_the_planted_share() -> None:
    plan = plan_cohort(1, seed=3)[0]
    session = simulate_session(plan.identity, seed=plan.seed, temperament=plan.temperament, n_losses=0)
    effect = PLANTED_EFFECTS[0]
    share = measure_effect(effect, session.frames, session.script)
    assert share == pytest.approx(plan.temperament.joy_smile, abs=0.25)


def test_plan_is_balanced_and_reproducible() -> None:
    plans = plan_cohort(12, seed=5)
    assert [plan.participant_id for plan in plans] == [f"{k:03d}" for k in range(1, 25)]
    assert [sum(plan.group == group for plan in plans) for group in GROUPS] == [12, 12]
    for group in GROUPS:
        assert sum(plan.sex == "F" for plan in plans if plan.group == group) == 6
    assert all(4 <= plan.age_years <= 12 for plan in plans)
    assert len({plan.seed for plan in plans}) == 24
    assert any(plan.second_person for plan in plans)
    assert plans == plan_cohort(12, seed=5)
    assert plans != plan_cohort(12, seed=6)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="group"):
        sample_temperament("XX", np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 1"):
        plan_cohort(0)
