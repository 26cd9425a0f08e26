"""Folds: participants are dealt evenly, stay apart, and come back from a file as they were."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.sequences.folds import (
    assign_folds,
    check_folds,
    find_one_group_folds,
    leave_one_participant_out_folds,
    split_inner,
)
from classifiers.sequences.protocols import list_fold_participants


def make_groups(n_asd: int, n_td: int) -> pd.Series:
    names = [f"p{number:03d}" for number in range(n_asd + n_td)]
    return pd.Series(["ASD"] * n_asd + ["TD"] * n_td, index=names)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 20), st.integers(2, 5), st.integers(0, 1000))
def test_folds_never_share_a_participant(n_asd: int, n_td: int, n_folds: int, seed: int) -> None:
    groups = make_groups(n_asd, n_td)
    if len(groups) < max(n_folds, 3):
        return
    folds = assign_folds(groups, n_folds=n_folds, n_repeats=2, seed=seed)
    for repeat in (0, 1):
        rows = folds[folds["repeat"] == repeat]
        assert sorted(rows["participant_id"]) == sorted(groups.index)
        sizes = rows.groupby("fold").size()
        assert len(sizes) == n_folds
        assert sizes.max() - sizes.min() <= 1
        by_group = pd.crosstab(rows["fold"], rows["group"])
        assert (by_group.max() - by_group.min() <= 1).all()
        if len(groups) - sizes.max() < 2:
            continue
        for fold in range(n_folds):
            training, validation, tested = list_fold_participants(folds, repeat, fold, seed=seed)
            assert not set(training) & set(validation)
            assert not set(tested) & {*training, *validation}
            assert sorted([*training, *validation, *tested]) == sorted(groups.index)
            assert training
            assert validation
            assert tested


def test_sizes_of_hugging_rain_man() -> None:
    """SPEC B6: random children 22/22/22 with ASD and 11/11/10 TD."""
    folds = assign_folds(make_groups(66, 32), n_repeats=10, seed=4)
    counts = folds.groupby(["repeat", "group", "fold"]).size()
    for repeat in range(10):
        assert sorted(counts[repeat]["ASD"]) == [22, 22, 22]
        assert sorted(counts[repeat]["TD"]) == [10, 11, 11]


def test_repeats_differ_and_more_of_them_leave_the_first_as_they_are() -> None:
    groups = make_groups(12, 12)
    few, many = assign_folds(groups, n_repeats=2, seed=1), assign_folds(groups, n_repeats=5, seed=1)
    pd.testing.assert_frame_equal(few, many[many["repeat"] < 2])
    first, second = (few[few["repeat"] == repeat].set_index("participant_id")["fold"] for repeat in (0, 1))
    assert (first != second.reindex(first.index)).any()


def test_folds_survive_a_file() -> None:
    folds = assign_folds(make_groups(5, 4), n_repeats=2)
    text = folds.sample(frac=1, random_state=0).to_csv(index=False, sep="\t")
    read = check_folds(pd.read_csv(io.StringIO(text), sep="\t"), sorted(folds["participant_id"].unique()))
    pd.testing.assert_frame_equal(read, folds, check_dtype=False)


def test_leaving_one_out_tests_everyone_alone() -> None:
    folds = leave_one_participant_out_folds(make_groups(3, 2))
    assert folds["fold"].tolist() == [0, 1, 2, 3, 4]
    assert folds["participant_id"].is_unique
    assert len(find_one_group_folds(folds)) == 5


def test_fold_of_one_group_is_found() -> None:
    folds = assign_folds(make_groups(6, 1), n_folds=3, n_repeats=1)
    assert len(find_one_group_folds(folds)) == 2
    assert find_one_group_folds(assign_folds(make_groups(6, 0), n_repeats=1)) == []


def test_inner_validation_holds_both_groups() -> None:
    groups = make_groups(44, 21)
    training, validation = split_inner(groups, share=0.25, seed=2)
    counts = groups[validation].value_counts()
    assert counts["ASD"] == 11
    assert counts["TD"] in (5, 6)
    assert len(training) + len(validation) == 65


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="group"), "group missing"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "again"),
        (lambda t: t.iloc[1:], "differing"),
        (lambda t: t.assign(fold=0), "two folds"),
    ],
)
def test_folds_that_do_not_fit_are_refused(change: object, message: str) -> None:
    groups = make_groups(3, 3)
    folds = assign_folds(groups, n_repeats=1)
    with pytest.raises(ValueError, match=message):
        check_folds(change(folds), sorted(groups.index))


def test_too_few_participants_are_refused() -> None:
    with pytest.raises(ValueError, match="3 participants or more"):
        assign_folds(make_groups(1, 1))
    with pytest.raises(ValueError, match="two participants or more"):
        split_inner(make_groups(1, 0))
    with pytest.raises(ValueError, match="repeat"):
        assign_folds(make_groups(3, 3), n_repeats=0)
