"""Labels, a second expert, a tool and judges, from files to tables, and by the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.errors import InvalidInputError
from tasks.label_step import LabelSources, analyse_labels
from tasks.provenance import read_sidecar
from tasks.settings import CompareSettings, Settings
from tasks.tables import read_table, write_table

SETTINGS = Settings(compare=CompareSettings(permutations=199, bootstrap_samples=100))


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> LabelSources:
    """Six participants a group with expressions; a second expert who labelled two; a tool that knows two units."""
    folder = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(3)
    tool = []
    for group in ("ASD", "TD"):
        for person in range(6):
            n = 60
            codes = (rng.random((n, 3)) < [0.5, 0.3, 0.2]) * rng.integers(1, 4, size=(n, 3))
            table = pd.DataFrame(codes, columns=["AU12", "AU4", "AD19"])
            table.insert(0, "frame", np.arange(n) + (np.arange(n) >= 30) * 10)
            table["expression"] = np.where(np.arange(n) < 30, "happy", "sad")
            for expert, labelled in (("A", table), ("B", table if person < 2 else None)):
                if labelled is not None:
                    path = folder / expert / group / f"S{person}.csv"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    labelled.to_csv(path, index=False)
            tool.append(
                pd.DataFrame(
                    {
                        "participant_id": f"{group}S{person}", "session": "", "task": "", "frame": table["frame"].astype("int32"),
                        "valid": True, "AU04": (table["AU4"] > 0) * 0.9, "AU12": rng.random(n),
                    }
                )
            )  # fmt: skip
    write_table(pd.concat(tool, ignore_index=True), folder / "tool" / "frames.parquet")
    rows = [
        (f"ASDS{person}", start, start + 29, judge, rng.integers(1, 6))
        for person in range(6)
        for start in (0, 40)
        for judge in "XYZ"
    ]
    pd.DataFrame(rows, columns=["participant_id", "start_frame", "end_frame", "judge", "rating"]).to_csv(
        folder / "ratings.csv", index=False
    )
    return LabelSources({"A": folder / "A", "B": folder / "B"}, {"T": folder / "tool"}, folder / "ratings.csv")


@pytest.fixture(scope="module")
def folder(sources, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "tables"
    analyse_labels(sources, out, SETTINGS)
    return out


def test_every_table_is_written_with_its_dictionary(folder) -> None:
    tables = sorted(folder.glob("*.parquet"))
    assert len(tables) == 11
    for path in tables:
        sidecar = read_sidecar(path)
        assert set(sidecar["columns"]) == set(read_table(path).columns)
        assert all(column.get("description") for column in sidecar["columns"].values()), path
        assert "expert A: S0.csv" in sidecar["inputs"]


def test_counts_of_frames_and_segments(folder) -> None:
    frames = read_table(folder / "desc-frames_labels.parquet").set_index("participant_id")
    assert frames.loc["ASDS0", ["n_frames", "n_segments", "happy", "sad"]].tolist() == [60, 2, 30, 30]


def test_table_three(folder) -> None:
    table = pd.read_csv(folder / "labels_table3.csv", na_values="n/a").set_index("AU/AD")
    assert table.columns.tolist() == ["Name", "ICC(A-B)", "ICC(A-T)", "ICC(B-T)", "F1(A-T)", "Occurrence"]
    assert table.loc["AU12", "ICC(A-B)"] == 1
    assert table.loc["AU04", "F1(A-T)"] == 1
    assert table.loc["AD19", ["ICC(A-T)", "F1(A-T)"]].isna().all()
    assert abs(table.loc["AU12", "ICC(A-T)"]) < 0.2
    agreement = read_table(folder / "desc-agreement_labels.parquet")
    assert agreement.loc[agreement["rater_b"] == "B", "n_frames"].eq(2 * 2 * 60).all()


def test_tests_by_labelled_expression(folder) -> None:
    tests = read_table(folder / "desc-emotionaus_tests.parquet").set_index(["emotion", "signal"])
    assert (tests["n_a"] == 6).all()
    assert tests.loc[("happy", "AU12"), "selection"]
    over_frames = read_table(folder / "desc-emotionframes_tests.parquet").set_index(["emotion", "signal"])
    assert over_frames["mean_a"].max() <= 1  # 0 and 1, not codes
    complexity = read_table(folder / "desc-combinations_complexity.parquet")
    assert set(complexity["directions"]) == {True, False}


def test_raw_codes_enter_the_frame_tests_only(sources, tmp_path) -> None:
    raw = LabelSources({"A": sources.experts["A"]}, raw_codes=True)
    analyse_labels(raw, tmp_path, SETTINGS)
    over_frames = read_table(tmp_path / "desc-emotionframes_tests.parquet")
    assert over_frames["mean_a"].max() > 0.6
    rates = read_table(tmp_path / "desc-emotionrates_participants.parquet")
    assert rates[["AU04", "AU12", "AD19"]].max().max() <= 1
    assert not (tmp_path / "labels_table3.csv").exists()


def test_judges(folder) -> None:
    reliability = read_table(folder / "desc-ratings_reliability.parquet")
    assert reliability["coefficient"].tolist()[:2] == ["Fleiss' kappa", "ICC(3,1)"]
    assert (reliability["n_segments"] == 12).all()


def test_a_tool_must_be_a_frame_table(sources, tmp_path) -> None:
    write_table(pd.DataFrame({"frame": [1]}), tmp_path / "x.parquet")
    with pytest.raises(InvalidInputError, match="missing are participant_id"):
        analyse_labels(LabelSources(sources.experts, {"T": tmp_path / "x.parquet"}), tmp_path / "out", SETTINGS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInputError, match="got none"):
        analyse_labels(LabelSources(sources.experts, {"T": tmp_path / "empty"}), tmp_path / "out", SETTINGS)


def test_command(sources, tmp_path) -> None:
    from typer.testing import CliRunner

    from flows.cli import app
    from tasks.errors import SettingsError

    (tmp_path / "config.yaml").write_text("compare: {permutations: 199, bootstrap_samples: 100}\n")
    asked = ["labels", f"A={sources.experts['A']}", "--ratings", str(sources.ratings), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*asked, "--config", str(tmp_path / "config.yaml")])
    assert result.exit_code == 0, result.output
    assert "desc-ratings_segments.parquet" in result.output
    wrong = CliRunner().invoke(app, ["labels", "nowhere", "--out", str(tmp_path)])
    assert isinstance(wrong.exception, SettingsError)
