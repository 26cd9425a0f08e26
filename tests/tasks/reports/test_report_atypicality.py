"""Predicted atypicality in the reports: the plain sentence, what is missing, and a track whose times are those of the frames."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from plotly import graph_objects

from tasks.atypicality_tables import (
    FOLD_COLUMNS,
    FRAME_COLUMNS,
    MOMENT_COLUMNS,
    PERFORMANCE_COLUMNS,
    SEGMENT_COLUMNS,
    SIGNAL_COLUMNS,
)
from tasks.reports import build_group_report, build_participant_report
from tasks.reports.atypicality import NOT_MEANT, describe_atypicality, draw_track
from tasks.reports.atypicality_inputs import AtypicalityTables, AtypicalityTrack
from tasks.reports.blocks import Absent, Charts, Findings, Table
from tasks.reports.timelines import prepare_timeline

MODELS = ("gru", "bilstm", "median", "mean", "ridge", "boosting")
MEASURES = ("mae", "mse", "rmse", "mape", "pearson", "ccc", "icc")


def make_performance(verdicts: dict[str, str]) -> pd.DataFrame:
    rows = []
    for number, model in enumerate(MODELS):
        for measure in MEASURES:
            constant = model in {"median", "mean"} and measure == "pearson"
            value = np.nan if constant else 0.5 + number / 10
            less = -0.2 if verdicts.get(model, "").startswith("better") else 0.05
            values = (model, "sound", measure, value, 0.01, value - 0.1, value + 0.1, less, less - 0.1, less + 0.1)
            rows.append((*values, verdicts.get(model, "n/a"), 24, 4000, 10))
    return pd.DataFrame(rows, columns=[column.name for column in PERFORMANCE_COLUMNS])


def make_tables(**verdicts: str) -> AtypicalityTables:
    signals = [
        (model, unit, growth, growth - 0.01, growth + 0.01, direction)
        for model in ("gru", "bilstm")
        for unit, growth, direction in (("AU04", 0.2, 1.0), ("AU12", 0.1, -0.5), ("AU20", 0.0, 0.1))
    ]
    moments = [(model, k, 0.001 * k, 0.01 * k) for model in ("gru", "bilstm") for k in range(15)]
    segments = [
        ("001", "", "clips", 0, 19, 5, 2.0, 20, 6, "used"),
        ("001", "", "clips", 20, 29, 5, 2.0, 10, 0, "short"),
    ]
    folds = [(0, 0, "001", "ASD", True), (0, 1, "002", "TD", True)]
    return AtypicalityTables(
        performance=make_performance(verdicts),
        signals=pd.DataFrame(signals, columns=[column.name for column in SIGNAL_COLUMNS]),
        moments=pd.DataFrame(moments, columns=[column.name for column in MOMENT_COLUMNS]),
        segments=pd.DataFrame(segments, columns=[column.name for column in SEGMENT_COLUMNS]),
        folds=pd.DataFrame(folds, columns=[column.name for column in FOLD_COLUMNS]),
    )


def findings_of(tables: AtypicalityTables) -> list[str]:
    return [item for block in describe_atypicality(tables) if isinstance(block, Findings) for item in block.items]


def test_the_sentence_follows_the_verdicts() -> None:
    better, none = "better than the constant", "no difference shown"
    assert findings_of(make_tables(gru=none, bilstm=none))[0].startswith("The networks do not beat a constant")
    assert findings_of(make_tables(gru=better, bilstm=none))[0] == "GRU beats a constant prediction; BiLSTM does not."
    assert findings_of(make_tables(gru=better, bilstm=better))[0] == "GRU and BiLSTM beat a constant prediction."


def test_baselines_gaps_and_planted_units_are_named() -> None:
    tables = dataclasses.replace(make_tables(), planted={"AU04": 3.0, "AU20": -1.0, "AU30": 1.0})
    text = "\n".join(findings_of(tables))
    assert (
        "Ridge regression on statistics of the same windows has 0.900, not lower than the best network (GRU, 0.500)"
        in text
    )
    assert "1 of 2 rated segments left out: short (1)." in text
    assert "In 2 folds all who are tested are of one group." in text
    assert "AU04 with weight +3.0, found at rank 1 of 3 with the same direction" in text
    assert "AU20 with weight −1.0, found at rank 3 of 3 with the opposite direction" in text
    assert "AU30 with weight +1.0, not among the inputs" in text
    published = dataclasses.replace(tables, performance=tables.performance.assign(protocol="as_published"))
    assert any("optimistic" in item for item in findings_of(published))


def test_an_undefined_correlation_is_a_dash_and_a_failed_step_says_why() -> None:
    table = next(block for block in describe_atypicality(make_tables()) if isinstance(block, Table))
    by_model = {row[0].text: [cell.text for cell in row] for row in table.rows}
    assert by_model["Constant: median"][5] == "–"
    (absent,) = describe_atypicality(AtypicalityTables(problem="Expected 6 participants or more, got 2."))
    assert isinstance(absent, Absent)
    assert "got 2" in absent.reason


def test_the_group_report_has_the_section_only_where_there_are_ratings(group_inputs) -> None:
    assert 'id="atypicality"' not in build_group_report(group_inputs)
    page = build_group_report(dataclasses.replace(group_inputs, atypicality=make_tables()))
    assert 'id="atypicality"' in page
    assert NOT_MEANT[:60] in page
    charts = [block for block in describe_atypicality(make_tables()) if isinstance(block, Charts)]
    for chart in charts[0].charts:
        graph_objects.Figure(json.loads(chart.spec))


@pytest.fixture
def track(participant_inputs) -> AtypicalityTrack:
    frames = participant_inputs.sessions[0].frames
    rows = frames.loc[frames["valid"], ["participant_id", "session", "task", "frame"]]
    parts = [rows.assign(model=model, prediction=2.0 + k, sd_repeats=0.25) for k, model in enumerate(("gru", "bilstm"))]
    table = pd.concat(parts)[[column.name for column in FRAME_COLUMNS]]
    segments = pd.DataFrame({"start_frame": [0, 50], "end_frame": [49, 99], "mean": [2.0, np.nan]})
    return AtypicalityTrack(frames=table, segments=segments)


def test_the_track_stands_above_its_frames_with_band_and_judges(participant_inputs, track) -> None:
    record = participant_inputs.sessions[0]
    timeline = prepare_timeline(record.frames, record.events, key="recording-0")
    (chart,) = draw_track(timeline, track)
    traces = json.loads(chart.spec)["data"]
    named = {trace["name"]: trace for trace in traces if trace.get("name")}
    values = np.array(named["GRU"]["y"], dtype=float)
    assert np.isnan(values).any(), "nothing is drawn where nothing was predicted"
    np.testing.assert_allclose(values[np.isfinite(values)], 2.0)
    np.testing.assert_allclose(named["GRU"]["x"], timeline.binned["time_s"], atol=1e-3)
    band = [trace for trace in traces if trace.get("fill") == "tonexty"]
    np.testing.assert_allclose([np.nanmax(np.array(trace["y"], dtype=float)) for trace in band], [2.25, 3.25])
    assert named["judges"]["y"] == [2.0, 2.0, None]
    assert "standard deviation over repeats, 0.25 on average" in chart.caption
    graph_objects.Figure(json.loads(chart.spec))


def test_one_repeat_has_no_band_and_no_prediction_no_chart(participant_inputs, track) -> None:
    record = participant_inputs.sessions[0]
    timeline = prepare_timeline(record.frames, None, key="recording-0")
    single = dataclasses.replace(track, frames=track.frames.assign(sd_repeats=np.nan))
    (chart,) = draw_track(timeline, single)
    assert "One repeat: there is no spread to show" in chart.caption
    assert not [trace for trace in json.loads(chart.spec)["data"] if trace.get("fill")]
    assert draw_track(timeline, None) == []
    assert draw_track(timeline, dataclasses.replace(track, frames=track.frames.iloc[:0])) == []
    page = build_participant_report(
        dataclasses.replace(participant_inputs, sessions=(dataclasses.replace(record, atypicality=track),))
    )
    assert "Predicted atypicality" in page
    assert "Predicted atypicality" not in build_participant_report(participant_inputs)
