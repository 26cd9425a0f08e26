"""Tests over frames against the test of arrays and SciPy, and what they pass on about participants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stats.frame_tests import compare_frames
from stats.group_tests import mann_whitney


def make_frames(seed: int = 0, n: int = 3000) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 12, n)
    is_a = people < 7
    values = pd.DataFrame(
        {
            "AU04": rng.random(n) < 0.3 + 0.1 * is_a,
            "AU12": rng.integers(0, 6, n),
            "valence": rng.normal(size=n),
            "AD33": np.zeros(n, dtype=np.int8),
            "change": rng.integers(-3, 4, n),
        }
    )
    return values, pd.Series(people.astype(str)), pd.Series(is_a)


def test_agrees_with_the_test_of_arrays_and_with_scipy() -> None:
    values, people, is_a = make_frames()
    found = compare_frames(values, people, is_a).tests
    expected = mann_whitney(values[is_a].astype(float), values[~is_a].astype(float))
    for name in ("u", "z", "z_signed", "p", "rank_biserial"):
        assert found[name].tolist() == pytest.approx(getattr(expected, name).tolist(), abs=1e-9), name
    for name in ("AU04", "AU12", "valence", "change"):
        theirs = stats.mannwhitneyu(
            values.loc[is_a, name].astype(float),
            values.loc[~is_a, name].astype(float),
            use_continuity=False,
            method="asymptotic",
        )
        assert found.loc[name, "p"] == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (found.loc["AD33", "z"], found.loc["AD33", "p"]) == (0, 1)
    assert found["mean_a"].to_dict() == pytest.approx(values[is_a].mean().to_dict())


def test_what_each_participant_contributes() -> None:
    values, people, is_a = make_frames()
    result = compare_frames(values, people, is_a)
    assert result.participants.index.tolist() == people.unique().tolist()
    by_person = values.astype(float).groupby(people)
    for person in people.unique():
        assert result.participants.loc[person, "n_frames"] == (people == person).sum()
        assert result.participants.loc[person, "is_a"] == is_a[people == person].iloc[0]
        assert result.sums.loc[person].tolist() == pytest.approx(by_person.sum().loc[person].tolist())
    ranks = values.rank()
    assert result.deviations.loc["3", "valence"] == pytest.approx((ranks["valence"] - 1500.5)[people == "3"].sum())
    assert result.deviations.sum().tolist() == pytest.approx([0] * 5, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, p, a: (v, p[:5], a), "of each of 3000 frames"),
        (lambda v, p, a: (v, p, a | True), "both groups"),
        (lambda v, p, a: (v, p.where(p != "1"), a), "participant of every frame"),
        (lambda v, p, a: (v, p, pd.Series(np.arange(len(a)) % 2 == 0)), "in one group"),
        (lambda v, p, a: (v.assign(valence=np.nan), p, a), "finite values in valence"),
    ],
)
def test_frames_are_checked(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        compare_frames(*change(*make_frames()))
