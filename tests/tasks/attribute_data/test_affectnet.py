"""AffectNet's two layouts, built small: what is read, split and refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import facs
from tasks.attribute_data.affectnet import COLUMNS, read_affectnet
from tasks.attribute_data.affectnet8 import read_affectnet8
from tasks.errors import InvalidInputError

HEADER = ",".join(COLUMNS)
LANDMARKS = ";".join("12.50" for _ in range(136))


def row(
    image: str, expression: object, valence: object = 0.25, arousal: object = -0.5, box: str = "10,20,100,50"
) -> str:
    return f"{image},{box},{LANDMARKS},{expression},{valence},{arousal}"


TRAINING = [
    row("1/a.jpg", 0),
    row("1/b.jpg", 7, 1, -1),
    row("2/c.jpg", 8, 0.1, 0.2),
    row("2/d.jpg", 9, -2, -2),
    row("3/gone.jpg", 10, -2, -2, box="NULL,NULL,NULL,NULL"),
    row("2/e.jpg", 3, -2, 0.5, box="0,0,-1,-1"),
]
VALIDATION = [row("1/f.jpg", 5), row("1/g.jpg", 1)]


@pytest.fixture
def folder(tmp_path: Path, write_images, write_text) -> Path:
    write_images(tmp_path / "images", ["1/a.jpg", "1/b.jpg", "2/c.jpg", "2/d.jpg", "2/e.jpg", "1/f.jpg", "1/g.jpg"])
    write_text(tmp_path / "lists" / "training.csv", [HEADER, *TRAINING])
    write_text(tmp_path / "lists" / "validation.csv", [HEADER, *VALIDATION])
    return tmp_path


def read(folder: Path):
    return read_affectnet("AffectNet", folder / "lists", folder / "images")


def problems_of(folder: Path) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read(folder)
    return str(caught.value)


def test_classes_dimensions_boxes_and_splits(folder: Path) -> None:
    got = read(folder)
    assert got.images == ("1/a.jpg", "1/b.jpg", "2/c.jpg", "2/e.jpg", "1/f.jpg", "1/g.jpg")
    assert [facs.EXPRESSIONS[i] if i >= 0 else None for i in got.labels.expression] == [
        "neutral", "contempt", None, "surprise", "disgust", "happy",
    ]  # fmt: skip
    np.testing.assert_allclose(got.labels.valence, [0.25, 1, 0.1, np.nan, 0.25, 0.25])
    np.testing.assert_allclose(got.labels.arousal, [-0.5, -1, 0.2, 0.5, -0.5, -0.5])
    assert got.labels.aus.shape == (6, 0)
    np.testing.assert_array_equal(got.boxes[0], [10, 20, 110, 70])  # x, y, width, height -> corners
    assert np.isnan(got.boxes[3]).all()
    assert got.split[4:].tolist() == ["test", "test"]
    assert "test" not in got.split[:4]
    assert got.dropped == {"no label: uncertain, or no face": 2}


def test_a_validation_list_without_header(folder: Path, write_text) -> None:
    before = read(folder)
    write_text(folder / "lists" / "validation.csv", VALIDATION)
    after = read(folder)
    assert after.images == before.images
    assert after.labels.expression.tolist() == before.labels.expression.tolist()


def test_rows_that_repeat_are_counted_and_contradictions_refused(folder: Path, write_text) -> None:
    write_text(folder / "lists" / "training.csv", [HEADER, *TRAINING, TRAINING[0]])
    assert read(folder).dropped["repeated row"] == 1
    write_text(folder / "lists" / "training.csv", [HEADER, *TRAINING, row("1/a.jpg", 2)])
    assert "training.csv: expected each image once or with the same labels, got again with others 1/a.jpg (line 8)" in (
        problems_of(folder)
    )


def test_all_problems_of_both_lists_at_once(folder: Path, write_text) -> None:
    bad = [row("1/a.jpg", 11), row("1/b.jpg", "happy", 1.5), row("4/x.jpg", 2, 0, -3), row("2/c.jpg", "", 0, "n/a")]
    write_text(folder / "lists" / "training.csv", [HEADER, *bad, row("1/f.jpg", 1, box="1,2,3,x")])
    write_text(folder / "lists" / "validation.csv", [HEADER, row("1/f.jpg", 1), row("1/g.jpg", 2.5)])
    text = problems_of(folder)
    for expected in (
        "training.csv: expected an expression id from 0 to 10, got 11 (line 2), happy (line 3),  (line 5).",
        "training.csv: expected valence from -1 to 1, or -2 where it is unknown, got 1.5 (line 3).",
        "got -3 (line 4), n/a (line 5).",
        "training.csv: expected pixels in face_height, got x (line 6).",
        "training.csv: expected images in images, 1 are missing: 4/x.jpg (line 4).",
        "validation.csv: expected an expression id from 0 to 10, got 2.5 (line 3).",
        "validation.csv: expected images that training.csv does not have, got 1/f.jpg.",
    ):
        assert expected in text


def test_missing_lists_wrong_columns_and_one_class(folder: Path, write_text) -> None:
    write_text(folder / "lists" / "training.csv", ["subDirectory_filePath,expressoin,valence,arousal", "1/a.jpg,0,0,0"])
    (folder / "lists" / "validation.csv").unlink()
    text = problems_of(folder)
    assert "missing: face_x, face_y, face_width, face_height, expression. Perhaps 'expressoin' for 'expression'" in text
    assert "validation.csv: expected it in lists" in text
    for name, images in (("training.csv", ("1/a.jpg", "1/b.jpg")), ("validation.csv", ("1/f.jpg", "1/g.jpg"))):
        write_text(folder / "lists" / name, [HEADER, *(row(image, 4, -2, -2) for image in images)])
    text = problems_of(folder)
    assert "expected different values of expression, got the same in all 4 images" in text
    assert "expected known values of valence, got none" in text


def save(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, value, allow_pickle=True)


@pytest.fixture
def release(tmp_path: Path, write_images) -> Path:
    """Numbers 0 to 3 train, 7 and 8 test; values are stored as text, as numbers, as scalars and as one-element arrays."""
    stored = [str, float, np.float32, lambda value: np.array([value])]
    for part, numbers in (("train_set", (0, 1, 2, 3)), ("val_set", (7, 8))):
        write_images(tmp_path / part / "images", [f"{number}.jpg" for number in numbers])
        for number in numbers:
            wrap = stored[number % 4]
            annotations = tmp_path / part / "annotations"
            save(annotations / f"{number}_exp.npy", wrap(number % 8))
            save(annotations / f"{number}_val.npy", wrap(-2 if number == 3 else number / 10 - 0.5))
            save(annotations / f"{number}_aro.npy", wrap(0.5 - number / 10))
            save(annotations / f"{number}_lnd.npy", np.zeros((68, 2)))
    return tmp_path


def test_per_image_release(release: Path) -> None:
    got = read_affectnet8("AffectNet-8", release, release)
    assert got.images == (
        *(f"train_set/images/{number}.jpg" for number in range(4)),
        "val_set/images/7.jpg",
        "val_set/images/8.jpg",
    )
    assert got.labels.expression.tolist() == [0, 1, 2, 3, 7, 0]
    np.testing.assert_allclose(got.labels.valence, [-0.5, -0.4, -0.3, np.nan, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(got.labels.arousal, [0.5, 0.4, 0.3, 0.2, -0.2, -0.3], rtol=1e-6)
    assert got.split[4:].tolist() == ["test", "test"]
    assert np.isinf(got.boxes).all()


class Explosive:
    """Would write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_problems_of_the_per_image_release(release: Path, write_images) -> None:
    train, marker = release / "train_set" / "annotations", release / "executed"
    save(train / "0_exp.npy", 9)
    save(train / "0_val.npy", "1.01")
    save(train / "1_val.npy", "much")
    save(train / "2_aro.npy", np.array([Explosive(marker)], dtype=object))
    (train / "2_val.npy").write_bytes(pickle.dumps(Explosive(marker)))
    (train / "3_exp.npy").write_bytes(b"")
    (train / "1_aro.npy").unlink()
    write_images(release / "train_set" / "images", ["12.jpg"])
    (release / "val_set" / "images" / "8.jpg").unlink()
    with pytest.raises(InvalidInputError) as caught:
        read_affectnet8("AffectNet-8", release, release)
    text = str(caught.value)
    for expected in (
        "expected an expression from 0 to 7, got 9 (0_exp.npy)",
        "expected valence from -1 to 1, or -2 where it is unknown, got 1.01 (0_val.npy)",
        "expected one number in a file, got something else in 1_val.npy, 2_val.npy",
        "got something else in 2_aro.npy",
        "got something else in 3_exp.npy",
        "expected a file of arousal for each image, missing: 1_aro.npy",
        "train_set/annotations: expected labels of each image, got none of 12",
        "val_set/images: expected an image of each annotation, none is there of 8",
    ):
        assert expected in text
    assert not marker.exists()


def test_a_release_without_its_folders(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="val_set/annotations: expected this folder"):
        read_affectnet8("AffectNet-8", tmp_path, tmp_path)
