"""Tables of other tools to frame tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prefect import State, flow

from flows.disclosure import do_step
from flows.parameters import EVERYBODY, ConfigName, Participants, StudyName
from flows.runs import Run, conduct
from tasks.checking import CheckedStudy, open_for_import
from tasks.errors import FacetraceError
from tasks.importing import read_jobs, run_import
from tasks.manifest import Outcome
from tasks.progress import show_progress
from tasks.recordings import find_recordings


def import_all(run: Run) -> None:
    """Import the rows of imports.csv, and note how each ended."""
    study = run.checked.study
    listed = [job for job in read_jobs(study.folder) if job.participant_id not in study.withdrawn]
    jobs = [job for job in listed if job.participant_id not in study.not_chosen]
    known = {person.participant_id for person in study.participants}
    filmed = {video.label for video in find_recordings(study.folder)[0]}
    with show_progress() as progress:
        for done, job in enumerate(jobs, start=1):
            work = partial(
                run_import,
                job,
                derivatives=study.derivatives,
                settings=run.checked.settings.imports,
                known=known,
                filmed=filmed,
            )
            try:
                # Named by ids: Prefect sees no name of a table.
                run.notes.append(f"{job.label}: {do_step(f'import {job.label}', work)}")
            except FacetraceError as error:
                run.manifest.add([Outcome(*job.key, "failed", str(error), error.exit_code)])
            else:
                run.manifest.add([Outcome(*job.key, "ok")])
            progress("imports", done, len(jobs))


def _check_tables(folder: Path, config: Path | None, participants: Sequence[str]) -> CheckedStudy:
    return open_for_import(folder, config=config, participant_labels=participants)


@flow(name="import", persist_result=False)
def import_tables(study: StudyName, config: ConfigName = "", participants: Participants = EVERYBODY) -> State[Any]:
    """Bring the frame tables that imports.csv lists up to date.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    participants
        Only these participants; empty for all.
    """
    return conduct("import", study, config, participants, import_all, check=_check_tables)
