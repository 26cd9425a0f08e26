"""Session videos to frame tables."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from prefect import State, flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.futures import PrefectFuture

from flows.disclosure import TASK_OPTIONS, WithheldError, withheld_errors
from flows.parameters import EVERYBODY, ConfigName, Participants, StudyName
from flows.runs import Run, conduct
from flows.task_runners import make_runner
from tasks.errors import ExitCode
from tasks.extraction_jobs import ExtractionJob, prepare_jobs, run_job
from tasks.interruption import stop_threads_on_interrupt
from tasks.manifest import Outcome
from tasks.progress import current_reporter, show_progress
from tasks.provenance import describe_action
from tasks.recordings import SessionVideo


@task(name="extract recording", task_run_name="extract {label}", **TASK_OPTIONS)
def extract_recording(label: str, job: ExtractionJob) -> Outcome:
    """Bring the frame table of one recording up to date; a recording that cannot be read fails alone."""
    del label
    with withheld_errors():
        why = run_job(job, progress=current_reporter())
    return Outcome(*job.video.key, "ok", action=describe_action(why))


def extract_all(run: Run) -> None:
    """Extract every recording of a run, several at a time as the settings say, and note how each ended."""
    jobs = prepare_jobs(run.checked)
    if not jobs:
        return
    artifact = create_progress_artifact(progress=0.0, key="facetrace-extraction", description="Recordings extracted")
    # Innermost, because leaving the runner waits for its threads.
    with show_progress() as progress, make_runner(run.checked.settings.run) as runner, stop_threads_on_interrupt():
        futures = [runner.submit(extract_recording, parameters={"label": job.video.label, "job": job}) for job in jobs]
        for done, (job, future) in enumerate(zip(jobs, futures, strict=True), start=1):
            run.manifest.add([_await_outcome(job.video, future)])
            progress("recordings", done, len(jobs))
            update_progress_artifact(artifact_id=cast("UUID", artifact), progress=100 * done / len(jobs))


def _await_outcome(video: SessionVideo, future: PrefectFuture[Any]) -> Outcome:
    future.wait()
    result = future.state.result(raise_on_failure=False)
    if isinstance(result, Outcome):
        return result
    if isinstance(result, WithheldError):
        return Outcome(*video.key, "failed", result.reason, result.exit_code)
    return Outcome(*video.key, "failed", f"unexpected {type(result).__name__}", ExitCode.UNEXPECTED)


@flow(name="extract", persist_result=False)
def extract(study: StudyName, config: ConfigName = "", participants: Participants = EVERYBODY) -> State[Any]:
    """Bring the frame tables of a study up to date.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    participants
        Only these participants; empty for all.
    """
    return conduct("extract", study, config, participants, extract_all, weights=True)
