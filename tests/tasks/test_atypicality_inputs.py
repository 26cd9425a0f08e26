"""Folds that are read back, experts' labels as inputs, folds trained side by side, and ratings without any spread."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from classifiers.sequences.folds import assign_folds
from features.facs import HRM_ACTIONS, HRM_REGRESSION_ACTIONS
from tasks.atypicality_folds import count_workers
from tasks.atypicality_inputs import deal_folds, read_folds, read_label_files, read_segments
from tasks.atypicality_step import CHECKPOINTS, list_gaps, update_atypicality
from tasks.bids_names import Derivatives
from tasks.errors import InvalidInputError
from tasks.ratings import read_ratings
from tasks.settings import AtypicalitySettings
from tasks.tables import read_table, write_table

QUICK = AtypicalitySettings(
    models=("gru",), folds=2, repeats=1, stride_frames=5, learning_rates=(3e-3,), epochs=1, permutations=1,
    bootstrap_samples=100, min_participants=4, workers=1,
)  # fmt: skip
GROUPS = pd.Series(["ASD", "ASD", "TD", "TD"], index=["ASDS1", "ASDS2", "TDS1", "TDS2"])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_folds_are_read_back_as_they_were_dealt(tmp_path, suffix) -> None:
    folds = assign_folds(GROUPS, n_folds=2, n_repeats=3, seed=5)
    path = tmp_path / f"folds{suffix}"
    if suffix == ".parquet":
        write_table(folds, path)
    else:
        folds.sample(frac=1, random_state=0).to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    found = deal_folds(GROUPS, AtypicalitySettings(folds_file=path.name), study_folder=tmp_path)
    pd.testing.assert_frame_equal(found[list(folds.columns)], folds)


def test_folds_of_one_group_are_marked(tmp_path) -> None:
    rows = [(0, int(group == "TD"), name) for name, group in GROUPS.items()]
    rows += [(1, int(name.endswith("1")), name) for name in GROUPS.index]
    pd.DataFrame(rows, columns=["repeat", "fold", "participant_id"]).to_csv(tmp_path / "folds.csv", index=False)
    found = deal_folds(GROUPS, AtypicalitySettings(folds_file="folds.csv"), study_folder=tmp_path)
    assert found.groupby("repeat")["one_group"].all().tolist() == [True, False]
    assert found["one_group"].sum() == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("repeat,fold\n0,0\n", "missing are participant_id"),
        ("repeat,fold,participant_id\n0,a,ASDS1\n", "whole numbers"),
        ("repeat,fold,participant_id\n", "whole numbers"),
        ("repeat,fold,participant_id\n0,0,ASDS1\n0,1,ASDS1\n", "one fold of repeat 0, got ASDS1 again"),
        ("repeat,fold,participant_id\n0,0,ASDS1\n0,1,nobody\n", "differing: ASDS2, TDS1, TDS2, nobody"),
    ],
)
def test_folds_that_do_not_fit_are_refused(tmp_path, text, message) -> None:
    path = tmp_path / "folds.csv"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        read_folds(path, GROUPS)
    with pytest.raises(InvalidInputError, match="no such file"):
        read_folds(tmp_path / "others.csv", GROUPS)


def test_regression_actions_are_the_22_of_the_paper_in_the_order_of_its_files() -> None:
    # SPEC of Hugging Rain Man: columns of its loader; AU43 stands after AU07, 19 and 32 are descriptors, 26 and 27 one
    codes = [
        "01",
        "02",
        "04",
        "06",
        "07",
        "43",
        "09",
        "10",
        "12",
        "14",
        "15",
        "16",
        "17",
        "18",
        "19",
        "20",
        "23",
        "24",
        "25",
        "2X",
        "28",
        "32",
    ]
    assert [name[2:] for name in HRM_REGRESSION_ACTIONS] == codes
    assert set(HRM_REGRESSION_ACTIONS) < set(HRM_ACTIONS)


def write_labels(folder: Path, *, n: int = 40) -> None:
    """Four participants whose AU12 code tells the rating; the file writes actions as Hugging Rain Man does."""
    header = ["frame", *(name.replace("AU0", "AU").replace("AD", "AU") for name in HRM_ACTIONS), "AU0"]
    rng = np.random.default_rng(0)
    for group in ("ASD", "TD"):
        (folder / group).mkdir(parents=True)
        for person in ("S1", "S2"):
            table = pd.DataFrame(rng.integers(0, 2, (n, len(header))), columns=header).assign(frame=np.arange(n))
            table["AU12"] = np.repeat([0, 3], n // 2)
            table.to_csv(folder / group / f"{person}.csv", index=False)


def test_labels_enter_in_their_order_as_0_and_1_or_as_codes(tmp_path) -> None:
    write_labels(tmp_path / "labels")
    binary = AtypicalitySettings(inputs="labels", labels="labels")
    found = read_label_files(tmp_path / "labels", binary, groups=["ASD", "TD"])
    assert found.signals == HRM_REGRESSION_ACTIONS
    assert set(found.tables) == {(name, "", "") for name in GROUPS.index}
    table = found.tables["ASDS1", "", ""]
    assert list(table.columns) == ["frame", *HRM_REGRESSION_ACTIONS]
    assert table["AU12"].unique().tolist() == [0.0, 1.0]
    codes = binary.model_copy(update={"laterality": "codes"})
    found = read_label_files(tmp_path / "labels", codes, groups=["ASD", "TD"])
    assert found.tables["TDS2", "", ""]["AU12"].unique().tolist() == [0.0, 3.0]
    path = tmp_path / "labels" / "TD" / "S2.csv"
    for file in (tmp_path / "labels").rglob("*.csv"):
        pd.read_csv(file).drop(columns=["AU43", "AU32"]).to_csv(file, index=False)
    with pytest.raises(InvalidInputError, match="missing are AU43, AD32"):
        read_label_files(tmp_path / "labels", binary, groups=["ASD", "TD"])
    path.unlink()


def write_ratings(path: Path, *, constant: bool = False) -> None:
    lines = ["participant_id,start_frame,end_frame,judge,rating"]
    for name in GROUPS.index:
        lines += [f"{name},0,19,{judge},2" for judge in "ab"]
        lines += [f"{name},20,39,{judge},{2 if constant else 4}" for judge in "ab"]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def labelled(tmp_path):
    write_labels(tmp_path / "labels")
    write_ratings(tmp_path / "ratings.csv")
    people = GROUPS.rename("group").rename_axis("participant_id").reset_index()
    return Derivatives.of_study(tmp_path), [], tmp_path / "ratings.csv", people


def test_the_step_runs_on_labels_alone_and_notices_when_they_change(labelled) -> None:
    derivatives, *_ = labelled
    settings = QUICK.model_copy(update={"inputs": "labels", "labels": "labels"})
    assert update_atypicality(*labelled, settings=settings) == "missing"
    signals = read_table(derivatives.group_table("signals", "atypicality"))
    assert signals["signal"].tolist() == list(HRM_REGRESSION_ACTIONS)
    frames = read_table(derivatives.group_table("frames", "atypicality"))
    assert frames.groupby("participant_id").size().to_dict() == dict.fromkeys(GROUPS.index, 40)
    assert list_gaps(derivatives) == []
    assert update_atypicality(*labelled, settings=settings) is None
    path = derivatives.study / "labels" / "TD" / "S2.csv"
    path.write_text(path.read_text().replace("\n0,", "\n00,", 1))
    assert update_atypicality(*labelled, settings=settings) == "labels: TD/S2.csv changed"


def test_folds_side_by_side_equal_those_one_by_one(labelled) -> None:
    derivatives, *_ = labelled
    settings = QUICK.model_copy(update={"inputs": "labels", "labels": "labels"})
    found = {}
    for workers in (1, 2):
        said: list[tuple[str, int, int]] = []
        update_atypicality(
            *labelled,
            settings=settings.model_copy(update={"workers": workers}),
            progress=lambda *words: said.append(words),  # noqa: B023
        )
        assert said[-1] == ("atypicality gru", 2, 2)
        folder = derivatives.group_table("performance", "atypicality").parent
        files = sorted((folder / CHECKPOINTS).rglob("*.safetensors"))
        found[workers] = (
            [load_file(path) for path in files],
            read_table(derivatives.group_table("performance", "atypicality")),
        )
        assert len(files) == 2
        # the number of processes decides nothing: it has no part in the key, so the files are taken away
        for path in (*files, derivatives.group_table("performance", "atypicality")):
            path.unlink()
    for one, other in zip(found[1][0], found[2][0], strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    pd.testing.assert_frame_equal(found[1][1], found[2][1])


def test_an_interrupted_run_ends_its_processes_in_the_middle_of_a_fold(labelled) -> None:
    endless = QUICK.model_copy(
        update={"inputs": "labels", "labels": "labels", "workers": 2, "epochs": 100_000, "stride_frames": 1}
    )

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update_atypicality(*labelled, settings=endless, progress=interrupt)
    assert not [child for child in multiprocessing.active_children() if child.is_alive()]


def test_constant_ratings_have_no_correlation_and_no_verdict_is_invented(labelled) -> None:
    derivatives, _, ratings, _ = labelled
    write_ratings(ratings, constant=True)
    update_atypicality(*labelled, settings=QUICK.model_copy(update={"inputs": "labels", "labels": "labels"}))
    found = read_table(derivatives.group_table("performance", "atypicality")).set_index(["model", "measure"])
    for model in ("gru", "median", "ridge"):
        assert found.loc[model].loc[["pearson", "ccc", "icc"], "estimate"].isna().all()
    assert found.loc[("median", "mae"), "estimate"] == 0
    assert found.loc[("gru", "mse"), "verdict"] != "better than the constant"


def test_ratings_may_name_session_and_task(tmp_path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(
        "participant_id,session,task,start_frame,end_frame,judge,rating\n"
        "sub-01,ses-1,film,0,20,a,2\nsub-01,ses-2,film,0,20,a,4\nsub-01,n/a,film,0,20,a,n/a\n"
    )
    wide = read_ratings(path)
    assert wide["session"].tolist() == ["ses-1", "ses-2", ""]
    segments = read_segments(path)
    assert set(zip(segments["session"], segments["mean"].fillna(0), strict=True)) == {("1", 2), ("2", 4), ("", 0)}
    text = path.read_text()
    path.write_text(text + "sub-01,ses-1,film,10,30,a,3\n")
    with pytest.raises(InvalidInputError, match="one after the other of sub-01, ses-1, film"):
        read_ratings(path)


def test_many_participants_make_no_table_of_all_combinations(tmp_path) -> None:
    # 60 participants with 12 starts of their own: all combinations would be 60 x 720 x 720 rows
    path = tmp_path / "ratings.csv"
    rows = [f"{p:02d},{97 * k + p},{97 * k + p + 60},a,3" for p in range(60) for k in range(12)]
    path.write_text("\n".join(["participant_id,start_frame,end_frame,judge,rating", *rows]) + "\n")
    assert len(read_ratings(path)) == 720


def test_workers_are_bounded_by_folds_and_settings() -> None:
    assert count_workers(1, AtypicalitySettings(device="cpu")) == 1
    assert count_workers(0, AtypicalitySettings(device="cpu")) == 1
    assert count_workers(99, AtypicalitySettings(device="cpu", workers=2)) == 2
    assert 1 <= count_workers(99, AtypicalitySettings(device="cpu")) <= 8
