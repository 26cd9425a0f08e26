"""Files that change, vanish or lie between two runs: what is noticed, what is rebuilt, and what is left alone.

Steps are called as the flows call them, without Prefect, which has no part in these decisions.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import tasks.weights
from tasks.checking import CheckedStudy, check_study
from tasks.errors import ExitCode, InvalidInputError, WeightsError
from tasks.extraction_jobs import prepare_jobs, run_job
from tasks.group_steps import update_classification, update_comparison, update_features
from tasks.provenance import find_damage, sha256_file, sidecar_path

UNCHANGED = {"sub-001": None, "sub-002": None, "features": None}


def summarize(checked: CheckedStudy) -> str | None:
    return update_features(
        checked.study.derivatives,
        checked.frame_tables(),
        checked.study.participants_table(),
        settings=checked.settings.summarize,
    )


def run(study: Path) -> dict[str, str | None]:
    """Extract and summarize; for each output why it was made, None where it held."""
    checked = check_study(study)
    checked.raise_if_unusable(needs_weights=True)
    why = {f"sub-{job.video.participant_id}": run_job(job) for job in prepare_jobs(checked)}
    return {**why, "features": summarize(checked)}


def tables_of(study: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in (study / "derivatives").rglob("*.parquet")}


@pytest.fixture(scope="module")
def done_study(tiny_study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("done") / "tiny"
    shutil.copytree(tiny_study, folder)
    assert run(folder) == {"sub-001": "missing", "sub-002": "missing", "features": "missing"}
    return folder


@pytest.fixture
def finished(done_study, tmp_path) -> Path:
    folder = tmp_path / "tiny"
    shutil.copytree(done_study, folder)
    return folder


def frame_table(study: Path, participant_id: str = "001") -> Path:
    return next((study / "derivatives/facetrace" / f"sub-{participant_id}").rglob("*.parquet"))


def features_table(study: Path) -> Path:
    return study / "derivatives/facetrace/group/desc-features_participants.parquet"


def video_of(study: Path, participant_id: str) -> Path:
    return next((study / f"sub-{participant_id}" / "beh").glob("*.mp4"))


def test_nothing_is_done_twice(finished):
    assert run(finished) == UNCHANGED


def test_a_cut_frame_table_is_rebuilt_alone(finished):
    before = tables_of(finished)
    path = frame_table(finished)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert run(finished) == {**UNCHANGED, "sub-001": "the output was altered"}
    assert tables_of(finished) == before


def test_a_cut_participant_table_is_rebuilt_alone(finished):
    before = tables_of(finished)
    path = features_table(finished)
    path.write_bytes(path.read_bytes()[:-100])
    assert run(finished) == {**UNCHANGED, "features": "the output was altered"}
    assert tables_of(finished) == before


@pytest.mark.parametrize("content", ["", "{half", "[]", '{"step_key": 1, "settings": 3, "facts": null}', "\0\0\0"])
def test_a_corrupt_sidecar_has_its_table_rebuilt(finished, content):
    before = tables_of(finished)
    sidecar_path(frame_table(finished)).write_text(content)
    why = run(finished)
    assert why.pop("sub-001")
    assert why == {"sub-002": None, "features": None}
    assert find_damage(frame_table(finished)) is None
    assert tables_of(finished) == before


def test_a_cut_input_stops_the_step_that_reads_it_and_keeps_its_outputs(finished):
    """As when one step is run by itself, so that nothing rebuilds the input before."""
    checked = check_study(finished)
    before = tables_of(finished)
    frames, features = frame_table(finished), features_table(finished)
    whole = features.read_bytes()
    features.write_bytes(whole[: len(whole) // 2])
    settings = checked.settings
    with pytest.raises(InvalidInputError, match=r"features_participants\.parquet as facetrace wrote it.*altered"):
        update_classification(checked.study.derivatives, settings=settings.classify, study=settings.study)
    with pytest.raises(InvalidInputError, match=r"`facetrace run` builds it again"):
        update_comparison(
            checked.study.derivatives,
            checked.frame_tables(),
            {},
            settings=settings.compare,
            study=settings.study,
            summarize=settings.summarize,
        )
    features.write_bytes(whole)
    frames.write_bytes(frames.read_bytes() + b"\0")
    with pytest.raises(InvalidInputError, match=frames.name):
        summarize(checked)
    assert tables_of(finished) == {**before, frames.name: sha256_file(frames)}


def test_an_input_without_its_sidecar_is_refused(finished):
    """The sidecar says whether demo weights were used: without it a report would not say so."""
    checked = check_study(finished)
    sidecar_path(frame_table(finished)).unlink()
    features_table(finished).unlink()
    with pytest.raises(InvalidInputError, match="sidecar is missing or damaged"):
        summarize(checked)


def test_editing_participants_rebuilds_only_what_reads_them(finished):
    table = finished / "participants.tsv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:-1], lines[-1].rpartition("\t")[0] + "\t9.9", ""]))
    assert run(finished) == {**UNCHANGED, "features": "participants.tsv changed"}
    assert run(finished) == UNCHANGED


def test_rewriting_participants_without_a_change_rebuilds_nothing(finished):
    table = finished / "participants.tsv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    assert run(finished) == UNCHANGED


def test_a_clock_that_was_set_back_changes_nothing(finished):
    """Files and sidecars of ten years ahead: state hangs on contents, not on times."""
    future = 2_100_000_000
    for path in (finished / "derivatives").rglob("*"):
        if path.suffix == ".json":
            value = json.loads(path.read_text())
            path.write_text(
                json.dumps(value | {"started": "2036-07-18T13:20:00+00:00", "finished": "2036-07-18T13:20:00+00:00"})
            )
        os.utime(path, (future, future))
    assert run(finished) == UNCHANGED
    os.utime(video_of(finished, "001"), (0, 0))
    assert run(finished) == UNCHANGED


def test_a_video_deleted_between_check_and_reading_fails_alone(study):
    jobs = prepare_jobs(check_study(study))
    jobs[0].video.path.unlink()
    with pytest.raises(InvalidInputError, match=f"Expected a video at {jobs[0].video.path.name}, but there is no such"):
        run_job(jobs[0])
    assert not list(jobs[0].output.parent.iterdir())
    assert run_job(jobs[1]) == "missing"


@pytest.mark.parametrize(("change", "expected"), [("delete", "it was deleted"), ("append", "its content changed")])
def test_a_video_that_changes_while_it_is_read_fails_with_a_reason(study, change, expected):
    """The change comes with the first progress report, when frames are on their way."""
    job = prepare_jobs(check_study(study))[0]
    path = job.video.path

    def spoil(name: str, done: int, total: int) -> None:
        if not path.exists():
            return
        if change == "delete":
            path.unlink()
        else:
            with path.open("ab") as file:
                file.write(b"\0" * 10)

    # Batches of one frame, so that the reader is not at the end when the first is reported.
    settings = job.settings.video.model_copy(update={"batch_frames": 1})
    job = type(job)(**{**vars(job), "settings": type(job.settings)(**{**vars(job.settings), "video": settings})})
    with pytest.raises(InvalidInputError, match=expected) as caught:
        run_job(job, progress=spoil)
    assert path.name in str(caught.value)
    assert not list(job.output.parent.iterdir())


def test_an_altered_weights_file_stops_the_run(finished, tmp_path, monkeypatch):
    before = tables_of(finished)
    models = tmp_path / "models"
    shutil.copytree(tasks.weights.MODELS_FOLDER, models)
    monkeypatch.setattr(tasks.weights, "MODELS_FOLDER", models)
    assert run(finished) == UNCHANGED
    path = tasks.weights.find_entry("demo-attributes").path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        run(finished)
    assert caught.value.exit_code == ExitCode.WEIGHTS
    text = str(caught.value)
    assert text.startswith("Weights demo-attributes: expected SHA-256 ")
    assert sha256_file(path) in text
    assert "altered" in text
    assert tables_of(finished) == before
