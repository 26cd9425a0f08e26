"""Tables of other expression models: which belongs to which recording, whose rows they are, and their say in the vote."""

import numpy as np
import pandas as pd
import pytest

from features.facs import BASIC_EXPRESSIONS, EMOTIONET_AUS, EXPRESSION_COLUMNS
from tasks.emotion_frames import read_emotions
from tasks.errors import InvalidInputError, SettingsError
from tasks.expression_votes import find_vote_tables, read_votes
from tasks.recordings import SessionVideo
from tasks.settings_file import read_settings

N = 6


def write_votes(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows)
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path, index=False)
    return path


def certain_of(name, n=N, probability=1.0):
    """Rows of a model that gives `name` a probability and shares the rest among the other basic expressions."""
    rest = (1 - probability) / (len(BASIC_EXPRESSIONS) - 1)
    return {"frame": range(n), **{item: [probability if item == name else rest] * n for item in BASIC_EXPRESSIONS}}


@pytest.fixture
def frames():
    table = pd.DataFrame({"participant_id": "1", "session": "", "task": "clips", "frame": np.arange(N, dtype=np.int32)})
    table["time_s"] = table["frame"] / 24
    table["valid"] = True
    table[list(EMOTIONET_AUS)] = 0.0
    table["AU12"] = 0.9
    table[list(EXPRESSION_COLUMNS)] = 0.0
    # The network: .5 happy, .5 neutral, so alone it passes no threshold of .6.
    table[["expr_happy", "expr_neutral"]] = 0.5
    return table


def vote(frames, paths):
    key = ("1", "", "clips")
    sessions = pd.DataFrame({"participant_id": ["1"], "session": [""], "task": ["clips"], "group": ["ASD"]})
    found = list(read_emotions([frames], {}, sessions, signals=["AU12"], source="vote", vote_tables={key: paths}))
    return found[0][3]


def test_models_vote_by_their_mean(frames, tmp_path):
    """(.5 + .8 + 1) / 3 = .77 is above .6; with one model (.5 + .69) / 2 = .595 is not."""
    assert vote(frames, []).isna().all()
    low = write_votes(tmp_path / "a/x.csv", certain_of("happy", probability=0.69))
    assert vote(frames, [low]).isna().all()
    both = [
        write_votes(tmp_path / "a/y.csv", certain_of("happy", probability=0.8)),
        write_votes(tmp_path / "b/y.parquet", certain_of("happy")),
    ]
    assert vote(frames, both).tolist() == ["happy"] * N


def test_classes_in_another_order_and_spelling(frames, tmp_path):
    spelled = {
        "confidence": [1.0] * N, "Happiness": [1.0] * N, "frame": list(range(N))[::-1], "Surprise": 0.0, "Sadness": 0.0,
        "Neutral": 0.0, "Fear": 0.0, "Disgust": 0.0, "Anger": 0.0,
    }  # fmt: skip
    votes = read_votes(write_votes(tmp_path / "t.csv", spelled), frames)
    assert votes["Happiness"].tolist() == [1.0] * N
    assert "confidence" not in votes


def test_frames_that_a_model_left_out_have_no_emotion(frames, tmp_path):
    path = write_votes(tmp_path / "t.csv", {name: list(values)[:4] for name, values in certain_of("happy").items()})
    assert vote(frames, [path]).tolist()[:4] == ["happy"] * 4
    assert vote(frames, [path]).isna().tolist()[4:] == [True, True]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"frame": [0, 0, 1, 2, 3, 4]}, "at most once"),
        ({"frame": [1, 2, 3, 4, 5, 6]}, "beyond its end"),
        ({"frame": [0, 1, 2, 3, 4, None]}, "missing"),
        ({"happy": ["yes"] * N}, "Expected numbers in t.csv"),
    ],
)
def test_tables_that_do_not_fit(frames, tmp_path, change, complaint):
    path = write_votes(tmp_path / "t.csv", {**certain_of("happy"), **change})
    with pytest.raises(InvalidInputError, match=complaint):
        read_votes(path, frames)


def test_a_table_without_frames_or_classes(frames, tmp_path):
    for rows in ({"happy": [1.0]}, {"frame": [0]}, {"image": [0], "label": ["happy"]}):
        with pytest.raises(InvalidInputError, match="Expected the column frame and one for each class"):
            read_votes(write_votes(tmp_path / "t.csv", rows), frames)
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(InvalidInputError, match=r"Expected a table in empty\.csv"):
        read_votes(empty, frames)


def test_probabilities_that_do_not_sum_to_one_name_the_recording(frames, tmp_path):
    path = write_votes(tmp_path / "t.csv", {**certain_of("happy"), "sad": [1.0] * N})
    with pytest.raises(InvalidInputError, match="sub-1, task clips: Expected probabilities that sum to 1"):
        vote(frames, [path])


def test_each_recording_has_one_table_of_each_model(tmp_path):
    recordings = [SessionVideo("1", "", "clips", tmp_path), SessionVideo("10", "a", "clips", tmp_path)]
    for name in ("sub-1_task-clips_poster.csv", "sub-10/sub-10_ses-a_task-clips_poster.parquet", "notes.txt"):
        (tmp_path / "poster" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "poster" / name).touch()
    found = find_vote_tables(tmp_path, ["poster"], recordings)
    assert [path.name for key in found for path in found[key]] == [
        "sub-1_task-clips_poster.csv",
        "sub-10_ses-a_task-clips_poster.parquet",
    ]
    (tmp_path / "poster/sub-1_task-clips_again.csv").touch()
    with pytest.raises(InvalidInputError) as raised:
        find_vote_tables(tmp_path, ["poster", "eac"], recordings)
    for part in ("poster: 2 tables of sub-1_task-clips", "eac: 0 tables of sub-1", "eac: 0 tables of sub-10_ses-a"):
        assert part in str(raised.value)


def test_models_need_the_vote(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("compare:\n  vote_models: [poster]\n")
    with pytest.raises(SettingsError, match="set compare.emotion to vote"):
        read_settings(path)
