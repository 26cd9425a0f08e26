"""The equations in participants' sums against statsmodels' GEE over frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from stats.clustered_models import estimate_group_effect
from stats.frame_tests import compare_frames


def make_frames(n_people: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.DataFrame]:
    """Activity of frames, participant of each, whether in the first group, age and sex."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(n_people), rng.integers(20, 60, n_people))
    is_a = np.arange(n_people) % 2 == 0
    rate = 1 / (1 + np.exp(-(rng.normal(0, 1, n_people) + 0.5 * is_a)))
    covariates = pd.DataFrame({"age": rng.normal(5, 1, n_people), "male": rng.integers(0, 2, n_people)})
    return (rng.random(len(people)) < rate[people]).astype(float), people, is_a, covariates


@pytest.mark.parametrize("family", ["binomial", "gaussian"])
@pytest.mark.parametrize("working", ["independence", "exchangeable"])
@pytest.mark.parametrize("adjusted", [False, True])
def test_agrees_with_statsmodels_over_frames(family, working, adjusted) -> None:
    active, people, is_a, covariates = make_frames()
    frames = compare_frames(pd.DataFrame({"AU12": active}), pd.Series(people), pd.Series(is_a[people]))
    result = estimate_group_effect(
        frames.sums["AU12"], frames.participants["n_frames"], frames.participants["is_a"],
        covariates=covariates if adjusted else None, family=family, working=working,
    )  # fmt: skip
    parts = [np.ones(len(people)), is_a[people], *(covariates.to_numpy()[people].T if adjusted else ())]
    expected = sm.GEE(
        active, np.column_stack(parts), groups=people,
        family=sm.families.Binomial() if family == "binomial" else sm.families.Gaussian(),
        cov_struct=sm.cov_struct.Exchangeable() if working == "exchangeable" else sm.cov_struct.Independence(),
    ).fit(cov_type="bias_reduced", ctol=1e-10, maxiter=200)  # fmt: skip
    assert result.estimate == pytest.approx(expected.params[1], abs=1e-8)
    assert result.t == pytest.approx(expected.params[1] / expected.bse[1], abs=1e-7)
    assert result.df == 20 - len(parts)
    assert result.p == pytest.approx(2 * stats.t.sf(abs(result.t), result.df))
    assert result.ci_high - result.estimate == pytest.approx(stats.t.ppf(0.975, result.df) * expected.bse[1], abs=1e-7)
    if working == "exchangeable":
        assert result.within_correlation == pytest.approx(expected.cov_struct.dep_params, abs=1e-7)


def test_continuous_attributes_need_their_squares() -> None:
    _, people, is_a, _ = make_frames()
    rng = np.random.default_rng(5)
    valence = rng.normal(size=len(people)) + rng.normal(size=20)[people]
    by_person = pd.Series(valence).groupby(people)
    result = estimate_group_effect(
        by_person.sum(),
        by_person.size(),
        pd.Series(is_a),
        family="gaussian",
        squares=pd.Series(valence**2).groupby(people).sum(),
    )
    expected = sm.GEE(
        valence,
        np.column_stack([np.ones(len(people)), is_a[people]]),
        groups=people,
        cov_struct=sm.cov_struct.Exchangeable(),
    ).fit(cov_type="bias_reduced", ctol=1e-10, maxiter=200)
    assert result.estimate == pytest.approx(expected.params[1], abs=1e-8)
    assert result.within_correlation == pytest.approx(expected.cov_struct.dep_params, abs=1e-7)


def test_the_estimate_is_a_difference_of_rates_or_of_log_odds() -> None:
    sums, n = pd.Series([10.0, 30.0, 5.0, 10.0]), pd.Series([50, 50, 50, 50])
    is_a = pd.Series([True, True, False, False])
    linear = estimate_group_effect(sums, n, is_a, family="gaussian")
    assert linear.estimate == pytest.approx(0.4 - 0.15)
    logistic = estimate_group_effect(sums, n, is_a)
    assert logistic.estimate == pytest.approx(np.log(0.4 / 0.6) - np.log(0.15 / 0.85))


def test_what_cannot_be_fitted_says_why() -> None:
    n, is_a = pd.Series([50] * 6), pd.Series([True, True, True, False, False, False])
    some = pd.Series([1.0, 5.0, 9.0, 3.0, 4.0, 8.0])

    def note(sums, covariates=None, people=slice(None), **options):
        result = estimate_group_effect(sums[people], n[people], is_a[people], covariates=covariates, **options)
        assert np.isnan([result.estimate, result.p, result.ci_low]).all()
        return result.note

    assert note(some * 0) == "the same value in all frames"
    assert "infinite" in note(some.where(is_a, 0.0))
    assert estimate_group_effect(some.where(is_a, 0.0), n, is_a, family="gaussian").note == ""
    assert note(some, people=[0, 1, 2, 3]) == "too few participants: 3 and 1 for 2 coefficients"
    assert "determine each other" in note(some, pd.DataFrame({"site": is_a.astype(float)}))
    assert "no variation" in note(pd.Series([5.0] * 3 + [9.0] * 3))


def test_covariates_that_are_missing_or_constant() -> None:
    sums, n = pd.Series([1.0, 5.0, 9.0, 3.0, 4.0, 8.0]), pd.Series([50] * 6)
    is_a = pd.Series([True, True, True, False, False, False])
    age = pd.DataFrame({"age": [4.0, 5.0, np.nan, 3.0, 6.0, 5.0]})
    result = estimate_group_effect(sums, n, is_a, covariates=age)
    assert (result.n_a, result.n_b, result.df) == (2, 3, 2)
    plain = estimate_group_effect(sums, n, is_a)
    assert estimate_group_effect(sums, n, is_a, covariates=pd.DataFrame({"site": [1.0] * 6})) == plain


def test_arguments_are_checked() -> None:
    one = pd.Series([1.0, 2.0])
    with pytest.raises(ValueError, match="same participants"):
        estimate_group_effect(one, one, pd.Series([True, False], index=[5, 6]))
    with pytest.raises(ValueError, match="one frame or more"):
        estimate_group_effect(one, one * 0, pd.Series([True, False]))
