"""A lab's own table: what is read, and everything that can be wrong with it."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import facs
from tasks.attribute_data.plain_table import read_plain_table
from tasks.errors import InvalidInputError

HEADER = "image,AU12,AU1,expression,valence,arousal,split,participant_id,x1,y1,x2,y2"
ROWS = (
    "a.png,1,0,happy,0.5,-0.25,train,sub-01,1,2,30,29",
    "in/b.png,0,,Sadness,,0.1,train,sub-01,,,,",
    "in\\c.png,0.7,1,,-1,1,validation,02,1,2,30,29",
    "d.png,0,1,contempt,n/a,NaN,test,03,1,2,30,29",
    "e.png,,,,,,test,03,,,,",
)
IMAGES = ("a.png", "in/b.png", "in/c.png", "d.png", "e.png")


@pytest.fixture
def folder(tmp_path: Path, write_images, write_text) -> Path:
    write_images(tmp_path / "images", IMAGES)
    write_text(tmp_path / "labels.csv", [HEADER, *ROWS])
    return tmp_path


def read(folder: Path):
    return read_plain_table("ours", folder / "labels.csv", folder / "images")


def problems_of(folder: Path, write_text, lines: list[str]) -> str:
    write_text(folder / "labels.csv", lines)
    with pytest.raises(InvalidInputError) as caught:
        read(folder)
    return str(caught.value)


def test_labels_boxes_splits_and_participants(folder: Path) -> None:
    got = read(folder)
    assert got.images == ("a.png", "in/b.png", "in/c.png", "d.png")
    assert got.aus == ("AU01", "AU12")
    nan = np.nan
    np.testing.assert_array_equal(got.labels.aus, np.array([[0, 1], [nan, 0], [1, 0.7], [1, 0]], dtype=np.float32))
    names = ["happy", "sad", None, "contempt"]
    np.testing.assert_array_equal(
        got.labels.expression, [-1 if n is None else facs.EXPRESSIONS.index(n) for n in names]
    )
    np.testing.assert_array_equal(got.labels.valence, np.array([0.5, nan, -1, nan], dtype=np.float32))
    np.testing.assert_array_equal(got.labels.arousal, np.array([-0.25, 0.1, 1, nan], dtype=np.float32))
    assert got.split.tolist() == ["train", "train", "validation", "test"]
    assert got.participants is not None
    assert got.participants.tolist() == ["01", "01", "02", "03"]
    np.testing.assert_array_equal(got.boxes[:2], np.array([[1, 2, 30, 29], [nan] * 4], dtype=np.float32))
    assert got.dropped == {"no label": 1}
    assert got.notes == ()


def test_lines_are_right_after_blank_lines_and_a_byte_order_mark(folder: Path, write_text) -> None:
    write_text(folder / "labels.csv", ["\ufeff" + HEADER, *ROWS[:2], "", *ROWS[2:3], "d.png,2" + ROWS[3][7:]])
    with pytest.raises(InvalidInputError, match=r"AU12 between 0 and 1 or a blank cell, got 2 \(line 6\)"):
        read(folder)


def test_all_problems_are_listed_at_once(folder: Path, write_text) -> None:
    lines = [
        HEADER,
        ROWS[0],
        "a.png,5,0,joyful,1.5,x,tarin,01,9,2,3,29",
        ",1,0,happy,,,train,,1,2,,",
        "../a.png,1,1,none,,,train,02,,,,",
        "gone.png,1,1,sad,,,test,02,,,,",
    ]
    text = problems_of(folder, write_text, lines)
    for expected in (
        "labels.csv: expected AU12 between 0 and 1 or a blank cell, got 5 (line 3).",
        "got joyful (line 3), none (line 5).",
        "expected valence between -1 and 1 or a blank cell, got 1.5 (line 3).",
        "expected arousal between -1 and 1 or a blank cell, got x (line 3).",
        "expected the split train, validation, test, got tarin (line 3).",
        "expected a box with x1 < x2 and y1 < y2, got 9 2 3 29 (line 3).",
        "expected a whole box or none, got a part of one in line 4.",
        "expected the name of an image, got a blank cell in line 4.",
        "expected a participant_id, got a blank cell in line 4.",
        "expected a path inside the folder of images, got ../a.png (line 5).",
        "expected each image once, got again a.png (line 3).",
        "expected images in images, 1 are missing: gone.png (line 6).",
        "expected each participant in one split, got 01, 02 in several.",
    ):
        assert expected in text


def test_many_rows_of_one_problem_are_counted(folder: Path, write_text) -> None:
    text = problems_of(folder, write_text, [HEADER, *ROWS, *(f"gone{i}.png,1,1,sad,,,test,03,,,," for i in range(9))])
    assert "9 are missing: gone0.png (line 7), " in text
    assert text.endswith("gone4.png (line 11) and 4 more.")


def test_a_unit_without_a_value_and_one_class_data(folder: Path, write_text) -> None:
    lines = ["image,AU04,AU06,AU09,expression,valence,arousal", "a.png,,1,0,sad,0.5,", "d.png,,0.8,0,sad,0.5,"]
    text = problems_of(folder, write_text, lines)
    for expected in (
        "expected known values of AU04, got none in 2 images",
        "expected different values of AU06, got present in all 2 images",
        "expected different values of AU09, got absent in all 2 images",
        "expected different values of expression, got the same in all 2 images",
        "expected different values of valence",
        "expected known values of arousal, got none",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("picture,AU01", "expected the columns image, got picture, AU01; missing: image"),
        ("image;AU01;valence", "commas between the columns, not semicolons"),
        ("Image,AU01", "Perhaps 'Image' for 'image' is misspelt"),
        ("image,AU1,AU01", "expected each action unit once, got AU1 and AU01"),
        ("image,AU01,valance", "got 'valance'. Should it be 'valence'?"),
        ("image,AU01,AU01", "expected each column once, got AU01 several times"),
        ("image,age", "expected columns of labels such as AU12"),
        ("image,AU01,x1,y1", "expected all of x1, y1, x2, y2 or none, got x1, y1"),
        ("", "got an empty first line"),
    ],
)
def test_wrong_columns(folder: Path, write_text, header: str, message: str) -> None:
    cells = header.count(",") or 1
    assert message in problems_of(folder, write_text, [header, "a.png" + ",0" * cells, "d.png" + ",1" * cells])


def test_rows_that_are_too_long_are_named(folder: Path, write_text) -> None:
    text = problems_of(folder, write_text, ["image,AU01", "a.png,1", "d.png,0,0", "e.png,0,0,0"])
    assert "expected 2 values in a row, got 3 (line 3), 4 (line 4)" in text


def test_other_encodings_are_refused(folder: Path) -> None:
    (folder / "labels.csv").write_text("\n".join([HEADER, *ROWS]), encoding="utf-16")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read(folder)


def test_columns_that_are_no_labels_are_named_in_the_notes(folder: Path, write_text) -> None:
    write_text(folder / "labels.csv", ["image,AU01,site", "a.png,1,x", "d.png,0,y"])
    notes = read(folder).notes
    assert notes[0] == "columns that are not labels were not read: site"
    assert "images of one person may be in training and in test" in notes[1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(string.ascii_letters + string.digits, min_size=1, max_size=3), min_size=6, max_size=40))
def test_participants_never_straddle_splits(people: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for number in range(len(people)):
            (folder / "images" / f"{number}.png").touch()
        lines = [f"{number}.png,{number % 2},{who}" for number, who in enumerate(people)]
        (folder / "labels.csv").write_text("\n".join(["image,AU12,participant_id", *lines]))
        got = read(folder)
    for who in set(people):
        assert len(set(got.split[np.array(people) == who])) == 1
    if len(set(people)) >= 3:
        assert set(got.split) == {"train", "validation", "test"}
