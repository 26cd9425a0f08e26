"""Reliability against figures of R and SAS, printed tables, an independent implementation, and properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sklearn.metrics import cohen_kappa_score, f1_score

from stats.reliability import ICC_FORMS, cohen_kappa, f1_against, fleiss_kappa, icc

# Shrout, P. E. & Fleiss, J. L. (1979), table 2: six targets, four judges
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])

# Fleiss, J. L. (1971), as irr::diagnoses has it: thirty patients, six psychiatrists, five diagnoses
DIAGNOSES = np.array([
    [4, 4, 4, 4, 4, 4], [2, 2, 2, 5, 5, 5], [2, 3, 3, 3, 3, 5], [5, 5, 5, 5, 5, 5], [2, 2, 2, 4, 4, 4],
    [1, 1, 3, 3, 3, 3], [3, 3, 3, 3, 5, 5], [1, 1, 3, 3, 3, 4], [1, 1, 4, 4, 4, 4], [5, 5, 5, 5, 5, 5],
    [1, 4, 4, 4, 4, 4], [1, 2, 4, 4, 4, 4], [2, 2, 2, 3, 3, 3], [1, 4, 4, 4, 4, 4], [2, 2, 4, 4, 4, 5],
    [3, 3, 3, 3, 3, 5], [1, 1, 1, 4, 5, 5], [1, 1, 1, 1, 1, 2], [2, 2, 4, 4, 4, 4], [1, 3, 3, 5, 5, 5],
    [5, 5, 5, 5, 5, 5], [2, 4, 4, 4, 4, 4], [2, 2, 4, 5, 5, 5], [1, 1, 4, 4, 4, 4], [1, 4, 4, 4, 4, 5],
    [2, 2, 2, 2, 2, 4], [1, 1, 1, 1, 5, 5], [2, 2, 4, 4, 4, 4], [1, 3, 3, 3, 3, 3], [5, 5, 5, 5, 5, 5],
])  # fmt: skip

# R 4.2.2, psych 2.2.9: ICC(..., lme = FALSE): estimate, p, lower, upper
R_SHROUT_FLEISS = {
    "ICC(1,1)": (0.165741768405476, 0.16476880834464, -0.132932324874751, 0.722560062328121),
    "ICC(2,1)": (0.289763779527559, 0.000134566516484337, 0.018786513374712, 0.761084369648953),
    "ICC(3,1)": (0.714840714840715, 0.000134566516484337, 0.342464765033925, 0.94585825995536),
    "ICC(1,k)": (0.442797133679269, 0.16476880834464, -0.884442155238119, 0.912415420340776),
    "ICC(2,k)": (0.620050547598989, 0.000134566516484337, 0.0711368153025035, 0.927232040167722),
    "ICC(3,k)": (0.909315542377069, 0.000134566516484337, 0.675674713816305, 0.985891678169062),
}
R_DIAGNOSES = {
    "ICC(1,1)": (0.293894266567386, 2.92589387197874e-07, 0.153468836918304, 0.480200369672176),
    "ICC(2,1)": (0.333339724293959, 3.63853245519108e-16, 0.152327598632084, 0.539870132123077),
    "ICC(3,1)": (0.50139870223504, 3.63853245519108e-16, 0.347136275480988, 0.669853720233101),
    "ICC(1,k)": (0.714066033469019, 2.92589387197874e-07, 0.521015108170708, 0.84716279099397),
    "ICC(2,k)": (0.750005392308411, 3.63853245519108e-16, 0.518815781301825, 0.875618747696554),
    "ICC(3,k)": (0.857826569631183, 3.63853245519108e-16, 0.76135242579371, 0.924091540430861),
}


@pytest.mark.parametrize("form", ICC_FORMS)
@pytest.mark.parametrize(("ratings", "expected"), [(SHROUT_FLEISS, R_SHROUT_FLEISS), (DIAGNOSES, R_DIAGNOSES)])
def test_icc_figures_of_r(form, ratings, expected) -> None:
    result = icc(ratings, form)
    assert (result.estimate, result.ci_low, result.ci_high) == pytest.approx(
        (expected[form][0], *expected[form][2:]), abs=1e-9
    )
    assert result.p == pytest.approx(expected[form][1], rel=1e-9, abs=1e-15)
    assert (result.n_subjects, result.n_judges, result.n_dropped, result.note) == (*ratings.shape, 0, "")


def test_icc_figures_of_the_paper_that_defined_them() -> None:
    # Shrout & Fleiss (1979), table 4
    printed = {
        "ICC(1,1)": 0.17,
        "ICC(2,1)": 0.29,
        "ICC(3,1)": 0.71,
        "ICC(1,k)": 0.44,
        "ICC(2,k)": 0.62,
        "ICC(3,k)": 0.91,
    }
    assert {form: round(icc(SHROUT_FLEISS, form).estimate, 2) for form in ICC_FORMS} == printed


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_icc_by_another_implementation() -> None:
    rng = np.random.default_rng(8)
    ratings = rng.normal(size=(40, 1)) + rng.normal(size=(40, 3)) + [0.0, 0.5, 1.5]
    long = pd.DataFrame(ratings).rename_axis("subject").reset_index().melt("subject", var_name="judge")
    theirs = pingouin.intraclass_corr(long, targets="subject", raters="judge", ratings="value")["ICC"].to_numpy()
    ours = [icc(ratings, form).estimate for form in ICC_FORMS]
    assert ours == pytest.approx(theirs)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(3, 12), k=st.integers(2, 5), seed=st.integers(0, 10_000))
def test_icc_does_not_depend_on_unit_or_order(n, k, seed) -> None:
    rng = np.random.default_rng(seed)
    ratings = rng.integers(1, 6, size=(n, k)).astype(float)
    for form in ICC_FORMS:
        one = icc(ratings, form)
        other = icc(rng.permutation(10 - 2 * ratings)[:, rng.permutation(k)], form)
        if one.note:
            assert other.note == one.note
            continue
        assert (one.estimate, one.p) == pytest.approx((other.estimate, other.p), abs=1e-7)
        assert one.ci_low <= one.estimate + 1e-9
        assert one.estimate <= one.ci_high + 1e-9
        assert one.estimate <= 1


def test_consistency_forgives_an_offset_and_agreement_does_not() -> None:
    ratings = np.array([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0], [5.0, 7.0]])
    result = icc(ratings, "ICC(3,1)")
    assert (result.estimate, result.ci_low, result.ci_high, result.p) == (1, 1, 1, 0)
    # R: MSR = 2·var = 35/6, MSC = 8, MSE = 0; (R - 0)/(R + 2·8/4)
    assert icc(ratings, "ICC(2,1)").estimate == pytest.approx((35 / 6) / (35 / 6 + 4))
    assert icc(ratings, "ICC(2,1)").ci_high <= 1


def test_two_subjects_that_two_judges_rate_crosswise() -> None:
    assert icc([[1, 2], [2, 1]], "ICC(2,1)").estimate == -np.inf
    assert icc([[1, 2], [2, 1]], "ICC(3,1)").estimate == -1


def test_ratings_that_do_not_vary_have_no_icc() -> None:
    for form in ICC_FORMS:
        result = icc(np.ones((5, 3)), form)
        assert np.isnan([result.estimate, result.ci_low, result.ci_high, result.p]).all()
        assert result.note == "all ratings are the same"


def test_missing_ratings_are_an_error_or_counted() -> None:
    ratings = SHROUT_FLEISS.astype(float)
    ratings[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"got 1 missing in 1 of 6 subjects \(first: row 1\)"):
        icc(ratings)
    result = icc(ratings, missing="listwise")
    assert (result.n_subjects, result.n_dropped) == (5, 1)
    assert result.estimate == icc(np.delete(SHROUT_FLEISS, 1, axis=0)).estimate
    with pytest.raises(ValueError, match="2 missing in 2 of 3"):
        fleiss_kappa([["a", None], ["b", "b"], [None, "a"]])
    assert fleiss_kappa([["a", "a"], ["b", "b"], [None, "a"]], missing="listwise").n_dropped == 1
    assert cohen_kappa([1, 2, np.nan], [1, 2, 2], missing="listwise").n_dropped == 1


def test_fleiss_kappa_figures_of_r() -> None:
    # R: irr::kappam.fleiss(diagnoses): Kappa 0.4302445, z 17.65183 (Fleiss 1971 prints 0.430)
    result = fleiss_kappa(DIAGNOSES)
    assert result.estimate == pytest.approx(0.4302445, abs=5e-8)
    assert result.p == pytest.approx(2 * special.ndtr(-17.65183), rel=2e-4)
    assert fleiss_kappa(np.array(list(" abcde"))[DIAGNOSES]) == result


def test_fleiss_interval_is_the_derivative_by_the_weight_of_subjects() -> None:
    # linearised variance = sum of squared influences, found here by shifting the weight of one subject
    counts = np.stack([np.equal(DIAGNOSES, c).sum(axis=1) for c in range(1, 6)], axis=1).astype(float)

    def weighted_kappa(weights: np.ndarray) -> float:
        weights = weights / weights.sum()
        share = weights @ counts / 6
        observed = weights @ (((counts**2).sum(axis=1) - 6) / 30)
        return (observed - (share**2).sum()) / (1 - (share**2).sum())

    n, step = len(counts), 1e-6
    slopes = [
        (weighted_kappa(np.ones(n) + step * unit) - weighted_kappa(np.ones(n) - step * unit)) / (2 * step)
        for unit in np.eye(n)
    ]
    error = np.sqrt((np.array(slopes) ** 2).sum() * n / (n - 1))
    result = fleiss_kappa(DIAGNOSES)
    assert (result.ci_high - result.ci_low) / 2 == pytest.approx(stats.t.ppf(0.975, n - 1) * error, rel=1e-6)


def test_cohen_kappa_figures_of_sas() -> None:
    # SAS, table [[0, 4, 1], [0, 8, 0], [0, 1, 5]]: kappa .4842 (.2137 to .7547), p .0011; weighted .4701 (.1845 to .7558), p .0010
    table = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
    a = [row for row in range(3) for column in range(3) for _ in range(table[row][column])]
    b = [column for row in range(3) for column in range(3) for _ in range(table[row][column])]
    plain, linear = cohen_kappa(a, b), cohen_kappa(a, b, weights="linear")
    assert (plain.estimate, plain.ci_low, plain.ci_high, plain.p) == pytest.approx(
        (0.4842, 0.2137, 0.7547, 0.0011), abs=6e-5
    )
    assert (linear.estimate, linear.ci_low, linear.ci_high, linear.p) == pytest.approx(
        (0.4701, 0.1845, 0.7558, 0.0010), abs=6e-5
    )


def test_cohen_kappa_figures_of_r() -> None:
    # R: psych::cohen.kappa of Cohen's (1968) form of table; unweighted, and weighted by squared distance
    table = [[53, 5, 2], [11, 14, 5], [1, 6, 3]]
    a = [row for row in range(3) for column in range(3) for _ in range(table[row][column])]
    b = [column for row in range(3) for column in range(3) for _ in range(table[row][column])]
    plain, squared = cohen_kappa(a, b), cohen_kappa(a, b, weights="quadratic")
    assert (plain.estimate, plain.ci_low, plain.ci_high) == pytest.approx(
        (0.428571428571429, 0.279694854455742, 0.577448002687115), abs=1e-9
    )
    assert squared.estimate == pytest.approx(0.566666666666667, abs=1e-9)
    assert plain.estimate == pytest.approx(cohen_kappa_score(a, b))
    assert squared.estimate == pytest.approx(cohen_kappa_score(a, b, weights="quadratic"))


def test_weights_count_the_whole_scale() -> None:
    a, b = [1, 2, 5, 5], [1, 5, 5, 2]
    assert cohen_kappa(a, b, weights="linear", categories=range(1, 6)).estimate == pytest.approx(
        cohen_kappa_score(a, b, weights="linear", labels=[1, 2, 3, 4, 5])
    )


def test_kappas_of_one_category_are_not_defined() -> None:
    assert fleiss_kappa([[1, 1], [1, 1]]).note == "all ratings are the same"
    assert cohen_kappa([1, 1], [1, 1], categories=[0, 1]).note == "both judges use only one category"
    perfect = fleiss_kappa([[0, 0], [1, 1], [1, 1]])
    assert (perfect.estimate, perfect.ci_low, perfect.ci_high) == (1, 1, 1)


def test_f1_of_a_tool() -> None:
    rng = np.random.default_rng(3)
    expert = pd.DataFrame(rng.random((200, 3)) < 0.3, columns=["AU01", "AU12", "AU13"])
    tool = expert ^ (rng.random((200, 3)) < 0.2)
    expert["AU13"] = tool["AU13"] = False
    result = f1_against(expert, tool)
    assert result["AU01"] == pytest.approx(f1_score(expert["AU01"], tool["AU01"]))
    assert result["AU12"] == pytest.approx(f1_score(expert["AU12"], tool["AU12"]))
    assert np.isnan(result["AU13"])
    assert f1_against(expert[["AU01"]], expert[["AU01"]] & False).tolist() == [0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: icc(SHROUT_FLEISS, "ICC(4,1)"), "form to be one of"),
        (lambda: icc([[1, 2]]), "got 1 subjects and 2 judges"),
        (lambda: icc([1, 2, 3]), "1 dimensions"),
        (lambda: icc([[1, np.inf], [1, 2]]), "finite"),
        (lambda: icc(SHROUT_FLEISS, missing="zero"), "'raise' or 'listwise'"),
        (lambda: icc(SHROUT_FLEISS, confidence_level=95), "between 0 and 1"),
        (lambda: fleiss_kappa([1, 2]), "1 dimensions"),
        (lambda: cohen_kappa([1, 2], [1]), "same subjects"),
        (lambda: cohen_kappa([1, 7], [1, 2], categories=[1, 2]), r"got \[7\]"),
        (lambda: cohen_kappa([1, 2], [1, 2], weights="cubic"), "'quadratic'"),
        (lambda: f1_against(pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})), "same columns"),
        (lambda: f1_against(pd.DataFrame({"a": [2]}), pd.DataFrame({"a": [1]})), "0 or 1"),
    ],
)
def test_arguments_are_checked(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
