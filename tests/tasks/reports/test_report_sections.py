"""Participant flow, quality, combinations and matrices of the group report; warnings and quality of the participant report."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from tasks.reports import GroupReportInputs, ParticipantReportInputs, build_group_report, build_participant_report
from tasks.reports.classification import list_matrices
from tasks.reports.combinations import describe_combinations
from tasks.reports.flow import build_flow, generalise, reached_steps
from tasks.reports.participant import find_warnings
from tasks.reports.quality import describe_quality, find_outliers, measure_quality


def test_flow_counts_each_loss_once_with_its_reason(group_inputs: GroupReportInputs) -> None:
    flow = build_flow(group_inputs)
    assert [(step.label, step.total) for step in flow.steps] == [
        ("Enrolled", 24), ("Recorded", 24), ("Readable", 23), ("Measured", 23), ("Valid", 22), ("Analysed", 22),
    ]  # fmt: skip
    assert flow.steps[2].by_group == [("ASD", 11), ("TD", 12)]
    lost = {step.label: [(loss.reason, loss.count, list(loss.names)) for loss in step.losses] for step in flow.steps}
    assert lost["Recorded"] == [("No frame can be decoded", 1, ["ASD05"])]
    assert len(lost["Measured"]) == 1
    assert lost["Measured"][0][1:] == (1, ["TD09"])
    assert [step.n_lost for step in flow.steps] == [0, 1, 0, 1, 0, 0]


def test_every_participant_who_is_lost_is_counted_at_one_step(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.participants is not None
    assert group_inputs.features is not None
    people = pd.concat(
        [group_inputs.participants, pd.DataFrame({"participant_id": ["X1", "X2"], "group": ["other", "ASD"]})]
    )
    features = group_inputs.features.copy()
    features.loc[len(features)] = features.iloc[0].to_dict() | {"participant_id": "X1", "group": "other"}
    changed = dataclasses.replace(group_inputs, participants=people, features=features)
    flow = build_flow(changed)
    assert flow.steps[0].total - sum(step.n_lost for step in flow.steps) == flow.steps[-1].total == 22
    reasons = {loss.reason for step in flow.steps for loss in step.losses}
    assert "not of the two groups that are compared (other)" in reasons
    assert "no reason was recorded" in reasons  # X2 has no recording and no outcome


def test_analysed_without_classification_are_those_above_the_gate(group_inputs: GroupReportInputs) -> None:
    steps = dict(reached_steps(dataclasses.replace(group_inputs, predictions=None)))
    assert steps["Analysed"] == steps["Valid"]


def test_an_imported_participant_without_a_video_counts_as_recorded(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.triage is not None
    triage = group_inputs.triage[group_inputs.triage["participant_id"] != "TD01"]
    steps = dict(reached_steps(dataclasses.replace(group_inputs, triage=triage, outcomes=())))
    assert "TD01" in steps["Analysed"]


@pytest.mark.parametrize(
    ("reason", "general"),
    [
        ("41.3 % of frames are valid, 50.0 % are needed", "fewer than 50.0 % of frames valid"),
        ("12 frames are valid, 100 are needed; 1.0 % of frames are valid, 50.0 % are needed", "fewer than 100 valid frames"),
        ("participants.tsv, line 3: Expected a video of sub-1, got no folder. Add it.", "Expected a video of sub-1, got no folder"),
        ("no frame is valid", "no frame is valid"),
        ("x" * 300, "x" * 159 + "…"),
        ("", ""),
    ],
)  # fmt: skip
def test_reasons_lose_what_is_special_to_one_participant(reason: str, general: str) -> None:
    assert generalise(reason) == general


def test_reasons_that_differ_in_numbers_are_one(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.features is not None
    features = group_inputs.features.copy()
    low = features["participant_id"].isin(["TD01", "TD02"])
    features.loc[low, "included"] = False
    features.loc[low, "exclusion_reason"] = [
        "40.0 % of frames are valid, 50.0 % are needed",
        "7.5 % of frames are valid, 50.0 % are needed",
    ]
    flow = build_flow(dataclasses.replace(group_inputs, features=features, predictions=None))
    measured = next(step for step in flow.steps if step.label == "Measured")
    assert ("fewer than 50.0 % of frames valid", 2) in [(loss.reason, loss.count) for loss in measured.losses]


def test_quality_is_measured_over_valid_frames() -> None:
    frames = pd.DataFrame(
        {
            "time_s": [0.0, 0.04, 0.08, 0.12],
            "valid": [True, True, True, False],
            "face_x1": [0.0, 0.0, 0.0, 0.0], "face_x2": [10.0, 20.0, 30.0, 500.0],
            "face_y1": [0.0, 0.0, 0.0, 0.0], "face_y2": [50.0, 15.0, 50.0, 500.0],
            "face_score": [0.5, 0.6, 0.7, 0.0], "yaw_deg": [-20.0, 10.0, 0.0, 90.0],
            "sharpness": [1.0, 2.0, 3.0, 900.0], "brightness": [100.0, 110.0, 120.0, 0.0],
        }
    )  # fmt: skip
    found = measure_quality(frames)
    expected = {"frames_per_s": 25, "face_px": 15, "face_score": 0.6, "turn_deg": 10, "sharpness": 2, "brightness": 110}
    assert found == pytest.approx(expected)
    assert measure_quality(frames.head(1))["frames_per_s"] != measure_quality(frames.head(1))["frames_per_s"]  # NaN


def test_tukeys_fences_are_one_sided_where_only_one_side_is_bad() -> None:
    # Quartiles 2 and 4 of 1..5: fences at -1 and 7.
    table = pd.DataFrame({"sharpness": [1.0, 2, 3, 4, 5], "longest_gap_s": [1.0, 2, 3, 4, 5]})
    assert find_outliers(table).empty
    table = pd.DataFrame({"sharpness": [1.0, 2, 3, 4, 50], "longest_gap_s": [1.0, 2, 3, 4, 50]})
    found = find_outliers(table)
    assert found[["index", "measure", "value", "median"]].to_numpy().tolist() == [[4, "longest_gap_s", 50, 3]]
    assert find_outliers(table.head(4)).empty  # too few


def test_a_dark_recording_stands_out(group_inputs: GroupReportInputs) -> None:
    blocks = describe_quality(group_inputs)
    table = next(block for block in blocks if getattr(block, "id", "") == "quality-outliers")
    cells = {(row[0].text, row[2].text): row[3].text for row in table.rows}
    assert cells["TD05", "Brightness (0 to 255)"] == "30"
    assert ("TD04", "Brightness (0 to 255)") not in cells


def test_combinations_of_both_groups_are_drawn_and_named(group_inputs: GroupReportInputs) -> None:
    findings, charts, table = describe_combinations(group_inputs)
    assert "3 of 18 tests over participants have adjusted p < .05: active units, mean in happy" in findings.items[0]
    assert len(charts.charts) == 6
    first = json.loads(charts.charts[0].spec)["data"]
    assert [trace["y"] for trace in first if trace["type"] == "bar"] == [[5, 9, 2], [8, 12, 5]]
    assert "16 in ASD (280 frames) and 25 in TD (280 frames)" in charts.charts[0].alternative
    assert len(table.rows) == 18


def test_matrices_hold_the_counts(group_inputs: GroupReportInputs) -> None:
    assert group_inputs.performance is not None
    full = group_inputs.performance.query("feature_set == 'all'")
    matrices = list_matrices(full, group_inputs.facts)
    assert [(m.tp + m.fn, m.fp + m.tn) for m in matrices.items] == [(11, 11)] * 7
    row = full.iloc[0]
    assert (matrices.items[0].tp, matrices.items[0].fp) == (row["tp"], row["fp"])
    page = build_group_report(group_inputs)
    assert page.count('class="matrix"') == 7


def test_the_report_links_the_comparison_and_the_figures(group_inputs: GroupReportInputs) -> None:
    page = build_group_report(group_inputs)
    assert 'href="group/comparison.html"' in page
    assert 'href="group/figures/flow.pdf" aria-label="Flow of participants, PDF"' in page
    alone = build_group_report(dataclasses.replace(group_inputs, comparison_link="", figure_links=()))
    assert "group/comparison.html" not in alone
    assert 'id="figures"' not in alone


def test_segments_that_were_missed_are_a_warning(participant_inputs: ParticipantReportInputs) -> None:
    record = participant_inputs.sessions[0]
    assert record.frames is not None
    assert record.events is not None
    cut = record.frames[record.frames["time_s"] < 39]
    inputs = dataclasses.replace(participant_inputs, sessions=(dataclasses.replace(record, frames=cut),))
    assert "The recording ends before the segments anger." in find_warnings(inputs)
    onset = record.events.loc[1, "onset"]
    frames = record.frames.copy()
    inside = frames["time_s"].between(onset, onset + 6)
    frames.loc[inside, ["valid", "invalid_reason"]] = [False, "decode_error"]
    inputs = dataclasses.replace(participant_inputs, sessions=(dataclasses.replace(record, frames=frames),))
    found = " ".join(find_warnings(inputs))
    assert "Segments with less than 50% of frames valid: sad (0%)" in found
    assert f"{inside.sum()} frames could not be decoded" in found


def test_the_tool_of_an_imported_table_is_named(participant_inputs: ParticipantReportInputs) -> None:
    record = dataclasses.replace(participant_inputs.sessions[0], facts={"tool": "OpenFace 2.x"}, triage=None)
    inputs = dataclasses.replace(participant_inputs, sessions=(record,))
    assert "Measured by OpenFace 2.x" in " ".join(find_warnings(inputs))
    assert "<dt>Measured by</dt><dd>OpenFace 2.x</dd>" in build_participant_report(inputs)


def test_the_participant_report_states_the_quality(participant_inputs: ParticipantReportInputs) -> None:
    page = build_participant_report(participant_inputs)
    assert "<dt>Detection score</dt><dd>0.98</dd>" in page
    assert "<dt>Frames a second</dt><dd>25.0</dd>" in page
