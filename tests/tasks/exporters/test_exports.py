"""Exports read back by pyreadstat, pandas and Arrow; programs that are not Python are in test_interoperability."""

from __future__ import annotations

import shutil
import stat

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
import pytest

from features.vector_58 import FEATURE_NAMES
from tasks.checking import check_study
from tasks.classification import PREDICTION_COLUMNS
from tasks.errors import InvalidInputError, SettingsError
from tasks.exporters.dictionary import MISSING_CODE, describe_table
from tasks.exporting import export_tables, list_jobs, why_exports_stale
from tasks.provenance import read_sidecar, sha256_file, write_json_atomic
from tasks.settings import ExportSettings
from tasks.tables import write_table


def test_every_file_is_there_and_private(exported):
    names = {path.name for path in exported.iterdir()}
    assert names == {
        "features.parquet", "features.csv", "features_semicolon.csv", "features.sav", "features.json", "codebook.html",
        "codebook.json", "read_features.R", "read_features.sps", "frames",
    }  # fmt: skip
    assert len(list((exported / "frames").glob("*.sav"))) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in exported.rglob("*") if path.is_file()} == {0o600}


def test_sav_values_labels_levels_and_missing(exported, features):
    rows, meta = pyreadstat.read_sav(exported / "features.sav", user_missing=True)
    assert len(rows) == len(features) == 4
    np.testing.assert_allclose(rows[list(FEATURE_NAMES)], features[list(FEATURE_NAMES)], rtol=1e-12)
    assert rows["group"].tolist() == [1, 0, 1, 0]
    assert meta.variable_value_labels["group"] == {0: "TD", 1: "ASD"}
    # participants.json lists M first
    assert rows["sex"].tolist() == [2, 1, MISSING_CODE, 2]
    assert meta.variable_value_labels["sex"] == {1: "M", 2: "F", MISSING_CODE: "not recorded"}
    assert meta.missing_ranges["sex"] == [{"lo": MISSING_CODE, "hi": MISSING_CODE}]
    assert "group" not in meta.missing_ranges
    assert np.isnan(rows["age"][2])
    assert rows["included"].tolist() == [1, 1, 1, 1]
    assert meta.variable_value_labels["included"] == {0: "no", 1: "yes"}
    assert meta.column_names_to_labels["age"] == "Age at the first session [years]"
    assert "AU12 (lip corner puller)" in meta.column_names_to_labels["mean_AU12"]
    assert (meta.variable_measure["group"], meta.variable_measure["mean_AU12"]) == ("nominal", "scale")
    assert (meta.original_variable_types["group"], meta.original_variable_types["n_frames"]) == ("F4.0", "F8.0")
    assert meta.file_label.startswith("facetrace: One row a participant")
    assert "unknown" not in meta.variable_measure.values()


def test_names_that_spss_refuses_are_shortened_and_in_the_dictionary(exported, dictionary):
    _, meta = pyreadstat.read_sav(exported / "features.sav", metadataonly=True)
    assert dictionary["iq.total"]["spss_name"] == "iq_total"
    assert dictionary["IQ_total"]["spss_name"].startswith("IQ_total_")
    assert {column["spss_name"] for column in dictionary.values()} == set(meta.column_names)


def test_csv_with_points_and_with_commas(exported, features):
    points = pd.read_csv(exported / "features.csv", dtype={"participant_id": "str"})
    commas = pd.read_csv(exported / "features_semicolon.csv", sep=";", decimal=",", dtype={"participant_id": "str"})
    for rows in (points, commas):
        assert rows["participant_id"].tolist() == ["001", "002", "003", "004"]
        np.testing.assert_allclose(rows[list(FEATURE_NAMES)], features[list(FEATURE_NAMES)], rtol=1e-12)
        assert rows["included"].all()
        assert list(rows.columns) == list(features.columns)
    text = (exported / "features_semicolon.csv").read_text()
    assert ";5,25;" in text
    assert b"\r" not in (exported / "features.csv").read_bytes()


def test_formulas_are_neutralised_in_text_and_kept_elsewhere(exported):
    expected = '=HYPERLINK("http://x")'
    assert pd.read_csv(exported / "features.csv")["note"][0] == f"'{expected}"
    assert pd.read_csv(exported / "features_semicolon.csv", sep=";")["note"][0] == f"'{expected}"
    assert pyreadstat.read_sav(exported / "features.sav")[0]["note"][0] == expected
    assert pd.read_parquet(exported / "features.parquet")["note"][0] == expected


