"""Labels of experts in both forms, and everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.facs import HRM_ACTIONS
from tasks.errors import InvalidInputError
from tasks.labels import LABEL_KEY, binarise, list_actions, number_segments, read_labels

# header of the annotation tool of Hugging Rain Man
HEADER = (
    "frame AU1 AU2 AU4 AU5 AU6 AU7 AU43 AU8 AU9 AU10 AU12 AU13 AU14 AU15 AU16 AU17 AU18 AD19 AU20 AU21 AU22 AU23 AU24 AU25 AU2X "
    "AU28 AD29 AD30 AU31 AD32 AD33 AD34 AD35 AD36 AD37 AU0 ASD"
).replace(" ", ",")


def make_file(path: Path, frames: list[int], *, asd: int, header: str = HEADER, **codes: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = header.split(",")
    lines = [header]
    for frame in frames:
        cells = {"frame": frame, "ASD": asd} | codes
        lines.append(",".join(str(cells.get(name, 0)) for name in names))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    make_file(tmp_path / "ASD" / "S1.csv", [7, 5, 6, 20], asd=1, AU12=1, AU2=3, AU21=1)
    make_file(tmp_path / "ASD" / "S1-backup.csv", [5], asd=1)
    make_file(tmp_path / "ASD" / "Participant-2" / "labels.csv", [0, 1], asd=1, AD19=1)
    make_file(tmp_path / "TD" / "S1.csv", [5, 6], asd=0, AU2X=5)
    return tmp_path


def test_folders_of_groups(folder) -> None:
    labels = read_labels(folder)
    assert labels.columns.tolist() == [*LABEL_KEY, *HRM_ACTIONS]
    assert labels.groupby(["group", "participant_id"]).size().to_dict() == {
        ("ASD", "ASD2"): 2, ("ASD", "ASDS1"): 4, ("TD", "TDS1"): 2,
    }  # fmt: skip
    one = labels[labels["participant_id"] == "ASDS1"]
    assert one["frame"].tolist() == [5, 6, 7, 20]
    assert (one["AU12"] == 1).all()
    assert (one["AU02"] == 3).all()
    assert labels.loc[labels["group"] == "TD", "AU2X"].eq(5).all()
    assert labels["emotion"].isna().all()
    assert binarise(labels, HRM_ACTIONS).loc[one.index, "AU02"].eq(1).all()


def test_segments_are_runs_of_frames_within_a_participant(folder) -> None:
    labels = read_labels(folder)
    # ASD2: 0 1; ASDS1: 5 6 7, 20; TDS1: 5 6 (frame 5 does not go on from 20)
    assert number_segments(labels).tolist() == [0, 0, 1, 1, 1, 2, 3, 3]
    touching = labels.assign(frame=range(8))
    assert number_segments(touching).tolist() == [0, 0, 1, 1, 1, 1, 2, 2]


def test_jaw_codes_merge_and_expressions_are_named(tmp_path) -> None:
    (tmp_path / "ASD").mkdir()
    (tmp_path / "ASD" / "S1.csv").write_text(
        "frame,AU26,AU27,AU43E,AU30,Expression\n0,0,1,0,0,Happiness\n1,2,1,1,0,sad\n2,0,0,0,3,\n"
    )
    labels = read_labels(tmp_path)
    assert list_actions(labels) == ["AU43", "AU2X", "AD30"]
    assert labels["AU2X"].tolist() == [1, 2, 0]
    assert labels["AD30"].tolist() == [0, 0, 3]
    assert [None if pd.isna(name) else name for name in labels["emotion"]] == ["happy", "sad", None]


def test_long_form_is_the_same(tmp_path, folder) -> None:
    wide = read_labels(folder)
    melted = wide.melt(id_vars=list(LABEL_KEY), var_name="action", value_name="code")
    melted.drop(columns="emotion").sample(frac=1, random_state=1).to_csv(tmp_path / "long.csv", index=False)
    pd.testing.assert_frame_equal(read_labels(tmp_path / "long.csv"), wide)


def test_long_form_with_frames_without_action_and_expressions(tmp_path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(
        "participant_id,group,frame,action,code,expression\n01,ASD,3,AU12,2,happy\n01,ASD,4,AU0,1,\n02,TD,3,AU6,1,Sadness\n"
    )
    labels = read_labels(path)
    assert labels[["participant_id", "frame", "AU06", "AU12"]].to_numpy().tolist() == [
        ["01", 3, 0, 2], ["01", 4, 0, 0], ["02", 3, 1, 0],
    ]  # fmt: skip
    assert labels["emotion"].fillna("").tolist() == ["happy", "", "sad"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,AU12\n0,6\n1,-1\n", "column AU12, line 2: expected a code from 0 to 5, got 6 .2 such cells"),
        ("frame,AU12\n0,\n", "line 2: expected a code from 0 to 5, got nothing"),
        ("frame,AU12\n0,0.5\n", "got 0.5"),
        ("frame,AU12,Smile\n0,1,1\n", "unknown column 'Smile'"),
        ("frame,AU12,AU99x\n0,1,1\n", "unknown column 'AU99x'"),
        ("frame,AU12\n0,1\n0,1\n", "expected each frame once, got frame 0 again"),
        ("frame,AU12\nx,1\n", "line 2: expected a frame number from 0, got 'x'"),
        ("AU12\n1\n", "expected the column frame, got AU12"),
        ("frame,AU12,AU12\n0,1,1\n", "expected each column once, got AU12"),
        ("frame,AU12,ASD\n0,1,0\n", "expected ASD to be 1 in the folder ASD"),
        ("frame,AU12,expression\n0,1,bored\n", "'bored'"),
        ("", "empty file"),
    ],
)
def test_what_is_wrong_is_listed_with_file_and_line(tmp_path, text, message) -> None:
    (tmp_path / "ASD").mkdir()
    (tmp_path / "ASD" / "S1.csv").write_text(text)
    with pytest.raises(InvalidInputError, match=rf"ASD/S1\.csv.*{message}"):
        read_labels(tmp_path)


def test_all_problems_at_once(tmp_path) -> None:
    make_file(tmp_path / "ASD" / "S1.csv", [0, 0], asd=1, AU12=9)
    make_file(tmp_path / "TD" / "S2.csv", [0], asd=1)
    with pytest.raises(InvalidInputError) as caught:
        read_labels(tmp_path)
    assert len(str(caught.value).splitlines()) == 3
    assert "TD/S2.csv" in str(caught.value)


def test_nothing_to_read(tmp_path) -> None:
    with pytest.raises(InvalidInputError, match="no such file or folder"):
        read_labels(tmp_path / "nowhere")
    with pytest.raises(InvalidInputError, match="in the folders ASD, TD, got none"):
        read_labels(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("participant_id,frame,action,code\n", "missing group"),
        ("participant_id,group,frame,action,code\n01,XY,0,AU12,1\n", "got 'XY'"),
        ("participant_id,group,frame,action,code\n01,TD,0,AU12,1\n01,TD,0,AU12,1\n", "line 3: expected each action"),
        ("participant_id,group,frame,action,code\n01,TD,0,AUx,1\n", "unknown action 'AUx'"),
    ],
)
def test_long_form_is_checked(tmp_path, text, message) -> None:
    (tmp_path / "long.csv").write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        read_labels(tmp_path / "long.csv")


def test_types_are_small(folder) -> None:
    labels = read_labels(folder)
    assert set(labels[list(HRM_ACTIONS)].dtypes) == {np.dtype(np.uint8)}
