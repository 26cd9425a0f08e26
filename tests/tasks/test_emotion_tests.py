"""Tests by emotion: both units of analysis, models, combinations, and what is said where there is no number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.facs import EMOTIONET_AUS, EXPRESSION_COLUMNS
from stats.corrections import adjust_p_values
from stats.group_tests import mann_whitney, student_t
from tasks.attribute_tests import ATTRIBUTE_READING_COLUMNS, READINGS, compare_attribute_readings
from tasks.combination_tests import compare_diversity, list_directions, tabulate_complexity
from tasks.comparison import code_covariates, compare_frames_of_emotions
from tasks.comparison_tables import TABLES, rate_columns
from tasks.emotion_frames import collect_frames, rate_actions, read_emotions
from tasks.errors import InvalidInputError
from tasks.settings import CompareSettings
from tasks.tables import write_table

SIGNALS = ("AU01", "AU04", "AU12", "AU33")
FAST = CompareSettings(permutations=499, bootstrap_samples=200, min_combination_frames=20)


def make_frames(seed: int = 0, n_people: int = 16, n: int = 120, shift: float = 0.0) -> pd.DataFrame:
    """Clustered activity: each participant has a rate of its own; `shift` is added to AU04 of the first group."""
    rng = np.random.default_rng(seed)
    parts = []
    for person in range(n_people):
        group = "ASD" if person % 2 else "TD"
        rates = rng.beta(0.6, 1.4, size=3)
        rates[1] = np.clip(rates[1] * 0.3 + (shift if group == "ASD" else 0), 0, 1)
        active = rng.random((n, 3)) < rates
        part = pd.DataFrame(active.astype(np.uint8), columns=list(SIGNALS[:3])).assign(AU33=np.uint8(0))
        part["emotion"] = np.where(np.arange(n) < n // 2, "happy", "sad")
        parts.append(part.assign(participant_id=f"{person:02d}", group=group, session="", task="clips", frame=range(n)))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return compare_frames_of_emotions(make_frames(), FAST, signals=SIGNALS, circular=True)


def test_every_table_has_its_dictionary(tables, tmp_path) -> None:
    for name, table in tables.items():
        described = TABLES[name][1] + (rate_columns(SIGNALS) if name == "emotion_rates" else ())
        assert table.columns.tolist() == [column.name for column in described], name
        write_table(table, tmp_path / f"{name}.parquet", described=described)


def test_over_frames_as_published_and_over_participants(tables) -> None:
    frames = make_frames()
    sad = frames[frames["emotion"] == "sad"]
    published = tables["emotion_frames"].set_index(["emotion", "signal"])
    expected = mann_whitney(sad.loc[sad["group"] == "ASD", "AU12"], sad.loc[sad["group"] == "TD", "AU12"])
    row = published.loc[("sad", "AU12")]
    assert (row["u"], row["z"], row["p"]) == pytest.approx((expected.u, expected.z, expected.p))
    assert (row["frames_a"], row["frames_b"], row["n_a"], row["n_b"]) == (480, 480, 8, 8)
    assert row["pseudo_replicated"]
    beside = tables["emotion_aus"].set_index(["emotion", "signal"])
    assert row["p_participants"] == beside.loc[("sad", "AU12"), "p"]
    by_person = sad.groupby(["group", "participant_id"])["AU12"].mean()
    expected = mann_whitney(by_person["ASD"], by_person["TD"])
    assert (beside.loc[("sad", "AU12"), ["u", "p"]]).tolist() == pytest.approx([expected.u, expected.p])
    assert row["difference"] == pytest.approx(by_person["ASD"].mean() - by_person["TD"].mean())  # equal frames each
    assert row["ci_low"] < row["difference"] < row["ci_high"]


def test_the_two_units_disagree_on_clustered_nulls(tables) -> None:
    published = tables["emotion_frames"]
    tested = published[(published["signal"] != "AU33")]
    assert (tested["p"] < 0.001).any()  # no difference was planted
    assert set(tested["units_agree"]) <= {"frames only", "neither"}
    assert (published["p_cluster_bh"] > 0.05).all()
    for _, rows in published.groupby("emotion"):
        assert rows["p_bh"].tolist() == pytest.approx(adjust_p_values(rows["p"]).tolist())
        assert rows["p_holm"].tolist() == pytest.approx(adjust_p_values(rows["p"], method="holm").tolist())
    assert published["p_holm_all"].tolist() == pytest.approx(adjust_p_values(published["p"], method="holm").tolist())


def test_a_planted_difference_is_found_in_both_units() -> None:
    frames = make_frames(seed=1, n_people=24, shift=0.5)
    found = compare_frames_of_emotions(frames, FAST, signals=SIGNALS)
    row = found["emotion_frames"].set_index(["emotion", "signal"]).loc[("happy", "AU04")]
    assert row["units_agree"] == "both"
    assert row["p_cluster"] < 0.01
    model = found["emotion_models"].set_index(["emotion", "signal"]).loc[("happy", "AU04")]
    assert model["estimate"] > 0
    assert model["p"] < 0.01


def test_columns_that_do_not_vary_and_units_that_select_are_marked(tables) -> None:
    participants = tables["emotion_aus"].set_index(["emotion", "signal"])
    never = participants.loc[("happy", "AU33")]
    assert (never["z"], never["p"], never["note"]) == (0, 1, "the same value in all participants")
    assert (
        tables["emotion_frames"].set_index(["emotion", "signal"]).loc[("sad", "AU33"), "note"]
        == "the same value in all frames"
    )
    assert participants["selection"].to_dict() == {
        (emotion, signal): signal in {"happy": ("AU12",), "sad": ("AU01", "AU04")}[emotion]
        for emotion in ("happy", "sad")
        for signal in SIGNALS
    }
    assert "circular" in participants.loc[("happy", "AU12"), "note"]
    plain = compare_frames_of_emotions(make_frames(), FAST, signals=SIGNALS)
    assert not plain["emotion_aus"]["selection"].any()


def test_one_group_or_a_group_of_one_gives_a_note() -> None:
    frames = make_frames()
    for kept, note in (
        (frames["group"] == "ASD", "too few participants: 8 and 0, 3 are needed in each group"),
        (
            (frames["group"] == "ASD") | (frames["participant_id"] == "00"),
            "too few participants: 8 and 1, 3 are needed",
        ),
    ):
        found = compare_frames_of_emotions(frames[kept], FAST, signals=SIGNALS)
        for name in ("emotion_aus", "emotion_frames", "emotion_models"):
            assert found[name]["p"].isna().all(), name
            assert found[name]["note"].str.startswith(note).all(), name
        assert set(found["emotion_frames"]["units_agree"]) == {"not tested"}
        assert found["diversity"]["note"].str.startswith(note).all()


def test_participants_without_enough_frames_are_listed() -> None:
    frames = make_frames()
    few = frames[(frames["participant_id"] != "03") | (frames["frame"] < 5)]
    rates = compare_frames_of_emotions(few, FAST, signals=SIGNALS)["emotion_rates"]
    row = rates[rates["participant_id"] == "03"].iloc[0]
    assert (row["n_valid"], row["counts"], row["note"]) == (5, False, "fewer than 12 valid frames in every session")
    assert rates.loc[rates["participant_id"] != "03", "counts"].all()


def test_covariates_are_coded_and_enter_the_model() -> None:
    rows = pd.DataFrame(
        {
            "participant_id": [f"{n:02d}" for n in range(16)],
            "age": [4.0, 5, 6, None, *range(4, 16)],
            "site": ["A", "B", "C", None] * 4,
        }
    )
    coded = code_covariates(rows, ["age", "site"])
    assert coded.columns.tolist() == ["age", "site_B", "site_C"]
    assert coded.loc["01"].tolist() == [5, 1, 0]
    assert coded.loc["03"].isna().all()
    assert code_covariates(rows, []) is None
    with pytest.raises(InvalidInputError, match="missing are iq"):
        code_covariates(rows, ["age", "iq"])
    models = compare_frames_of_emotions(make_frames(), FAST, signals=SIGNALS, covariates=coded)["emotion_models"]
    assert set(models["covariates"]) == {"age, site_B, site_C"}
    assert set(models["n_a"] + models["n_b"]) == {12}


def test_combinations_with_and_without_laterality() -> None:
    frames = make_frames()
    assert list_directions(frames, SIGNALS) == [False]
    sided = frames.assign(AU12=frames["AU12"] * (1 + np.arange(len(frames)) % 3))
    assert list_directions(sided, SIGNALS) == [True, False]
    table = tabulate_complexity(sided, SIGNALS)
    counts = table.groupby(["directions", "group", "emotion"])["n_types"].sum()
    assert (counts[True] > counts[False]).all()
    tests = compare_diversity(sided, SIGNALS, FAST)
    assert len(tests) == 2 * 2 * 3
    complexity = tests[
        (tests["measure"] == "mean_complexity") & (tests["emotion"] == "sad") & tests["directions"]
    ].iloc[0]
    sad = sided[sided["emotion"] == "sad"]
    means = (sad[list(SIGNALS)] > 0).sum(axis=1).groupby([sad["group"], sad["participant_id"]]).mean()
    assert complexity["p"] == pytest.approx(mann_whitney(means["ASD"], means["TD"]).p)


def make_table(n: int = 60) -> pd.DataFrame:
    """A frame table in which the network sees happiness, first with and then without raised lip corners."""
    frames = pd.DataFrame(0.1, index=range(n), columns=[*EMOTIONET_AUS, *EXPRESSION_COLUMNS])
    frames[list(EXPRESSION_COLUMNS)] = 0.02
    frames["expr_happy"] = 0.86
    frames.loc[: n // 2 - 1, "AU12"] = 0.9
    return frames.assign(
        participant_id="01",
        session="",
        task="clips",
        frame=range(n),
        time_s=np.arange(n) / 25,
        valid=np.arange(n) % 10 > 0,
    )


def test_emotion_by_vote_needs_no_events() -> None:
    sessions = pd.DataFrame({"participant_id": ["01"], "session": [""], "task": ["clips"], "group": ["ASD"]})
    collected = collect_frames(read_emotions([make_table()], {}, sessions, signals=EMOTIONET_AUS, source="vote"))
    assert len(collected) == 54
    assert collected["emotion"].notna().sum() == 27
    assert collected.loc[collected["emotion"] == "happy", "AU12"].eq(1).all()
    assert collected.loc[collected["emotion"].isna(), "AU12"].eq(0).all()
    rates = rate_actions(collected, EMOTIONET_AUS, min_frames=10, order=[])
    assert rates[["emotion", "n_valid", "AU12", "AU04"]].to_numpy().tolist() == [["happy", 27, 1.0, 0.0]]


def test_duplicated_frames_and_sessions_are_refused() -> None:
    sessions = pd.DataFrame({"participant_id": ["01"], "session": [""], "task": ["clips"], "group": ["ASD"]})
    for sources in ([make_table(), make_table()], [pd.concat([make_table(), make_table().iloc[3:4]])]):
        with pytest.raises(InvalidInputError, match="sub-01, task clips once"):
            list(read_emotions(sources, {}, sessions, signals=EMOTIONET_AUS, source="vote"))


def test_three_readings_of_an_attribute() -> None:
    from features.vector_58 import ATTRIBUTE_GROUPS, FEATURE_NAMES

    rng = np.random.default_rng(4)
    people = pd.DataFrame(rng.normal(size=(20, 58)), columns=list(FEATURE_NAMES))
    people["group"] = np.where(np.arange(20) < 12, "ASD", "TD")
    table = compare_attribute_readings(people)
    assert table.columns.tolist() == [column.name for column in ATTRIBUTE_READING_COLUMNS]
    assert len(table) == 4 * len(READINGS)
    names = list(ATTRIBUTE_GROUPS["arousal"])
    by_hand = pd.Series({name: student_t(people.loc[:11, name], people.loc[12:, name]).p for name in names})
    smallest = table[(table["attribute_group"] == "arousal") & (table["reading"] == "smallest")].iloc[0]
    assert (smallest["feature"], smallest["p"]) == (by_hand.idxmin(), pytest.approx(min(by_hand.min() * 3, 1)))
    assert smallest["p_bh"] == pytest.approx(adjust_p_values(by_hand).min())
    pooled = table[table["reading"] == "pooled"]
    assert pooled["pseudo_replicated"].all()
    assert pooled["df"].tolist() == [20 * len(ATTRIBUTE_GROUPS[name]) - 2 for name in pooled["attribute_group"]]
    few = compare_attribute_readings(people.iloc[:13])
    assert few["note"].str.startswith("too few participants: 12 and 1").all()
