"""Combinations by hand, by brute force, and rarefaction against figures of R's vegan and against drawing."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.combinations import (
    code_columns,
    complexity_table,
    expected_types,
    find_combinations,
    participant_diversity,
    rarefied_complexity,
)

HRM_COLUMNS = [
    *(f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 43, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 28)),
    "AU2X",
    *(f"AD{n}" for n in (19, 29, 30, 32, 33, 34, 35, 36, 37)),
]


def make_labels(seed: int = 0, n: int = 400, highest: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    active = rng.random((n, len(HRM_COLUMNS))) < rng.beta(0.4, 4, size=len(HRM_COLUMNS))
    labels = pd.DataFrame(active * rng.integers(1, highest + 1, size=active.shape), columns=HRM_COLUMNS)
    labels["participant_id"] = rng.integers(0, 8, n).astype(str)
    labels["group"] = np.where(labels["participant_id"].astype(int) % 2, "TD", "ASD")
    labels["emotion"] = rng.choice(["happy", "sad"], n)
    return labels


def count_by_sets(labels: pd.DataFrame, *, directions: bool) -> dict[tuple[str, str, int], tuple[int, int]]:
    """Python sets, as the definition reads."""
    seen: dict[tuple[str, str, int], list[frozenset]] = {}
    for row in labels.to_dict("records"):
        actions = {(name, row[name] if directions else 1) for name in HRM_COLUMNS if row[name] > 0}
        seen.setdefault((row["group"], row["emotion"], len(actions)), []).append(frozenset(actions))
    return {key: (len(set(found)), len(found)) for key, found in seen.items()}


@pytest.mark.parametrize("directions", [True, False])
def test_agrees_with_sets(directions) -> None:
    labels = make_labels()
    table = complexity_table(labels, directions=directions)
    assert table.columns.tolist() == ["group", "emotion", "complexity", "n_types", "n_frames"]
    found = {(row.group, row.emotion, row.complexity): (row.n_types, row.n_frames) for row in table.itertuples()}
    assert found == count_by_sets(labels, directions=directions)
    assert table["n_frames"].sum() == len(labels)


def test_an_action_counts_once_whatever_its_code() -> None:
    labels = pd.DataFrame({"group": "TD", "emotion": "sad", "AU01": [1, 2, 3, 0], "AD19": [0, 0, 0, 0]})
    with_codes, without = complexity_table(labels), complexity_table(labels, directions=False)
    assert with_codes["complexity"].tolist() == without["complexity"].tolist() == [0, 1]
    assert with_codes["n_types"].tolist() == [1, 3]
    assert without["n_types"].tolist() == [1, 1]


def test_frames_without_emotion_and_other_columns_do_not_count() -> None:
    labels = make_labels().assign(AU0=1, ASD=1, AU12_score=0.3)
    assert code_columns(labels) == HRM_COLUMNS
    some = labels.assign(emotion=labels["emotion"].where(labels["emotion"] == "sad"))
    expected = complexity_table(labels).query("emotion == 'sad'").reset_index(drop=True)
    pd.testing.assert_frame_equal(complexity_table(some), expected, check_dtype=False)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n_columns=st.integers(1, 60))
def test_types_are_the_distinct_rows(seed, n_columns) -> None:
    codes = np.random.default_rng(seed).integers(0, 2, size=(50, n_columns)) * 5
    labels = pd.DataFrame(codes, columns=[f"AU{n + 1:02d}" for n in range(n_columns)])
    found = find_combinations(labels)
    expected = np.unique(codes, axis=0, return_inverse=True)[1].ravel()
    assert (
        len(np.unique(found.types))
        == len(np.unique(expected))
        == len(np.unique(np.stack([found.types, expected]), axis=1).T)
    )
    assert (found.complexity == (codes > 0).sum(axis=1)).all()


def test_rarefaction_figures_of_r() -> None:
    # R 4.2.2, vegan 2.6.4: rarefy(c(40,25,13,8,5,3,3,1,1,1), c(10, 30, 60), se = TRUE)
    counts = [40, 25, 13, 8, 5, 3, 3, 1, 1, 1]
    expected = {
        10: (4.563271582091029, 1.019194551348546),
        30: (7.004753839377228, 1.074726796094727),
        60: (8.668643494432606, 0.901291408330998),
    }
    for drawn, figures in expected.items():
        assert expected_types(counts, drawn) == pytest.approx(figures, abs=1e-9)
    assert expected_types(counts, 100) == (10, 0)
    assert expected_types(counts, 0) == (0, 0)


def test_rarefaction_is_the_mean_over_all_draws() -> None:
    urn = [0, 0, 0, 1, 1, 2, 9, 9]  # 9: frames of other complexity
    seen = [len(set(draw) - {9}) for draw in combinations(urn, 4)]
    assert expected_types([3, 2, 1], 4, total=8) == pytest.approx((np.mean(seen), np.std(seen)))


def test_groups_are_brought_to_equal_frames() -> None:
    labels = make_labels(n=600)
    labels = labels[(labels["group"] == "ASD") | (labels.index % 3 == 0)]
    table = rarefied_complexity(labels)
    frames = labels.groupby(["group", "emotion"]).size()
    for emotion, rows in table.groupby("emotion"):
        assert set(rows["rarefied_to"]) == {frames["TD"][emotion]}
    td, asd = table[table["group"] == "TD"], table[table["group"] == "ASD"]
    assert td["expected_types"].tolist() == pytest.approx(td["n_types"].tolist())
    assert (td["ci_high"] - td["ci_low"]).max() < 1e-3
    assert (asd["expected_types"] <= asd["n_types"] + 1e-9).all()
    assert (asd["expected_types"] < asd["n_types"]).any()
    assert ((table["ci_low"] <= table["expected_types"]) & (table["expected_types"] <= table["ci_high"])).all()


def test_diversity_of_participants() -> None:
    labels = make_labels(n=800)
    labels.loc[labels["participant_id"] == "3", "emotion"] = "sad"
    few = labels[(labels["participant_id"] != "5") | (labels.groupby("participant_id").cumcount() < 10)]
    table = participant_diversity(few, min_frames=30).set_index(["participant_id", "emotion"])
    assert ("3", "happy") not in table.index
    assert table.loc[("5", "sad"), "rarefied_to"] == 0
    assert np.isnan(table.loc[("5", "sad"), "rarefied_types"])
    kept = table[table["rarefied_to"] > 0]
    happy = kept.xs("happy", level="emotion")
    assert set(happy["rarefied_to"]) == {happy["n_frames"].min()}
    one = few[(few["participant_id"] == "2") & (few["emotion"] == "happy")]
    active = (one[HRM_COLUMNS] > 0).sum(axis=1)
    row = table.loc[("2", "happy")]
    assert (row["mean_complexity"], row["max_complexity"]) == pytest.approx((active.mean(), active.max()))
    assert row["n_types"] == len(one[HRM_COLUMNS].drop_duplicates())
    counts = one[HRM_COLUMNS].value_counts().to_numpy()
    assert row["rarefied_types"] == pytest.approx(expected_types(counts, int(row["rarefied_to"]))[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="emotion"), "missing emotion"),
        (lambda t: t[["group", "emotion"]], "AU12 or AD19"),
        (lambda t: t.assign(AU12=6), "codes from 0 to 5 in AU12, got 6 in row 0"),
        (lambda t: t.assign(AU12=0.4), "got 0.4"),
        (lambda t: t.assign(AU12=np.nan), "got nan"),
    ],
)
def test_labels_are_checked(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        complexity_table(change(make_labels()))


def test_participants_are_checked() -> None:
    with pytest.raises(ValueError, match="participant_id"):
        participant_diversity(make_labels().drop(columns="participant_id"))
    with pytest.raises(ValueError, match="in several"):
        participant_diversity(make_labels().assign(group=["ASD", "TD"] * 200))
    with pytest.raises(ValueError, match="draw from 0 to 3"):
        expected_types([2, 1], 4)
    with pytest.raises(ValueError, match="1 or more"):
        expected_types([0, 1], 1)
