"""EmotioNet's annotation text, built small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features import facs
from tasks.attribute_data.emotionet import read_emotionet
from tasks.errors import InvalidInputError

UNITS = [int(unit[2:]) for unit in facs.EMOTIONET_AUS]
FOLDER = "N_0000000001"


def line(name: str, *, separator: str = "\t", folder: str = FOLDER, **aus: int | str) -> str:
    """Address, its source, action units 1 to 60: those not named are unknown."""
    cells = ["999"] * 60
    for unit, value in aus.items():
        cells[int(unit[2:]) - 1] = str(value)
    return separator.join(
        [f"https://example.org/emotionet/Images/{folder}/{name}", f"http://example.org/{name}", *cells]
    )


def full(name: str, value: int, **other: int | str) -> str:
    return line(name, **({f"AU{unit}": value for unit in UNITS} | other))


@pytest.fixture
def folder(tmp_path: Path, write_images, write_text) -> Path:
    write_images(tmp_path / "images", ["a.jpg", "b.jpg", f"{FOLDER}/c.jpg", "d.jpg"])
    rows = [
        full("a.jpg", 1),
        full("b.jpg", 0, AU12=1, AU10=1),
        full("c.jpg", 0, AU43=999),
        full("gone.jpg", 1),
        line("d.jpg"),
    ]
    write_text(tmp_path / "labels" / "part_1.txt", rows[:3])
    write_text(tmp_path / "labels" / "part_2.txt", rows[3:])
    return tmp_path


def read(folder: Path, labels: str = "labels"):
    return read_emotionet("EmotioNet", folder / labels, folder / "images")


def test_units_files_and_what_is_left_out(folder: Path) -> None:
    got = read(folder)
    assert got.images == ("a.jpg", "b.jpg", f"{FOLDER}/c.jpg")
    assert got.aus == facs.EMOTIONET_AUS
    expected = np.array([[1.0] * 12, [0.0] * 12, [0.0] * 12], dtype=np.float32)
    expected[1, facs.EMOTIONET_AUS.index("AU12")] = 1
    expected[2, facs.EMOTIONET_AUS.index("AU43")] = np.nan
    np.testing.assert_array_equal(got.labels.aus, expected)
    assert (got.labels.expression == -1).all()
    assert np.isnan(got.labels.valence).all()
    assert np.isnan(got.boxes).all()
    assert got.dropped == {"image not downloaded": 1, "no label": 1}


@pytest.mark.parametrize("separator", ["\t", ",", " "])
@pytest.mark.parametrize("header", [False, True])
def test_separators_and_headers(folder: Path, write_text, separator: str, header: bool) -> None:
    names = separator.join(["URL", "source", *(f"AU{number}" for number in range(1, 61))])
    rows = [row.replace("\t", separator) for row in (full("a.jpg", 1), full("b.jpg", 0))]
    write_text(folder / "one.txt", [names, *rows] if header else rows)
    got = read(folder, "one.txt")
    assert got.images == ("a.jpg", "b.jpg")
    assert got.labels.aus[:, 0].tolist() == [1, 0]


def test_all_problems_at_once(folder: Path, write_text) -> None:
    write_text(
        folder / "labels" / "part_1.txt",
        [full("a.jpg", 1, AU1=2), "", full("b.jpg", 1, AU4="x", AU43=999), full("b.jpg", 1, AU6=0)],
    )
    write_text(folder / "labels" / "part_2.txt", [full("a.jpg", 1), full("d.jpg", 1, AU43=999)])
    with pytest.raises(InvalidInputError) as caught:
        read(folder)
    text = str(caught.value)
    for expected in (
        "part_1.txt: expected 0, 1 or 999 for AU01 (column 2), got 2 (line 1)",
        "part_1.txt: expected 0, 1 or 999 for AU04 (column 5), got x (line 3)",
        "part_1.txt: expected each image once or with the same labels, got again with others b.jpg (line 4)",
        "labels: expected each image in one file, got in several a.jpg",
        "expected different values of AU12, got present in all",
    ):
        assert expected in text


def test_a_unit_that_nobody_annotated(folder: Path, write_text) -> None:
    write_text(folder / "one.txt", [full("a.jpg", 1, AU20=999), full("b.jpg", 0, AU20=999)])
    with pytest.raises(InvalidInputError, match="expected known values of AU20, got none in 2 images"):
        read(folder, "one.txt")


def test_short_lines_and_too_few_columns(folder: Path, write_text) -> None:
    write_text(folder / "one.txt", [full("a.jpg", 1), full("b.jpg", 0) + "\t0"])
    with pytest.raises(InvalidInputError, match=r"expected 62 values in a row, got 63 \(line 2\)"):
        read(folder, "one.txt")
    write_text(folder / "one.txt", ["http://x/a.jpg\t0\t1"])
    with pytest.raises(InvalidInputError, match="at least 45 columns, got 3"):
        read(folder, "one.txt")


def test_a_folder_without_the_images_is_the_wrong_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(InvalidInputError, match="expected images in elsewhere, 5 of 5 are missing"):
        read_emotionet("EmotioNet", folder / "labels", tmp_path / "elsewhere")


def test_a_folder_without_text_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected text files"):
        read_emotionet("EmotioNet", tmp_path, tmp_path)
