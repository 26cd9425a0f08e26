"""Emotion by the vote of models and by annotation, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.emotions import (
    count_frames,
    label_frames_by_annotation,
    label_frames_by_vote,
    selecting_units,
    soft_vote,
)
from features.facs import (
    BASIC_EXPRESSIONS,
    EXPRESSION_COLUMNS,
    HRM_ACTIONS,
    action_column,
    drop_contempt,
    expression_name,
)


def make_votes(**shares: list[float]) -> pd.DataFrame:
    """Probabilities of the seven classes; what the named ones leave goes to neutral."""
    n = len(next(iter(shares.values())))
    table = pd.DataFrame(0.0, index=range(n), columns=list(BASIC_EXPRESSIONS))
    for name, values in shares.items():
        table[name] = values
    table["neutral"] += 1 - table.sum(axis=1)
    return table


def label(votes: pd.DataFrame, active: pd.DataFrame, **options: object) -> list[object]:
    labels = label_frames_by_vote(votes, active, **options)
    return [None if pd.isna(name) else name for name in labels]


def test_models_of_other_class_order_and_spelling_vote_together() -> None:
    one = make_votes(happy=[0.9], sad=[0.05])
    # order of RAF-DB: surprise, fear, disgust, happiness, sadness, anger, neutral
    other = pd.DataFrame(
        [[0.1, 0.0, 0.0, 0.5, 0.2, 0.0, 0.2]],
        columns=["Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"],
    )
    vote = soft_vote([one, other])
    assert vote.columns.tolist() == list(BASIC_EXPRESSIONS)
    assert vote.loc[0, ["happy", "sad", "surprise"]].tolist() == pytest.approx([0.7, 0.125, 0.05])
    assert vote.loc[0].sum() == pytest.approx(1)


def test_one_model_is_a_vote_of_one_and_contempt_is_dropped() -> None:
    values = np.random.default_rng(1).dirichlet(np.ones(8), size=20)
    vote = soft_vote([pd.DataFrame(values, columns=list(EXPRESSION_COLUMNS))])
    np.testing.assert_allclose(vote.to_numpy(), drop_contempt(values))


def test_frames_that_a_model_did_not_see_have_no_vote() -> None:
    one, other = make_votes(happy=[0.9, 0.9]), make_votes(happy=[0.8, 0.8])
    other.loc[1] = np.nan
    vote = soft_vote([one, other])
    assert vote["happy"].isna().tolist() == [False, True]
    assert label(vote, pd.DataFrame({"AU12": [1, 1]}), constraints={}) == ["happy", None]


def test_threshold_is_strict() -> None:
    votes = make_votes(happy=[0.5, 0.625, 0.75])
    smile = pd.DataFrame({"AU12": [True] * 3})
    constraints = {"happy": ("AU12",)}
    assert label(votes, smile, threshold=0.625, constraints=constraints) == [None, None, "happy"]
    assert label(votes, smile, threshold=0.6, constraints=constraints) == [None, "happy", "happy"]


@pytest.mark.parametrize(
    ("emotion", "units"),
    [
        ("happy", {"AU12"}),
        ("surprise", {"AU01", "AU02", "AU05", "AU25", "AU2X", "AU26", "AU27"}),
        ("sad", {"AU01", "AU04", "AU06", "AU15", "AU17"}),
        ("anger", set()),
    ],
)
def test_any_unit_of_the_constraint_confirms(emotion, units) -> None:
    assert selecting_units(emotion) == units
    columns = [*HRM_ACTIONS, "AU26", "AU27"]
    active = pd.DataFrame(np.eye(len(columns)) * 3, columns=columns)  # one unit a frame, coded as on the right side
    votes = make_votes(**{emotion: [0.7] * len(columns)})
    confirmed = {name for name, found in zip(columns, label(votes, active), strict=True) if found == emotion}
    assert confirmed == (units or set(columns))


def test_a_constraint_that_no_frame_could_meet_is_an_error() -> None:
    with pytest.raises(ValueError, match="AU12 to confirm 'happy', got none"):
        label_frames_by_vote(make_votes(happy=[0.7]), pd.DataFrame({"AU01": [1]}))
    with pytest.raises(ValueError, match="same frames"):
        label_frames_by_vote(make_votes(happy=[0.7]), pd.DataFrame({"AU12": [1]}, index=[5]))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "got none"),
        ([make_votes(happy=[0.5]), make_votes(happy=[0.5, 0.5])], "from model 2"),
        ([make_votes(happy=[0.5]).drop(columns="fear")], "fear missing"),
        ([make_votes(happy=[0.5]).assign(Sadness=0.0)], "sad twice"),
        ([make_votes(happy=[0.5]) * 2], "sum to 1"),
        ([make_votes(happy=[0.5]).rename(columns={"fear": "boredom"})], "'boredom'"),
    ],
)
def test_votes_are_checked(sources, message) -> None:
    with pytest.raises(ValueError, match=message):
        soft_vote(sources)


def test_annotators_labels() -> None:
    given = pd.Series(["Happiness", "sad", None, "", "SURPRISED"])
    assert [None if pd.isna(name) else name for name in label_frames_by_annotation(given)] == [
        "happy", "sad", None, None, "surprise",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'bored'"):
        label_frames_by_annotation(pd.Series(["bored"]))


def test_frames_are_counted_by_participant_and_emotion() -> None:
    emotions = pd.DataFrame(
        {
            "participant_id": ["1", "1", "1", "2", "2"],
            "group": ["ASD", "ASD", "ASD", "TD", "TD"],
            "emotion": ["happy", "happy", None, "sad", None],
        }
    )
    assert count_frames(emotions).to_dict("records") == [
        {"participant_id": "1", "group": "ASD", "n_frames": 3, "n_without_emotion": 1, "happy": 2, "sad": 0},
        {"participant_id": "2", "group": "TD", "n_frames": 2, "n_without_emotion": 1, "happy": 0, "sad": 1},
    ]


def test_codes_of_label_files() -> None:
    # numbers in the header of Hugging Rain Man's label files, without AU0, AU21, AU31 and ASD
    header = "1 2 4 5 6 7 43 8 9 10 12 13 14 15 16 17 18 19 20 22 23 24 25 2X 28 29 30 32 33 34 35 36 37"
    assert tuple(map(action_column, header.split())) == HRM_ACTIONS
    assert [action_column(code) for code in ("19", "au30", "43E", "26/27", 5)] == [
        "AD19",
        "AD30",
        "AU43",
        "AU2X",
        "AU05",
    ]
    for wrong in ("AU0", "ASD", "AU123", "frame"):
        with pytest.raises(ValueError, match="action unit or descriptor"):
            action_column(wrong)
    assert expression_name(" Anger") == "anger"
