"""From the folder of a lab to mixed training data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features import facs
from tasks.attribute_data.loading import TrainingData, load_training_data, read_sources
from tasks.attribute_data.sources import READERS
from tasks.errors import InvalidInputError, SettingsError
from tasks.rendered_faces import render_labelled_faces
from tasks.settings import Settings
from tasks.settings_file import read_settings
from tasks.training_settings import TrainingSource

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


def table(name: str = "units") -> dict[str, str]:
    return {"name": name, "format": "table", "labels": f"{name}.csv", "images": "units"}


AFFECT = {"name": "affect", "format": "affectnet", "labels": "affect", "images": "affect"}


def make_settings(*data: dict[str, str], **training: object) -> Settings:
    return Settings.model_validate({"training": {"data": data, "crops": "boxes", "input_size": 32, **training}})


@pytest.fixture
def folder(tmp_path: Path, write_images, write_text) -> Path:
    """A table of action units with people, and AffectNet lists; ten and eight images."""
    write_images(tmp_path / "units", [f"{number}.png" for number in range(10)])
    splits = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    rows = [f"{n}.png,{n % 2},{(n + 1) % 2},{splits[n]},p{n},10,5,20,15" for n in range(10)]
    write_text(tmp_path / "units.csv", ["image,AU12,AU15,split,participant_id,x1,y1,x2,y2", *rows])
    write_images(tmp_path / "affect", [f"{number}.png" for number in range(8)])
    for name, numbers in (("training", range(5)), ("validation", range(5, 8))):
        rows = [f"{n}.png,5,5,20,20,0;0,{n % 8},{n / 10 - 0.3:.1f},{0.4 - n / 10:.1f}" for n in numbers]
        write_text(tmp_path / "affect" / f"{name}.csv", [HEADER, *rows])
    return tmp_path


def test_mixed_data_sets_share_one_vocabulary(folder: Path) -> None:
    got = load_training_data(folder, make_settings(table(), AFFECT))
    assert got.names == ("units", "affect")
    assert got.aus == ("AU12", "AU15")
    assert got.expressions == facs.EXPRESSIONS
    assert (len(got.train) + len(got.validation or ()), len(got.test)) == (6 + 2 + 5, 2 + 3)
    for data in (got.train, got.test):
        from_table = ~np.isnan(data.labels.aus).all(axis=1)
        assert (data.labels.expression[from_table] == -1).all()
        assert np.isnan(data.labels.valence[from_table]).all()
        assert (data.labels.expression[~from_table] >= 0).all()
    np.testing.assert_array_equal(got.test.labels.aus, [[0, 1], [1, 0], [np.nan] * 2, [np.nan] * 2, [np.nan] * 2])
    np.testing.assert_allclose(got.test.labels.valence[2:], [0.2, 0.3, 0.4], rtol=1e-6)
    assert (got.alignment_mode, got.alignment_scale, got.rendered) == ("enlarged_box", 1.0, False)


def test_crops_and_labels_belong_together_in_a_mixed_batch(folder: Path, write_images) -> None:
    """Every picture gets a brightness that says which it is; batches in any order must keep label and picture together."""
    import cv2

    for name, start in (("units", 0), ("affect", 10)):
        for number in range(10 if name == "units" else 8):
            grey = np.full((30, 40, 3), 10 * (start + number), dtype=np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.png"), grey)
    got = load_training_data(folder, make_settings(table(), AFFECT))
    rows = np.random.default_rng(0).permutation(len(got.train))
    crops, labels = got.train.crops[rows], got.train.labels.take(rows)
    for crop, expression, units in zip(crops, labels.expression, labels.aus, strict=True):
        which = int(crop[0, 0, 0]) // 10
        assert np.array_equal(units, [which % 2, (which + 1) % 2]) if which < 10 else expression == which - 10


def test_the_same_call_again_gives_the_same_data(folder: Path) -> None:
    first, second = (
        load_training_data(folder, make_settings(AFFECT, tasks=["expression", "valence"])) for _ in range(2)
    )
    assert isinstance(first, TrainingData)
    assert first.aus == facs.EMOTIONET_AUS  # no data set has any: the usual ones, all unknown
    assert np.isnan(first.train.labels.aus).all()
    np.testing.assert_array_equal(first.train.crops[:], second.train.crops[:])
    np.testing.assert_array_equal(first.train.labels.expression, second.train.labels.expression)


def test_problems_of_all_data_sets_are_listed_together(folder: Path, write_text) -> None:
    (folder / "affect" / "3.png").unlink()
    write_text(folder / "units.csv", ["image,AU12", "0.png,3", "1.png,0"])
    missing = {"name": "lost", "format": "table", "labels": "lost.csv", "images": "lost"}
    with pytest.raises(InvalidInputError) as caught:
        load_training_data(folder, make_settings(table(), AFFECT, missing))
    text = str(caught.value)
    assert "Data set units cannot be used" in text
    assert "AU12 between 0 and 1" in text
    assert "Data set affect cannot be used" in text
    assert "3.png (line 5)" in text
    assert "Data set lost: expected labels lost.csv and images lost" in text


def test_tasks_and_boxes_that_no_data_set_has(folder: Path, write_text) -> None:
    write_text(
        folder / "units.csv", ["image,AU12,split", "0.png,1,train", "1.png,0,train", "2.png,0,test", "3.png,1,test"]
    )
    with pytest.raises(InvalidInputError) as caught:
        read_sources(folder, make_settings(table()))
    text = str(caught.value)
    for task in ("expression", "valence", "arousal"):
        assert f"training.tasks names {task}, but no training image of units has a label for it" in text
    assert "names aus" not in text
    assert "Data set units: expected face boxes (training.crops is boxes), got none" in text


def test_a_class_that_training_never_shows(folder: Path, write_text) -> None:
    rows = ["0.png,1,0.1,train", "1.png,1,0.2,train", "2.png,0,0.3,test", "3.png,0,0.4,test"]
    write_text(folder / "units.csv", ["image,AU12,valence,split", *rows])
    with pytest.raises(
        InvalidInputError, match="Expected training images of units that differ in AU12, got one class or none"
    ):
        read_sources(folder, make_settings(table(), tasks=["aus", "valence"], crops="detector"))
    write_text(folder / "other.csv", ["image,AU12,split", "4.png,0,train", "5.png,1,train"])
    assert read_sources(
        folder, make_settings(table(), table("other"), tasks=["aus", "valence"], crops="detector")
    )  # another data set shows it


def test_images_and_people_in_different_splits_of_two_tables(folder: Path, write_text) -> None:
    text = (
        (folder / "units.csv").read_text().replace("train", "TRAIN").replace("test", "train").replace("TRAIN", "test")
    )
    write_text(folder / "more.csv", text.splitlines())
    with pytest.raises(
        InvalidInputError, match="Data set more: expected images and participants in the same split.*got 16 in another"
    ):
        read_sources(folder, make_settings(table(), table("more"), tasks=["aus"]))


def test_too_few_images_for_a_test(folder: Path, write_text) -> None:
    rows = (folder / "units.csv").read_text().replace("test", "train").splitlines()
    write_text(folder / "units.csv", rows)
    with pytest.raises(InvalidInputError, match="at least 2 face crops for test, got fewer"):
        load_training_data(folder, make_settings(table(), tasks=["aus"]))


def test_no_data_set_and_unknown_formats() -> None:
    with pytest.raises(InvalidInputError, match=r"Expected data sets in training\.data"):
        read_sources(Path(), Settings())
    assert set(READERS) == set(TrainingSource.model_fields["format"].annotation.__args__)


def test_settings_name_each_data_set_once(tmp_path: Path, write_text) -> None:
    item = "{name: a, format: table, labels: a.csv, images: a}"
    write_text(tmp_path / "config.yaml", ["training:", f"  data: [{item}, {item}]"])
    with pytest.raises(SettingsError, match="name of its own"):
        read_settings(tmp_path / "config.yaml")


def test_rendered_faces_are_a_training_folder(tmp_path: Path) -> None:
    render_labelled_faces(tmp_path / "faces", n_images=24, n_people=6, size=64, seed=3)
    settings = read_settings(tmp_path / "faces" / "config.yaml")
    got = load_training_data(tmp_path / "faces", settings)
    assert got.rendered
    assert got.aus == facs.EMOTIONET_AUS
    assert (got.alignment_mode, got.alignment_scale) == ("aligned", 0.7)
    found = len(got.train) + len(got.validation or ()) + len(got.test)
    assert found + sum(got.skipped["rendered faces"].values()) == 24
    assert found >= 22
    labels = tmp_path / "faces" / "labels.csv"
    labels.write_text(labels.read_text().replace("P00001,", "P1,"))  # the lab's own table now
    assert not load_training_data(tmp_path / "faces", settings).rendered
