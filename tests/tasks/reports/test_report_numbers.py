"""Numbers that the reports compute themselves, against values derived by hand or by an independent implementation."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pingouin
import pytest

from features.frame_table import empty_rows
from tasks.reports import GroupReportInputs, ParticipantReportInputs, ReportFacts
from tasks.reports.classification import chance_f1, draw_roc, find_performance, permutation_cell
from tasks.reports.coverage import label_sessions, reason_shares
from tasks.reports.feature_effects import measure_effects
from tasks.reports.formatting import (
    duration,
    estimate,
    file_size,
    interval,
    level,
    listing,
    number,
    p_equals,
    p_value,
    percent,
    without_folders,
)  # fmt: skip
from tasks.reports.participant import find_warnings
from tasks.reports.timelines import MAX_POINTS, bin_frames, draw_expressions, find_runs, frame_ends, prepare_timeline


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.00001, "< .001"),
        (0.0012, ".001"),
        (0.0499, ".050"),
        (0.05, ".050"),
        (0.42, ".42"),
        (0.999, "1"),
        (1.0, "1"),
        (math.nan, "–"),
    ],
)
def test_p_values(p: float, text: str) -> None:
    assert p_value(p) == text


def test_p_within_a_sentence() -> None:
    assert p_equals(0.0001) == "p < .001"
    assert p_equals(0.034) == "p = .034"
    assert level(0.05) == ".05"


def test_numbers() -> None:
    assert number(-0.004) == "0.00"  # no negative zero
    assert number(-1.236) == "−1.24"
    assert number(1234.5, 1) == "1,234.5"
    assert number(0.3, 1, signed=True) == "+0.3"
    assert number(None) == number(math.inf) == "–"
    assert interval(0.1, math.nan) == "–"
    assert estimate(0.5, -0.1, 1.1) == "0.50 [−0.10, 1.10]"


def test_percent_never_rounds_to_certainty() -> None:
    assert percent(0.9999) == "> 99%"
    assert percent(0.0001) == "< 1%"
    assert (percent(0.0), percent(1.0), percent(0.5)) == ("0%", "100%", "50%")


def test_durations_and_sizes() -> None:
    assert duration(395) == "6 min 35 s"
    assert duration(48.04) == "48.0 s"
    assert file_size(999) == "999 B"
    assert file_size(2_400_000) == "2.4 MB"


def test_listing() -> None:
    assert listing([]) == "none"
    assert listing(["a"]) == "a"
    assert listing("abc") == "a, b and c"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot open /a/b/c.mp4", "cannot open c.mp4"),
        ("'/a/b c.mp4'", "'b c.mp4'"),
        ("n/a and AU/arousal, 1/(n + 1)", "n/a and AU/arousal, 1/(n + 1)"),
        (r"D:\lab\x.mp4", "x.mp4"),
        ("~/videos/x.mp4", "x.mp4"),
        ("sub-1/beh/x.mp4", "sub-1/beh/x.mp4"),
        ("https://doi.org/10.1/x", "https://doi.org/10.1/x"),
    ],
)
def test_absolute_folders_are_cut(text: str, kept: str) -> None:
    assert without_folders(text) == kept


def frames_of(reasons: list[str], *, step: float = 0.1) -> pd.DataFrame:
    frames = empty_rows(len(reasons))
    valid = np.array([reason == "ok" for reason in reasons])
    frames["frame"] = np.arange(len(reasons), dtype=np.int32)
    frames["time_s"] = step * np.arange(len(reasons))
    frames["valid"] = valid
    frames["invalid_reason"] = pd.array(reasons, dtype="str")
    for column in [name for name in frames if name.startswith(("AU", "expr_", "arousal", "valence"))]:
        frames[column] = np.where(valid, 0.25, np.nan).astype(np.float32)
    return frames


def test_runs_are_exact() -> None:
    runs = find_runs(frames_of(["ok"] * 3 + ["no_face"] * 2 + ["ok"] + ["blurred"]))
    found = {(row.reason, round(row.start_s, 6), round(row.end_s, 6)) for row in runs.itertuples()}
    assert found == {("ok", 0.0, 0.3), ("no_face", 0.3, 0.5), ("ok", 0.5, 0.6), ("blurred", 0.6, 0.7)}


def test_runs_closer_than_a_bin_merge() -> None:
    runs = find_runs(frames_of(["ok", "no_face"] * 20), merge_s=0.15)
    assert sorted(runs["reason"]) == ["no_face", "ok"]


def test_frame_ends_follow_the_clock() -> None:
    assert frame_ends(pd.Series([0.0, 0.1, 0.4])).tolist() == pytest.approx([0.1, 0.4, 0.6])


def test_bins_average_valid_frames_and_keep_gaps() -> None:
    frames = frames_of(["ok", "no_face", "no_face", "no_face", "ok", "ok"])
    frames["AU12"] = np.array([0.2, np.nan, np.nan, np.nan, 0.4, 0.8], dtype=np.float32)
    binned = bin_frames(frames, n_bins=3, start_s=0.0, width_s=0.2)
    assert binned["AU12"].tolist() == pytest.approx([0.2, math.nan, 0.6], nan_ok=True)
    assert binned["time_s"].tolist() == pytest.approx([0.1, 0.3, 0.5])


def test_long_recordings_are_reduced() -> None:
    timeline = prepare_timeline(frames_of(["ok"] * 5000), None, key="k")
    assert len(timeline.binned) == MAX_POINTS
    assert timeline.binned["AU12"].notna().all()


def test_expressions_are_empty_where_nothing_was_measured() -> None:
    chart = draw_expressions(prepare_timeline(frames_of(["ok", "no_face", "ok"]), None, key="k"))
    traces = json.loads(chart.spec)["data"]
    assert [trace["y"][1] for trace in traces] == [0.0] * 8
    assert all(trace["y"][0] > 0 for trace in traces)


def test_chance_of_calling_everyone_positive() -> None:
    # precision n+/n, recall 1: F1 = 2 n+ / (2 n+ + n-); Li et al.: 98 / 137
    assert chance_f1(49, 39) == pytest.approx(98 / 137)


def test_smallest_permutation_p_is_named() -> None:
    row = pd.Series({"p_permutation": 1 / 201, "p_smallest": 1 / 201})
    assert permutation_cell(row).detail == "the smallest"
    assert permutation_cell(row.replace(row["p_permutation"], 0.3)).text == ".30"
    assert permutation_cell(pd.Series({"p_permutation": None, "p_smallest": None})).text == "not permuted"


def test_findings_state_n_interval_and_smallest_p(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.performance is not None
    full = group_inputs.performance.query("feature_set == 'all'")
    text = " ".join(find_performance(full, group_inputs.facts))
    assert "n = 22 (11 ASD, 11 TD)" in text
    assert "calling everyone ASD would give 0.67" in text
    assert "p cannot be smaller than .005" in text


def test_roc_of_a_perfect_score() -> None:
    predictions = pd.DataFrame(
        {
            "classifier": "lda",
            "participant_id": list("abcd"),
            "truth": ["ASD", "ASD", "TD", "TD"],
            "score": [2, 1, -1, -2.0],
        }
    )
    chart = draw_roc(predictions, ReportFacts("s", "d", "0"))
    assert chart is not None
    curve = json.loads(chart.spec)["data"][1]
    assert curve["x"] == [0, 0, 0, 0.5, 1]
    assert curve["y"] == [0, 0.5, 1, 1, 1]
    assert draw_roc(predictions[predictions["truth"] == "TD"], ReportFacts("s", "d", "0")) is None


def test_effects_agree_with_pingouin(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.features is not None
    effects = measure_effects(group_inputs.features, group_inputs.facts).set_index("feature")
    used = group_inputs.features[group_inputs.features["included"]]
    a, b = (used.loc[used["group"] == group, "mean_AU12"] for group in ("ASD", "TD"))
    # pingouin's correction is the approximation 1 - 3/(4 df - 1), ours is exact: 1e-3 apart at df = 20
    assert effects.loc["mean_AU12", "hedges_g"] == pytest.approx(
        pingouin.compute_effsize(a, b, eftype="hedges"), abs=2e-3
    )
    assert effects.loc["mean_AU12", "n_a"] == 11


def test_sessions_of_a_participant_count_once(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.features is not None
    twice = pd.concat([group_inputs.features.assign(session=name) for name in ("1", "2")])
    once = measure_effects(group_inputs.features, group_inputs.facts)
    pd.testing.assert_frame_equal(measure_effects(twice, group_inputs.facts), once)


def test_effects_need_two_participants_a_group(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.features is not None
    few = group_inputs.features[group_inputs.features["participant_id"].isin(["ASD01", "TD01", "TD02"])]
    assert measure_effects(few, group_inputs.facts).empty


def test_reason_shares_sum_to_one(group_inputs: GroupReportInputs) -> None:
    shares = reason_shares(group_inputs.invalid_reasons)
    assert shares is not None
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    assert group_inputs.features is not None
    fractions = group_inputs.features.set_index(["participant_id", "session", "task"])["valid_fraction"]
    pd.testing.assert_series_equal(shares["ok"].sort_index(), fractions.sort_index(), check_names=False)


def test_an_unusual_recording_is_flagged() -> None:
    table = pd.DataFrame(
        {
            "participant_id": list("abcdef"),
            "session": "",
            "task": "clips",
            "group": "TD",
            "valid_fraction": [0.9, 0.91, 0.92, 0.93, 0.94, 0.6],
        }
    )
    labelled = label_sessions(table)
    assert labelled.loc[labelled["outlier"], "label"].tolist() == ["f"]


def test_recordings_of_one_participant_have_different_labels() -> None:
    table = pd.DataFrame(
        {
            "participant_id": ["a", "a"],
            "session": ["1", "2"],
            "task": "clips",
            "group": "TD",
            "valid_fraction": [0.9, 0.8],
        }
    )
    assert label_sessions(table)["label"].is_unique


def test_warnings_name_what_matters(participant_inputs: ParticipantReportInputs) -> None:
    found = " ".join(find_warnings(participant_inputs))
    assert "tracked face changed 1 time" in found
    assert "Under the coverage gate" not in found
    strict = dataclasses.replace(participant_inputs.facts, min_valid_fraction=0.99)
    assert "Under the coverage gate" in " ".join(find_warnings(dataclasses.replace(participant_inputs, facts=strict)))
