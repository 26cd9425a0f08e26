"""Effect sizes against formulas written out, pingouin, and coverage in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stats.effect_sizes import cliffs_delta, hedges_g, normal_quantile, probability_of_superiority, rank_biserial

# R: datasets::sleep, extra hours of sleep under two drugs
DRUG_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
DRUG_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_hedges_g_by_hand() -> None:
    # means 0 and 2, both variances 2.5 and 10 equal in size: pooled sd 2.5; J(8) = Γ(4) / (2 Γ(3.5)) = 0.90270...
    a = np.array([-2.0, -1, 0, 1, 2])
    b = np.array([-4.0, -2, 0, 2, 4]) + 2
    pooled = np.sqrt((2.5 * 4 + 10 * 4) / 8)
    correction = 6 / (2 * (15 / 8) * np.sqrt(np.pi))
    assert hedges_g(a, b).value == pytest.approx(-2 / pooled * correction, rel=1e-9)


def test_hedges_g_agrees_with_pingouin() -> None:
    pingouin = pytest.importorskip("pingouin")
    # pingouin uses the approximation 1 - 3 / (4 df - 1) of the correction: equal to three digits at 18 degrees
    expected = pingouin.compute_effsize(DRUG_1, DRUG_2, eftype="hedges")
    assert hedges_g(DRUG_1, DRUG_2).value == pytest.approx(expected, abs=1e-3)


def test_interval_of_hedges_g_inverts_the_noncentral_t() -> None:
    result = hedges_g(DRUG_1, DRUG_2)
    pooled = np.sqrt((DRUG_1.var(ddof=1) + DRUG_2.var(ddof=1)) / 2)
    correction = result.value / ((DRUG_1.mean() - DRUG_2.mean()) / pooled)
    t = stats.ttest_ind(DRUG_1, DRUG_2).statistic
    for end, tail in ((result.low, 0.975), (result.high, 0.025)):
        assert stats.nct.cdf(t, 18, end / correction / np.sqrt(1 / 10 + 1 / 10)) == pytest.approx(tail, abs=1e-6)
    assert result.low < result.value < result.high


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0, 12.0])
def test_interval_of_hedges_g_is_finite_and_mirrors(shift: float) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(shift, 1, 25), rng.normal(0, 1, 20)
    one, other = hedges_g(a, b), hedges_g(b, a)
    assert np.isfinite([one.low, one.high]).all()
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [([1.0], [2.0]), ([], [1.0, 2.0, 3.0]), ([1.0, 1.0], [2.0, 2.0])])
def test_hedges_g_undefined(a: list[float], b: list[float]) -> None:
    assert np.isnan(hedges_g(a, b).value)


def test_variance_is_that_of_hanley_and_mcneil() -> None:
    # Hanley & McNeil 1982: 51 abnormal and 58 normal readings, area .893, standard error .032
    z = normal_quantile(0.95)
    interval = probability_of_superiority(0.893, 51, 58)
    for theta in (interval.low, interval.high):
        q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
        mean_size = (51 + 58) / 2
        variance = (theta * (1 - theta) + (mean_size - 1) * (q1 + q2 - 2 * theta**2)) / (51 * 58)
        assert abs(theta - 0.893) == pytest.approx(z * np.sqrt(variance), rel=1e-6)
    assert (interval.high - interval.low) / (2 * z) == pytest.approx(0.032, abs=0.003)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_interval_of_superiority_covers(shift: float) -> None:
    # P(a > b) of two normals with unit variance is Φ(shift / √2); 1,000 samples: 0.95 ± 3.1 standard errors of 0.0069
    truth = stats.norm.cdf(shift / np.sqrt(2))
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(1000):
        a, b = rng.normal(shift, 1, 15), rng.normal(0, 1, 12)
        interval = probability_of_superiority(float((a[:, None] > b).mean()), 15, 12)
        covered += interval.low <= truth <= interval.high
    assert 0.93 <= covered / 1000 <= 0.985


def test_full_separation_keeps_its_width() -> None:
    assert (rank_biserial(9.0, 3, 3).value, rank_biserial(9.0, 3, 3).high) == (1.0, 1.0)
    assert -0.2 < rank_biserial(9.0, 3, 3).low < 0.6
    assert rank_biserial(0.0, 3, 3).low == -1.0
    # one against one: the root of (θ - 1)² = z² θ (1 - θ) is 1 / (1 + z²)
    assert probability_of_superiority(1.0, 1, 1).low == pytest.approx(1 / (1 + normal_quantile(0.95) ** 2))


def test_rank_biserial_mirrors() -> None:
    one, other = rank_biserial(30.0, 8, 6), rank_biserial(18.0, 8, 6)
    assert one.value == pytest.approx(0.25)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="confidence level"):
        normal_quantile(1.0)
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        probability_of_superiority(1.5, 3, 3)
    assert np.isnan(rank_biserial(0.0, 0, 3).value)
    assert np.isnan(probability_of_superiority(0.5, 0, 3).value)


def test_hedges_g_figures_of_r() -> None:
    # R 4.2.2, effectsize 0.8.3: hedges_g(sleep$extra[1:10], sleep$extra[11:20]); its interval is found numerically, to 1e-6
    result = hedges_g(DRUG_1, DRUG_2)
    assert result.value == pytest.approx(-0.7969352391911223, abs=1e-9)
    assert (result.low, result.high) == pytest.approx((-1.6651716663254206, 0.0914077686652717), abs=1e-5)


def test_cliffs_delta_by_its_definition() -> None:
    # Feng & Cliff (2004), equations 2 to 7, over the matrix of dominances
    rng = np.random.default_rng(11)
    a, b = rng.integers(0, 6, 17).astype(float), rng.integers(1, 8, 11).astype(float)
    d = np.sign(a[:, None] - b[None, :])
    delta = d.mean()
    of_a = ((d.mean(axis=1) - delta) ** 2).sum() / 16
    of_b = ((d.mean(axis=0) - delta) ** 2).sum() / 10
    variance = (10 * of_a + 16 * of_b + ((d - delta) ** 2).mean()) / (17 * 11)
    z = stats.norm.ppf(0.975)
    root = z * np.sqrt(variance) * np.sqrt((1 - delta**2) ** 2 + z**2 * variance)
    scale = 1 - delta**2 + z**2 * variance
    result = cliffs_delta(a, b)
    assert result.value == pytest.approx(delta)
    assert result.low == pytest.approx((delta - delta**3 - root) / scale)
    assert result.high == pytest.approx((delta - delta**3 + root) / scale)


def test_cliffs_delta_is_the_rank_biserial() -> None:
    # R 4.2.2, effectsize 0.8.3: cliffs_delta of depression after ecstasy and alcohol (Field, 2009): .29 and .92
    sunday = cliffs_delta([15, 35, 16, 18, 19, 17, 27, 16, 13, 20], [16, 15, 20, 15, 16, 13, 14, 19, 18, 18])
    wednesday = cliffs_delta([28, 35, 35, 24, 39, 32, 27, 29, 36, 35], [5, 6, 30, 8, 9, 7, 6, 17, 3, 10])
    assert (sunday.value, wednesday.value) == pytest.approx((0.29, 0.92))
    assert wednesday.value == pytest.approx(rank_biserial(96, 10, 10).value)
    swapped = cliffs_delta([16, 15, 20, 15, 16, 13, 14, 19, 18, 18], [15, 35, 16, 18, 19, 17, 27, 16, 13, 20])
    assert (swapped.value, swapped.low, swapped.high) == pytest.approx((-sunday.value, -sunday.high, -sunday.low))


def test_cliffs_delta_of_groups_that_separate() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    result = cliffs_delta([5.0] * 10, [1.0] * 20)
    assert (result.value, result.low, result.high) == pytest.approx((1, (10 - z2) / (10 + z2), 1))
    assert cliffs_delta([1.0] * 20, [5.0] * 10).high == pytest.approx(-result.low)
    assert np.isnan(cliffs_delta([1.0], [2.0, 3.0]).value)
    assert cliffs_delta([1.0, 1.0], [1.0, 1.0]).value == 0


def test_cliffs_interval_covers() -> None:
    # shifted normal groups of 20 and 15: P(a > b) = Φ(.8 / √2); 95 % of 1000 within 3 standard errors of .0069
    rng = np.random.default_rng(12)
    truth = 2 * stats.norm.cdf(0.8 / np.sqrt(2)) - 1
    intervals = [cliffs_delta(rng.normal(0.8, 1, 20), rng.normal(0, 1, 15)) for _ in range(1000)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.925 < covered < 0.975
