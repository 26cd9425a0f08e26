"""Group tests against printed figures of SPSS and R, SciPy, and properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from stats.group_tests import composite_score, mann_whitney, student_t, welch_difference

# Field, A. (2009). Discovering statistics using SPSS, 3rd ed., section 15.3: depression scores after a night out
ECSTASY = pd.DataFrame(
    {
        "sunday": [15, 35, 16, 18, 19, 17, 27, 16, 13, 20],
        "wednesday": [28, 35, 35, 24, 39, 32, 27, 29, 36, 35],
    }
)
ALCOHOL = pd.DataFrame(
    {
        "sunday": [16, 15, 20, 15, 16, 13, 14, 19, 18, 18],
        "wednesday": [5, 6, 30, 8, 9, 7, 6, 17, 3, 10],
    }
)
# R: datasets::sleep
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

values = st.lists(st.integers(0, 5), min_size=1, max_size=12)


def test_figures_that_spss_prints() -> None:
    # SPSS output 15.2 in Field (2009): U 35.500 and 4.000, Z -1.105 and -3.484, two-tailed p .269 and .000
    result = mann_whitney(ECSTASY, ALCOHOL)
    assert result.u.to_dict() == {"sunday": 35.5, "wednesday": 4.0}
    assert result.z.round(3).to_dict() == {"sunday": -1.105, "wednesday": -3.484}
    assert result.p.round(3).to_dict() == {"sunday": 0.269, "wednesday": 0.0}
    assert (result.z_signed > 0).all()
    assert result.rank_biserial["wednesday"] == pytest.approx(1 - 2 * 4 / 100)


def test_figures_of_r_to_nine_digits() -> None:
    # R 4.2.2, coin 1.4.2: statistic(wilcox_test(...)), pvalue(...)
    result = mann_whitney(ECSTASY, ALCOHOL)
    assert result.z_signed.tolist() == pytest.approx([1.10485421055684, 3.48382786655334], abs=1e-9)
    assert result.p.tolist() == pytest.approx([0.269222766115736, 0.000494297282710443], abs=1e-9)
    # R: t.test(sunday, var.equal = TRUE): t, p; t.test(sunday): df, p, interval
    student = student_t(ECSTASY["sunday"], ALCOHOL["sunday"])
    assert (student.t, student.p) == pytest.approx((1.449232028734005, 0.164471816790564), abs=1e-9)
    welch = welch_difference(ECSTASY["sunday"], ALCOHOL["sunday"])
    assert (welch.df, welch.p, welch.ci_low, welch.ci_high) == pytest.approx(
        (11.099090300742862, 0.174932259090353, -1.654632140905387, 8.054632140905392), abs=1e-9
    )


def test_exact_p_where_values_are_few_and_untied() -> None:
    # R: wilcox.test(x, y)$p.value of the example of stats::wilcox.test
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    assert mann_whitney(x, y).p_exact == pytest.approx(0.254412254412254, abs=1e-9)
    assert np.isnan(mann_whitney([*x, 1.15], y).p_exact)  # tied
    assert np.isnan(mann_whitney(np.arange(50.0), [0.5, 1.5]).p_exact)  # many
    both = mann_whitney(
        pd.DataFrame({"x": x[:5], "tied": [1, 1, 2, 2, 3]}), pd.DataFrame({"x": y, "tied": [1, 1, 1, 1, 1]})
    )
    assert both.p_exact.notna().tolist() == [True, False]


def test_p_of_the_published_z() -> None:
    # Ji et al. (2025), table IV: Z -2.236 stands beside P .025; 5 of 5 against 5 of 9 gives it by hand:
    # U = 12.5, σ² = 5·9/12·(15 - Σ(t³-t)/(14·13)) with ties of 10 and 4
    sigma = np.sqrt(45 / 12 * (15 - (990 + 60) / 182))
    result = mann_whitney([1] * 5, [1] * 5 + [0] * 4)
    assert result.u == 12.5
    assert result.z == pytest.approx((12.5 - 22.5) / sigma)
    assert 2 * special.ndtr(-2.236) == pytest.approx(0.025, abs=5e-4)


def test_figure_that_r_prints() -> None:
    # example of stats::wilcox.test (Hollander & Wolfe 1973, p. 69), exact = FALSE, correct = FALSE, one-sided p 0.1103
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    result = mann_whitney(x, y)
    assert result.u == 50 - 35
    assert result.p / 2 == pytest.approx(0.1103, abs=5e-5)


def test_agrees_with_scipy_at_the_size_of_frame_tables() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random(40_000) < 0.31, rng.random(25_000) < 0.30
    expected = stats.mannwhitneyu(a.astype(float), b.astype(float), use_continuity=False, method="asymptotic")
    result = mann_whitney(a, b)
    assert result.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert result.u == min(expected.statistic, 40_000 * 25_000 - expected.statistic)


@settings(max_examples=60, deadline=None)
@given(a=values, b=values)
def test_agrees_with_scipy(a: list[int], b: list[int]) -> None:
    result = mann_whitney(a, b)
    if len({*a, *b}) == 1:
        assert (result.z, result.p) == (0, 1)
    else:
        expected = stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic")
        assert result.p == pytest.approx(expected.pvalue, abs=1e-12)
        assert result.u == min(expected.statistic, len(a) * len(b) - expected.statistic)
    assert result.z == -abs(result.z_signed)


@settings(max_examples=60, deadline=None)
@given(a=values, b=values, seed=st.integers(0, 100))
def test_swapping_groups_turns_the_sign_and_order_does_not_matter(a: list[int], b: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = mann_whitney(a, b), mann_whitney(rng.permutation(b), rng.permutation(a))
    assert (one.u, one.z, one.p) == pytest.approx((other.u, other.z, other.p))
    assert one.z_signed == pytest.approx(-other.z_signed)
    assert (one.rank_biserial, one.ci_low, one.ci_high) == pytest.approx(
        (-other.rank_biserial, -other.ci_high, -other.ci_low), abs=1e-6
    )


def test_tables_give_what_their_columns_give() -> None:
    result = mann_whitney(ECSTASY, ALCOHOL)
    for name in ECSTASY:
        alone = mann_whitney(ECSTASY[name], ALCOHOL[name])
        assert isinstance(alone.p, float)
        assert (alone.u, alone.z, alone.p, alone.ci_low) == pytest.approx(
            (result.u[name], result.z[name], result.p[name], result.ci_low[name])
        )


def test_a_constant_column_has_no_difference() -> None:
    result = mann_whitney(
        pd.DataFrame({"AU12": [1, 1], "AU04": [0, 1]}), pd.DataFrame({"AU12": [1, 1], "AU04": [0, 0]})
    )
    assert (result.z["AU12"], result.p["AU12"], result.rank_biserial["AU12"]) == (0.0, 1.0, 0.0)
    assert not np.signbit(result.z["AU12"])
    assert result.p["AU04"] < 1


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([], [1.0], "at least one value"),
        ([np.nan, 1.0], [1.0], "nulls"),
        ([[1.0, 2.0]], [[1.0, 2.0]], "1-d"),
        (ECSTASY, ALCOHOL[["wednesday", "sunday"]], "same columns"),
        (ECSTASY, [1.0], "one of each"),
    ],
)
def test_arguments_are_checked(a: object, b: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mann_whitney(a, b)  # type: ignore[call-overload]


def test_student_figures_of_r() -> None:
    # R: t.test(extra ~ group, sleep, var.equal = TRUE): t = -1.8608, df = 18, p-value = 0.07919
    result = student_t(DRUG_1, DRUG_2)
    assert (round(result.t, 4), result.df, round(result.p, 5)) == (-1.8608, 18, 0.07919)
    assert result.ci_low < result.hedges_g < 0 < result.ci_high


def test_welch_figures_of_r() -> None:
    # R: t.test(extra ~ group, sleep): t = -1.8608, df = 17.776, p-value = 0.07939, interval -3.3654832 0.2054832
    result = welch_difference(DRUG_1, DRUG_2)
    assert (round(result.t, 4), round(result.df, 3), round(result.p, 5)) == (-1.8608, 17.776, 0.07939)
    assert (result.ci_low, result.ci_high) == pytest.approx((-3.3654832, 0.2054832), abs=1e-6)
    assert result.difference == pytest.approx(-1.58)


def test_t_cannot_be_computed_without_variation() -> None:
    assert np.isnan(student_t([1.0, 1.0], [2.0, 2.0]).t)
    result = welch_difference([0.0, 0.0], [0.0, 0.0])
    assert result.difference == 0
    assert np.isnan(result.p)


def test_t_tests_need_values() -> None:
    with pytest.raises(ValueError, match="three values"):
        student_t([1.0], [2.0])
    with pytest.raises(ValueError, match="two values or more"):
        welch_difference([1.0], [2.0, 3.0])


def test_composite_by_hand() -> None:
    # z-scores of 0, 1, 2 (sd 1) are -1, 0, 1; the constant feature counts as 0
    features = pd.DataFrame({"up": [0.0, 1.0, 2.0], "same": [5.0, 5.0, 5.0]}, index=["a", "b", "c"])
    assert composite_score(features).to_dict() == {"a": -0.5, "b": 0.0, "c": 0.5}
    opposed = features.assign(same=[2.0, 1.0, 0.0])
    assert composite_score(opposed).tolist() == [0.0, 0.0, 0.0]


def test_composite_needs_participants_and_features() -> None:
    with pytest.raises(ValueError, match="shape"):
        composite_score(pd.DataFrame({"up": [1.0]}))
    with pytest.raises(ValueError, match="shape"):
        composite_score(pd.DataFrame(index=[0, 1, 2]))
