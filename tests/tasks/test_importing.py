"""The import step: rows of imports.csv, what is remembered, when a table is read again, and how a study takes it in."""

from __future__ import annotations

import pytest

from tasks.bids_names import Derivatives
from tasks.checking import check_study
from tasks.errors import InvalidInputError
from tasks.importing import make_job, read_jobs, remember_job, run_import
from tasks.manifest import Outcome, RunManifest
from tasks.provenance import read_sidecar
from tasks.report_step import write_reports
from tasks.settings import ImportSettings
from tasks.tables import read_table
from tasks.withdrawal import withdraw_participant

PEOPLE = "participant_id group age\n001 ASD 5\n002 TD 6\n"
FACE = "frame_idx,frame_time_in_ms,au_1,au_1_intensity\n" + "".join(
    f"{i},{i * 40},{i % 2},{i % 5}\n" for i in range(20)
)


@pytest.fixture
def study(media, tmp_path):
    return media.write_study(tmp_path / "study", rows=PEOPLE, files={"exports/a.csv": FACE, "task-clips_events.tsv": "onset\tduration\ttrial_type\n0\t0.5\thappy\n"})  # fmt: skip


def import_one(study, participant="001", file="exports/a.csv", *, settings=None, **options):
    job = make_job(study, participant=participant, session="", task="clips", file=file, **options)
    derivatives = Derivatives.of_study(study)
    return run_import(
        job, derivatives=derivatives, settings=settings or ImportSettings(), known={"001", "002"}, filmed=()
    )


def test_the_frame_table_stands_where_extraction_would_put_it(study):
    assert import_one(study) == "LibreFace, 20 frames at 25 frames/s, 100.0% valid"
    path = Derivatives.of_study(study).frame_table("001", "", "clips")
    frames = read_table(path)
    assert frames["participant_id"].unique().tolist() == ["001"]
    assert list(frames.columns[:5]) == ["participant_id", "session", "task", "frame", "time_s"]
    sidecar = read_sidecar(path)
    assert sidecar["step"] == "import"
    assert list(sidecar["inputs"]) == ["a.csv"]
    assert sidecar["facts"]["tool"] == "LibreFace"
    assert sidecar["facts"]["thresholds"] == {"intensity": None, "presence": 0.5}
    assert sidecar["columns"]["AU01_intensity"]["range"] == [0, 5]
    assert list(sidecar["columns"]) == list(frames.columns)


def test_a_table_is_read_again_only_when_something_changed(study):
    import_one(study)
    assert import_one(study) == "up to date (LibreFace)"
    assert import_one(study, settings=ImportSettings(probability_from=("presence",))).startswith("LibreFace")
    assert import_one(study, frame_rate_hz=50).startswith("LibreFace, 20 frames at 50 frames/s")
    (study / "exports/a.csv").write_text(FACE.replace("0,0,0,0", "0,0,0,1"))
    assert import_one(study, frame_rate_hz=50).startswith("LibreFace")


def test_a_study_takes_imported_participants_as_its_own(study):
    import_one(study)
    checked = check_study(study)
    assert [item.label for item in checked.study.imported] == ["sub-001_task-clips"]
    assert checked.outcomes == [
        Outcome("002", "", "", "failed", checked.study.failed["002"], checked.outcomes[0].exit_code),
        Outcome("001", "", "clips", "ok"),
    ]
    assert checked.frame_tables() == [Derivatives.of_study(study).frame_table("001", "", "clips")]
    assert list(checked.events()) == [("001", "", "clips")]
    assert checked.weights_error is None  # a study of imports needs no networks
    assert "1 imported tables." in next(checked.describe())


def test_a_video_of_the_same_session_wins(study, media):
    import_one(study)
    media.write_video(study / "sub-001/beh/sub-001_task-clips_video.mp4")
    checked = check_study(study)
    assert checked.study.imported == ()
    assert [video.label for video in checked.study.videos] == ["sub-001_task-clips"]
    job = make_job(study, participant="001", session="", task="clips", file="exports/a.csv")
    with pytest.raises(InvalidInputError, match="Expected no video of sub-001_task-clips beside an imported table"):
        run_import(
            job, derivatives=Derivatives.of_study(study), settings=ImportSettings(), known={"001"}, filmed={job.label}
        )


def test_withdrawal_takes_an_imported_table_along(study):
    import_one(study)
    withdraw_participant(study, "001")
    checked = check_study(study)
    assert checked.study.imported == ()
    assert not Derivatives.of_study(study).frame_table("001", "", "clips").exists()


def test_an_unknown_participant(study):
    job = make_job(study, participant="sub-009", session="", task="clips", file="exports/a.csv")
    with pytest.raises(
        InvalidInputError, match="Expected the participant of a.csv in participants.tsv, got no row '009'"
    ):
        run_import(job, derivatives=Derivatives.of_study(study), settings=ImportSettings(), known={"001"}, filmed=())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"participant": "<b>1</b>"}, "Expected letters and digits only as participant, got '<b>1</b>'"),
        ({"task": "two words"}, "as task, got 'two words'"),
        ({"file": "gone.csv"}, "Expected a table at gone.csv, got no such file"),
        ({"frame_rate_hz": "29,97"}, "Expected a frame rate in frames/s, got '29,97'"),
    ],
)
def test_what_a_person_wrote_is_checked(study, options, message):
    given = {"participant": "001", "session": "", "task": "clips", "file": "exports/a.csv", **options}
    with pytest.raises(InvalidInputError, match=message):
        make_job(study, **given)


def test_jobs_are_remembered_and_replaced(study, tmp_path):
    first = make_job(study, participant="sub-001", session="ses-1", task="clips", file="exports/a.csv")
    remember_job(study, first)
    outside = tmp_path / "b.csv"
    outside.write_text(FACE)
    remember_job(
        study, make_job(study, participant="002", session="", task="clips", file=str(outside), frame_rate_hz=30)
    )
    remember_job(
        study, make_job(study, participant="001", session="1", task="clips", file="exports/a.csv", stimulus="s 1")
    )
    assert (study / "imports.csv").read_text().splitlines() == [
        "participant_id,session,task,file,dialect,stimulus,frame_rate_hz",
        "001,1,clips,exports/a.csv,auto,s 1,n/a",
        f"002,n/a,clips,{outside},auto,n/a,30",
    ]
    jobs = read_jobs(study)
    assert [(job.label, job.stimulus, job.frame_rate_hz) for job in jobs] == [
        ("sub-001_ses-1_task-clips", "s 1", 0),
        ("sub-002_task-clips", "", 30),
    ]


def test_all_that_is_wrong_with_imports_csv_is_said_at_once(study):
    (study / "imports.csv").write_text(
        "participant_id,session,task,file\n001,,clips,exports/a.csv\n001,,clips,exports/a.csv\n002,,clips,gone.csv\n"
    )
    with pytest.raises(InvalidInputError) as error:
        read_jobs(study)
    assert str(error.value).splitlines()[0].startswith("imports.csv, line 3: expected one table for sub-001_task-clips")
    assert str(error.value).splitlines()[1].startswith("imports.csv, line 4: Expected a table at gone.csv")
    (study / "imports.csv").unlink()
    with pytest.raises(InvalidInputError, match="Expected imports.csv in the study folder, with the columns"):
        read_jobs(study)


def test_reports_tell_of_imported_sessions(study):
    import_one(study)
    checked = check_study(study)
    write_reports(checked, RunManifest("report"))
    page = checked.study.derivatives.participant_report("001").read_text()
    assert "The imported table lacks AU01, AU02" in page
    assert checked.study.derivatives.group_report.exists()
