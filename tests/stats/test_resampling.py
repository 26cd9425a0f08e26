"""Permutation tests against full enumeration, SciPy and figures of R; bootstrap intervals against known distributions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stats.frame_tests import compare_frames
from stats.resampling import (
    assign_groups,
    bootstrap_rate_differences,
    permute_frame_statistic,
    permute_mean_differences,
    permute_rank_sums,
)


def test_permutation_figure_of_r() -> None:
    # Field (2009), ecstasy against alcohol on Sunday; R 4.2.2, exactRankTests 0.8.35: perm.test of twice the midranks, exact
    a = [15, 35, 16, 18, 19, 17, 27, 16, 13, 20]
    b = [16, 15, 20, 15, 16, 13, 14, 19, 18, 18]
    tests = permute_rank_sums(pd.DataFrame({"sunday": a + b}), [True] * 10 + [False] * 10, n_permutations=200_000)
    assert (tests.exact, tests.n_permutations) == (True, 184_756)
    assert tests.p["sunday"] == pytest.approx(0.288185498711814, abs=1e-9)


def test_without_ties_it_is_the_exact_mann_whitney_test() -> None:
    # R: wilcox.test(x, y)$p.value of the example of stats::wilcox.test, and SciPy
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    tests = permute_rank_sums(pd.DataFrame({"x": x + y}), [True] * 10 + [False] * 5)
    assert tests.p["x"] == pytest.approx(0.254412254412254, abs=1e-9)
    assert tests.p["x"] == pytest.approx(stats.mannwhitneyu(x, y, method="exact").pvalue)


def test_mean_differences_by_scipy() -> None:
    rng = np.random.default_rng(4)
    values = pd.DataFrame(rng.normal(size=(9, 2)), columns=["a", "b"])
    is_a = np.arange(9) < 4
    tests = permute_mean_differences(values, is_a)
    for name in values:
        theirs = stats.permutation_test(
            (values.loc[is_a, name], values.loc[~is_a, name]), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf
        )
        assert tests.p[name] == pytest.approx(
            np.mean(np.abs(theirs.null_distribution) >= abs(theirs.statistic) - 1e-12)
        )


def test_frame_statistic_by_enumeration() -> None:
    rng = np.random.default_rng(2)
    people = rng.integers(0, 8, 400)
    is_a = people < 3
    values = pd.DataFrame({"AU12": rng.random(400) < 0.2 + 0.5 * (people % 3 == 0)})
    found = compare_frames(values, pd.Series(people), pd.Series(is_a))
    tests = permute_frame_statistic(found.deviations, found.participants["n_frames"], found.participants["is_a"])
    zs = []
    for chosen in combinations(range(8), 3):
        member = np.isin(people, chosen)
        zs.append(compare_frames(values, pd.Series(people), pd.Series(member)).tests.loc["AU12", "z"])
    observed = found.tests.loc["AU12", "z"]
    assert tests.exact
    assert tests.p["AU12"] == pytest.approx(np.mean(np.array(zs) <= observed + 1e-9))


def test_random_permutations_come_near_the_exact_ones() -> None:
    rng = np.random.default_rng(9)
    values, is_a = pd.DataFrame(rng.normal(size=(14, 6))), np.arange(14) < 7
    exact = permute_rank_sums(values, is_a)
    drawn = permute_rank_sums(values, is_a, n_permutations=3000, seed=1)
    assert (exact.exact, drawn.exact, drawn.n_permutations) == (True, False, 3000)
    # standard error of a share of 3000 is .009 at most
    assert (exact.p - drawn.p).abs().max() < 0.04
    assert (drawn.p_max >= drawn.p).all()
    assert drawn.p.min() >= 1 / 3001
    pd.testing.assert_series_equal(drawn.p, permute_rank_sums(values, is_a, n_permutations=3000, seed=1).p)


def test_the_largest_statistic_adjusts_for_all_columns() -> None:
    rng = np.random.default_rng(3)
    one = rng.normal(size=12)
    is_a = np.arange(12) < 6
    same = permute_rank_sums(pd.DataFrame(np.tile(one[:, None], (1, 5))), is_a)
    assert same.p_max.tolist() == pytest.approx(same.p.tolist())  # five times the same test is one test
    different = permute_rank_sums(pd.DataFrame(rng.normal(size=(12, 5))), is_a)
    assert different.p_max.min() > different.p.min()


def test_equal_values_have_p_one() -> None:
    values = pd.DataFrame({"none": np.zeros(20), "some": np.arange(20.0)})
    for test in (permute_rank_sums, permute_mean_differences):
        assert test(values, np.arange(20) < 10, n_permutations=500).p["none"] == 1


def test_membership_rows_have_the_size_of_the_group() -> None:
    drawn, exact = assign_groups(30, 12, n_permutations=500, seed=0)
    assert not exact
    assert set(drawn.sum(axis=1)) == {12}
    # each participant is in the first group with probability .4; standard error .022
    assert np.abs(drawn.mean(axis=0) - 0.4).max() < 0.1
    every, exact = assign_groups(6, 3, n_permutations=20, seed=0)
    assert exact
    assert len(np.unique(every, axis=0)) == 20


def test_bootstrap_of_equal_weights_has_the_known_error() -> None:
    rng = np.random.default_rng(6)
    n = rng.integers(50, 90, 200)
    rates = rng.beta(2, 5, size=(200, 1))
    sums = pd.DataFrame(rates * n[:, None], columns=["AU12"])
    is_a = np.arange(200) < 120
    row = bootstrap_rate_differences(sums, n, is_a, weigh="participants", n_bootstrap=4000).loc["AU12"]
    a, b = rates[is_a, 0], rates[~is_a, 0]
    assert row["difference"] == pytest.approx(a.mean() - b.mean())
    # variance of a resampled mean: population variance over n; percentiles of 4000 within 5 %
    error = np.sqrt(a.var() / len(a) + b.var() / len(b))
    assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * 1.959964 * error, rel=0.08)


def test_bootstrap_over_frames_weighs_participants_by_them() -> None:
    sums, n = pd.DataFrame({"AU12": [10.0, 0.0, 5.0, 5.0]}), [10, 90, 10, 10]
    table = bootstrap_rate_differences(sums, n, [True, True, False, False], n_bootstrap=500)
    assert table.loc["AU12", "difference"] == pytest.approx(0.1 - 0.5)
    assert table.loc["AU12", "ci_low"] == pytest.approx(-0.5)  # both draws the second participant
    by_person = bootstrap_rate_differences(sums, n, [True, True, False, False], n_bootstrap=500, weigh="participants")
    assert by_person.loc["AU12", "difference"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: permute_rank_sums(v, [True] * 4), "both groups"),
        (lambda v: permute_rank_sums(v, [True] * 3), "each of 4 participants"),
        (lambda v: permute_rank_sums(v * np.nan, [True, True, False, False]), "finite"),
        (lambda v: permute_rank_sums(v, [True, True, False, False], n_permutations=0), "one permutation"),
        (lambda v: bootstrap_rate_differences(v, [1, 1, 0, 1], [True, True, False, False]), "one frame or more"),
        (lambda v: bootstrap_rate_differences(v, [1] * 4, [False] * 4), "both groups"),
        (lambda v: bootstrap_rate_differences(v, [1] * 4, [True, True, False, False], weigh="x"), "weigh"),
    ],
)
def test_arguments_are_checked(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call(pd.DataFrame({"AU12": [0.0, 1.0, 2.0, 3.0]}))