def test_parquet_has_types_that_r_reads(exported, features):
    schema = pq.read_schema(exported / "features.parquet")
    assert {str(field.type) for field in schema} <= {"int32", "float", "double", "bool", "string"}
    assert "pandas" not in (schema.metadata or {})
    frames = pq.read_schema(next((exported / "frames").glob("*.parquet")))
    assert str(frames.field("AU12").type) == "double"
    assert str(frames.field("AU01_intensity").type) == "float"
    pd.testing.assert_frame_equal(pd.read_parquet(exported / "features.parquet"), features)


def test_the_codebook_shows_names_as_text(exported):
    page = (exported / "codebook.html").read_text()
    assert "Remark &lt;b&gt;by hand&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<script" not in page
    for name in ("mean_AU12", "iq.total", "0 = TD", "1 = M: male"):
        assert name in page


def test_html_in_a_group_or_column_name_is_inert(exported_study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(exported_study.study.folder, folder)
    table = folder / "participants.tsv"
    table.write_text(
        table.read_text().replace("note", "<img src=x onerror=alert(1)>", 1).replace("\tTD", "\t<b>TD</b>")
    )
    (folder / "config.yaml").write_text("study: {comparison_group: <b>TD</b>}\n")
    from tasks.group_steps import update_features

    checked = check_study(folder)
    update_features(
        checked.study.derivatives, checked.frame_tables(), checked.study.participants_table(), settings=checked.settings.summarize
    )  # fmt: skip
    export_tables(checked, formats=("sav", "csv"), tables=("features",))
    page = (folder / "derivatives/facetrace/export/codebook.html").read_text()
    assert "<img" not in page
    assert "<b>" not in page
    rows, meta = pyreadstat.read_sav(folder / "derivatives/facetrace/export/features.sav")
    assert meta.variable_value_labels["group"] == {0: "<b>TD</b>", 1: "ASD"}
    assert "v_img_src_x_onerror_alert_1" in rows


def test_the_same_export_twice_has_the_same_content(exported_study, exported, tmp_path):
    first = pyreadstat.read_sav(exported / "features.sav")
    csv = (exported / "features.csv").read_bytes()
    assert export_tables(exported_study, formats=("csv", "sav"), tables=("features",)) is None
    (exported / "features.sav").unlink()
    (exported / "features.csv").write_text("spoiled")
    assert export_tables(exported_study, formats=("csv", "sav"), tables=("features",)) == "2 files written"
    second = pyreadstat.read_sav(exported / "features.sav")
    pd.testing.assert_frame_equal(first[0], second[0])
    assert first[1].variable_value_labels == second[1].variable_value_labels
    assert (exported / "features.csv").read_bytes() == csv


def test_exports_that_hold_are_not_written_again(exported_study, exported):
    settings = ExportSettings()
    export_tables(exported_study, formats=settings.formats)
    before = {path: path.stat().st_mtime_ns for path in exported.rglob("*") if path.is_file()}
    assert why_exports_stale(exported_study) is None
    assert export_tables(exported_study, formats=settings.formats) is None
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (exported / "codebook.html").write_text("spoiled")
    assert export_tables(exported_study, formats=settings.formats) == "codebook written"
    assert "mean_AU12" in (exported / "codebook.html").read_text()


@pytest.fixture
def copied(exported, exported_study, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(exported_study.study.folder, folder)
    return folder


def test_what_is_exported_of_a_participant_who_left_the_table_goes(copied):
    table = copied / "participants.tsv"
    table.write_text("".join(line for line in table.read_text().splitlines(keepends=True) if "003" not in line))
    checked = check_study(copied)
    frames = copied / "derivatives/facetrace/export/frames"
    assert list(frames.glob("sub-003*"))
    assert "sub-003" in str(why_exports_stale(checked))
    # The four formats of the frame table; those of other participants and tables still hold.
    removed = "4 files of tables that are no more removed"
    assert export_tables(checked, formats=("sav",), tables=("features",)) == removed
    assert not list(frames.glob("sub-003*"))
    assert len(list(frames.glob("sub-*.sav"))) == 3
    assert export_tables(checked, formats=("sav",), tables=("features",)) is None


def test_frames_of_a_participant_who_was_not_asked_for_stay(copied):
    checked = check_study(copied, participant_labels=["001"])
    export_tables(checked, formats=("sav",), tables=("features",))
    assert len(list((copied / "derivatives/facetrace/export/frames").glob("sub-*.sav"))) == 4


def test_the_export_of_a_table_that_is_gone_goes_with_its_lines_in_the_codebook(copied):
    folder = copied / "derivatives/facetrace"
    source = folder / "group/desc-features_participants.parquet"
    shutil.copy(source, folder / "group/desc-other_participants.parquet")
    shutil.copy(source.with_suffix(".json"), folder / "group/desc-other_participants.json")
    checked = check_study(copied)
    export_tables(checked, formats=("csv",))
    assert 'id="other"' in (folder / "export/codebook.html").read_text()
    (folder / "group/desc-other_participants.parquet").unlink()
    assert export_tables(checked, formats=("csv",)) == "1 file of tables that are no more removed"
    assert not (folder / "export/other.csv").exists()
    assert 'id="other"' not in (folder / "export/codebook.html").read_text()


def test_frames_that_were_exported_once_stay_true(copied):
    frames = next((copied / "derivatives/facetrace").glob("sub-002/beh/*.parquet"))
    rows = pd.read_parquet(frames).head(100)
    write_table(rows, frames)
    sidecar = read_sidecar(frames)
    write_json_atomic(frames.with_suffix(".json"), {**sidecar, "output_sha256": sha256_file(frames)})
    checked = check_study(copied)
    assert "sub-002" in str(why_exports_stale(checked))
    export_tables(checked, formats=ExportSettings().formats)
    exported = copied / f"derivatives/facetrace/export/frames/{frames.stem}.sav"
    assert len(pyreadstat.read_sav(exported)[0]) == 100
    assert why_exports_stale(checked) is None


def test_tables_of_the_same_name_have_exports_of_their_own(copied):
    group = copied / "derivatives/facetrace/group"
    source = group / "desc-features_participants.parquet"
    for name in ("combinations_complexity", "combinations_tests", "performance_classifiers", "performance_atypicality"):
        shutil.copy(source, group / f"desc-{name}.parquet")
    names = {job.name for job in list_jobs(check_study(copied))}
    assert names == {"features", "combinations", "combinations_complexity", "performance", "performance_atypicality"}


def test_frames_have_codes_for_reasons(exported):
    rows, meta = pyreadstat.read_sav(next((exported / "frames").glob("*.sav")))
    assert meta.variable_value_labels["invalid_reason"][1] == "ok"
    assert rows["invalid_reason"].eq(1).all()
    assert len(rows) == 200


def test_unknown_formats_and_tables(exported_study):
    with pytest.raises(SettingsError, match="Expected formats of parquet, csv, csv2, sav; got rds"):
        export_tables(exported_study, formats=("sav", "rds"))
    with pytest.raises(InvalidInputError, match="Expected one of the tables features, frames, got 'predictions'"):
        list_jobs(exported_study, ["predictions"])


def test_one_frame_table_stands_for_those_with_the_same_columns(exported):
    page = (exported / "frames/codebook.html").read_text()
    assert page.count("<h2") == 1
    assert "sub-001_task-clips_desc-frames_beh" in page
    assert (exported / "frames/read_features.R").read_text().count("read.csv(") == 1


def test_predictions_are_coded_like_the_group():
    rows = pd.DataFrame(
        {
            "feature_set": ["all", "AU"],
            "classifier": ["lda", "logistic"],
            "participant_id": ["1", "2"],
            "truth": ["ASD", "TD"],
            "prediction": ["TD", "TD"],
            "score": [0.5, -0.5],
        }
    )
    sidecar = {
        "columns": {
            column.name: {"dtype": column.dtype, "description": column.description, "levels": column.levels}
            for column in PREDICTION_COLUMNS
        },
        "facts": {"demo_weights": True},
        "description": "Predictions",
    }
    table = describe_table(
        "predictions", rows, sidecar, participants_json={}, positive_group="ASD", comparison_group="TD"
    )
    codes = {column.name: dict(column.codes) for column in table.columns}
    assert codes["truth"] == codes["prediction"] == {"TD": 0, "ASD": 1}
    assert list(codes["classifier"].values()) == list(range(1, 8))
    assert codes["participant_id"] == {}
    assert table.description == "Predictions. Made with demo weights: numbers mean nothing."
