"""The practice data set of rendered faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features import facs
from flows.cli import app
from tasks.attribute_data.plain_table import read_plain_table
from tasks.errors import InvalidInputError
from tasks.rendered_faces import render_labelled_faces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces") / "practice"
    render_labelled_faces(folder, n_images=62, n_people=12, size=64, seed=1)
    return folder


def test_people_have_equally_many_images_and_one_split(folder: Path) -> None:
    table = pd.read_csv(folder / "labels.csv")
    assert len(table) == 62
    assert sorted(table.groupby("participant_id").size().unique()) == [5, 6]
    pairs = table[["participant_id", "split"]].drop_duplicates()
    assert len(pairs) == 12
    people = pairs["split"].value_counts()
    assert people.to_dict() == {"train": 9, "test": 2, "validation": 1}  # 15 and 10 % of twelve, rounded


def test_labels_are_those_of_the_project_and_pass_its_reader(folder: Path) -> None:
    got = read_plain_table("faces", folder / "labels.csv", folder / "images")
    assert got.aus == facs.EMOTIONET_AUS
    assert got.notes == ()
    assert not np.isnan(got.boxes).any()
    closed = got.labels.aus[:, facs.EMOTIONET_AUS.index("AU43")] == 1
    assert np.isnan(got.labels.aus[closed, facs.EMOTIONET_AUS.index("AU05")]).all()
    assert not np.isnan(got.labels.aus[~closed]).any()


def test_images_are_as_large_as_promised_and_show_the_face_in_its_box(folder: Path) -> None:
    table = pd.read_csv(folder / "labels.csv")
    for row in table.head(5).itertuples():
        picture = cv2.imread(str(folder / "images" / row.image))
        assert picture.shape == (90, 90, 3)  # 1.4 times 64
        assert 0 <= row.x1 < row.x2 <= 90
        assert 0 <= row.y1 < row.y2 <= 90
        assert (row.y2 - row.y1) / 90 > 0.4


def test_a_seed_and_any_number_of_processes_give_the_same_files(folder: Path, tmp_path: Path) -> None:
    told: list[int] = []
    render_labelled_faces(
        tmp_path / "again",
        n_images=62,
        n_people=12,
        size=64,
        seed=1,
        workers=2,
        progress=lambda _name, done, _total: told.append(done),
    )
    assert told == sorted(told)
    assert told[-1] == 62
    for path in [folder / "labels.csv", *sorted((folder / "images").rglob("*.jpg"))]:
        assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_a_folder_in_use_and_too_few_people_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInputError, match=r"Expected a new folder, got practice with labels\.csv and config\.yaml"
    ):
        render_labelled_faces(folder, n_images=6, n_people=3)
    with pytest.raises(InvalidInputError, match="at least 3 people and an image of each, got 2 people and 6 images"):
        render_labelled_faces(tmp_path, n_images=6, n_people=2)


def test_the_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["render-faces", str(tmp_path / "new"), "--images", "4", "--people", "4", "--size", "32", "--seed", "2"]
    )
    assert result.exit_code == 0, result.output
    assert "4 images of 4 people" in result.output
    assert len(list((tmp_path / "new" / "images").rglob("*.jpg"))) == 4
