"""Ratings of judges: read, averaged, compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stats.reliability import fleiss_kappa, icc
from tasks.errors import InvalidInputError
from tasks.ratings import (
    RATING_COLUMNS,
    RATING_RELIABILITY_COLUMNS,
    average_ratings,
    judge_reliability,
    list_judges,
    read_ratings,
)
from tasks.tables import write_table


def write_ratings(path, rows: list[tuple[object, ...]]):
    lines = ["participant_id,start_frame,end_frame,judge,rating", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def make_rows(n: int = 30, judges: str = "ABCDE", seed: int = 0) -> list[tuple[object, ...]]:
    rng = np.random.default_rng(seed)
    rows = []
    for segment in range(n):
        truth = rng.integers(1, 6)
        for judge in judges:
            rating = int(np.clip(truth + rng.integers(-1, 2), 1, 5))
            rows.append((f"{segment % 3:02d}", 100 * segment, 100 * segment + 60, judge, rating))
    return rows


def test_segments_and_judges(tmp_path) -> None:
    ratings = read_ratings(write_ratings(tmp_path / "ratings.csv", make_rows()))
    assert ratings.columns.tolist() == [
        "participant_id",
        "start_frame",
        "end_frame",
        *(f"judge_{name}" for name in "ABCDE"),
    ]
    assert len(ratings) == 30
    table = average_ratings(ratings)
    assert table["range"].is_monotonic_decreasing
    first = ratings[ratings["start_frame"] == 500].iloc[0]
    row = table[table["start_frame"] == 500].iloc[0]
    assert row["mean"] == pytest.approx(np.mean([first[name] for name in list_judges(ratings)]))
    assert table["disagreement"].tolist() == (table["range"] >= 2).tolist()
    write_table(table, tmp_path / "segments.parquet", described=RATING_COLUMNS)


def test_coefficients(tmp_path) -> None:
    ratings = read_ratings(write_ratings(tmp_path / "ratings.csv", make_rows()))
    table = judge_reliability(ratings)
    assert table.columns.tolist() == [column.name for column in RATING_RELIABILITY_COLUMNS]
    values = ratings[list_judges(ratings)]
    by_name = table.set_index(["coefficient", "judges"])
    everyone = "A, B, C, D, E"
    assert by_name.loc[("Fleiss' kappa", everyone), "estimate"] == pytest.approx(fleiss_kappa(values).estimate)
    assert by_name.loc[("ICC(3,1)", everyone), "ci_low"] == pytest.approx(icc(values).ci_low)
    assert by_name.loc[("ICC(3,k)", everyone), "estimate"] == pytest.approx(icc(values, "ICC(3,k)").estimate)
    assert len(table) == 1 + 4 + 10


def test_missing_ratings_are_counted(tmp_path) -> None:
    rows = make_rows()
    rows[0] = (*rows[0][:4], "n/a")  # A did not rate the first segment
    del rows[9]  # E did not rate the second
    ratings = read_ratings(write_ratings(tmp_path / "ratings.csv", rows))
    assert ratings[list_judges(ratings)].isna().sum().sum() == 2
    table = judge_reliability(ratings).set_index(["coefficient", "judges"])
    assert table.loc[("ICC(3,1)", "A, B, C, D, E"), ["n_segments", "n_dropped"]].tolist() == [28, 2]
    assert table.loc[("Cohen's kappa, quadratic weights", "B, C"), "n_dropped"] == 0
    assert average_ratings(ratings)["n_judges"].value_counts().to_dict() == {5: 28, 4: 2}


def test_one_judge_has_no_reliability(tmp_path) -> None:
    table = judge_reliability(read_ratings(write_ratings(tmp_path / "ratings.csv", make_rows(judges="A"))))
    assert table["estimate"].isna().all()
    assert table["note"].str.startswith("too few: 30 segments that all of 1 judges").all()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("00", 5000, 5060, "A", 6), "expected a rating from 1 to 5 or n/a, got 6"),
        (("00", 5000, 5060, "A", 2.5), "got 2.5"),
        (("00", 5060, 5000, "A", 2), "from start to end, got 5060 to 5000"),
        (("00", "x", 5000, "A", 2), "got x to 5000"),
        (("00", 0, 60, "A", 2), "one rating of 00, frames 0 to 60, by A"),
        (("00", 30, 90, "A", 2), "one after the other of 00, got 0 to 60 and 30 to 90"),
        (("00", 9000, 9100, "A", 2), "last frame is 8999, got one until 9100"),
    ],
)
def test_ratings_are_checked(tmp_path, row, message) -> None:
    path = write_ratings(tmp_path / "ratings.csv", [*make_rows(n=3), row])
    with pytest.raises(InvalidInputError, match=message):
        read_ratings(path, last_frames={"00": 8999})


def test_columns_are_checked(tmp_path) -> None:
    (tmp_path / "ratings.csv").write_text("participant_id,rating\n01,3\n")
    with pytest.raises(InvalidInputError, match="start_frame"):
        read_ratings(tmp_path / "ratings.csv")


def test_judges_who_all_agree(tmp_path) -> None:
    rows = [("01", 100 * k, 100 * k + 50, judge, 3) for k in range(5) for judge in "AB"]
    table = judge_reliability(read_ratings(write_ratings(tmp_path / "ratings.csv", rows)))
    assert isinstance(table, pd.DataFrame)
    assert set(table["note"]) == {"all ratings are the same", "both judges use only one category"}
