"""What a finished study says of itself, and what the next run does about it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from flows.cli import main
from tasks.bids_names import Derivatives
from tasks.checking import check_study
from tasks.errors import InvalidInputError
from tasks.manifest import read_last_run
from tasks.status import find_orphans, read_status
from tasks.withdrawal import read_withdrawn, withdraw_participant


def states(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """(step, participant) -> (state, why)."""
    return {(item.step, item.participant_id): (item.state, item.why) for item in read_status(check_study(folder))}


def frame_table(folder: Path, participant: str) -> Path:
    return Derivatives.of_study(folder).frame_table(participant, "", "clips")


def test_a_study_that_moved_is_up_to_date(copied_finished_study):
    found = states(copied_finished_study)
    assert {state for state, _ in found.values()} == {"up to date"}
    # Six recordings and six pages, six steps, one page of the study.
    assert len(found) == 6 + 6 + 6 + 1


def test_a_study_that_was_never_run_misses_everything(copied_study):
    assert {state for state, _ in states(copied_study).values()} == {"missing"}


def test_a_changed_setting_makes_stale_what_depends_on_it_and_says_why(copied_finished_study, change_settings):
    change_settings(copied_finished_study, detection={"confidence": 0.8})
    found = states(copied_finished_study)
    for participant in ("001", "006"):
        assert found["extract", participant] == ("stale", "detection.confidence 0.7 -> 0.8")
        assert found["report", participant][0] == "stale"
    assert found["summarize", ""] == ("stale", "a step before it is not up to date")


def test_a_setting_of_one_analysis_leaves_the_others_alone(copied_finished_study, change_settings):
    change_settings(copied_finished_study, classify={"permutations": 5})
    found = states(copied_finished_study)
    assert found.pop(("classify", "")) == ("stale", "classify.permutations 20 -> 5")
    assert found.pop(("report", "")) == ("stale", "classify.permutations 20 -> 5")
    assert found.pop(("export", "")) == ("stale", "a step before it is not up to date")
    assert {state for state, _ in found.values()} == {"up to date"}


def test_outputs_that_were_deleted_or_altered_are_found_and_made_again(copied_finished_study, run_study):
    folder = copied_finished_study
    features = Derivatives.of_study(folder).group_table("features", "participants")
    expected = {
        path: pd.read_parquet(path) for path in (features, *(frame_table(folder, p) for p in ("001", "002", "003")))
    }
    frame_table(folder, "001").unlink()
    damaged = frame_table(folder, "002")
    damaged.write_bytes(damaged.read_bytes()[:-100])
    frame_table(folder, "003").with_suffix(".json").write_text('{"step_key": ')
    untouched = frame_table(folder, "004").stat().st_mtime_ns
    found = states(folder)
    assert found["extract", "001"] == ("missing", "")
    assert found["extract", "002"] == ("stale", "the output was altered")
    assert found["extract", "003"] == ("stale", "its sidecar is missing or damaged")
    assert found["extract", "004"] == ("up to date", "")
    summary = run_study(folder)
    assert summary["exit_code"] == 0
    # The new tables equal the old ones, so nothing that depends on them has to be made again.
    assert summary["actions"] == [
        ("extract: 3 up to date; 1 computed; 1 recomputed: the output was altered; "
        "1 recomputed: its sidecar is missing or damaged"),
        "summarize: up to date", "classify: up to date", "compare: up to date", "publish: up to date",
        "atypicality: up to date", "export: up to date", "report: up to date",
    ]  # fmt: skip
    for path, table in expected.items():
        pd.testing.assert_frame_equal(pd.read_parquet(path), table)
    assert frame_table(folder, "004").stat().st_mtime_ns == untouched


def test_a_failure_is_remembered_with_its_reason(copied_finished_study, run_study, change_settings):
    video = next((copied_finished_study / "sub-005" / "beh").glob("*.mp4"))
    content = video.read_bytes()
    video.write_bytes(b"")
    change_settings(copied_finished_study, classify={"permutations": 0, "ablation": False})
    assert run_study(copied_finished_study, participants=["005"])["result"] == "RESULT ok=0 failed=1 skipped=5 exit=3"
    state, why = states(copied_finished_study)["check", "005"]
    assert state == "failed"
    assert video.name in why
    video.write_bytes(content)
    assert states(copied_finished_study)["extract", "005"] == ("up to date", "")


def test_derivatives_without_a_participant_are_named(copied_finished_study):
    table = copied_finished_study / "participants.tsv"
    table.write_text("".join(line for line in table.read_text().splitlines(keepends=True) if "sub-006" not in line))
    assert find_orphans(check_study(copied_finished_study)) == ["006"]


def test_a_withdrawn_participant_leaves_no_trace_in_tables_and_reports(
    copied_finished_study, run_study, change_settings
):
    folder = copied_finished_study
    change_settings(folder, classify={"permutations": 0, "ablation": False})
    others = {name: frame_table(folder, name).stat().st_mtime_ns for name in ("001", "003", "004", "005", "006")}
    withdraw_participant(folder, "sub-002")
    assert read_withdrawn(folder) == ("002",)
    derivatives = Derivatives.of_study(folder)
    assert not (derivatives.folder / "sub-002").exists()
    assert not list((derivatives.folder / "group").glob("*"))
    assert (folder / "sub-002").is_dir(), "videos belong to the lab"
    assert "002" not in {item.participant_id for item in read_last_run(derivatives.logs).outcomes}

    summary = run_study(folder)
    assert str(summary["result"]).startswith("RESULT ok=5 failed=0 skipped=1")
    assert {name: frame_table(folder, name).stat().st_mtime_ns for name in others} == others
    assert states(folder)["check", "002"] == ("withdrawn", "")
    for path in derivatives.folder.rglob("*"):
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            assert "participant_id" not in table or "002" not in set(table["participant_id"]), path.name
        elif path.is_file() and path.suffix in {".json", ".html"} and path.parent != derivatives.logs:
            assert "sub-002" not in path.read_text(), path.name
    log = json.loads(max(derivatives.logs.glob("run-*.json")).read_text())
    assert [item for item in log["inputs"] if item["participant_id"] == "002"] == [
        {"participant_id": "002", "session": "", "task": "", "status": "skipped", "reason": "withdrawn", "action": ""}
    ]


def test_withdrawing_names_other_trees_that_hold_the_participant(tmp_path, capsys, monkeypatch):
    (tmp_path / "participants.tsv").write_text("participant_id\tgroup\n001\tASD\n002\tTD\n")
    for tree in ("facetrace", "facetrace-bottleneck", "other-tool"):
        (tmp_path / "derivatives" / tree / "sub-001").mkdir(parents=True)
    (tmp_path / "derivatives/without/sub-002").mkdir(parents=True)
    monkeypatch.setattr("sys.argv", ["facetrace", "withdraw", str(tmp_path), "sub-001"])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    named = [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("NOT deleted")]
    assert named == ["derivatives/facetrace-bottleneck", "derivatives/other-tool"]
    assert not (tmp_path / "derivatives/facetrace/sub-001").exists()


def test_withdrawing_somebody_unknown_deletes_nothing(copied_finished_study):
    before = sorted(copied_finished_study.rglob("*"))
    with pytest.raises(InvalidInputError, match="got '099'"):
        withdraw_participant(copied_finished_study, "099")
    assert sorted(copied_finished_study.rglob("*")) == before


def test_a_damaged_table_of_withdrawals_stops_everything(copied_finished_study):
    withdraw_participant(copied_finished_study, "002")
    (Derivatives.of_study(copied_finished_study).folder / "withdrawn.tsv").write_text("002\n")
    with pytest.raises(InvalidInputError, match=r"withdrawn\.tsv"):
        check_study(copied_finished_study)
