"""Session videos to frame tables."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from prefect import State, flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.runs import Run, open_run
from tasks.errors import ExitCode, FacetraceError
from tasks.extraction_step import ExtractionJob, prepare_jobs, run_job
from tasks.manifest import Outcome
from tasks.progress import current_reporter, show_progress
from tasks.recordings import SessionVideo


@task(name="extract recording", task_run_name="extract {label}", cache_policy=NO_CACHE)
def extract_recording(label: str, job: ExtractionJob) -> Any:
    """Bring the frame table of one recording up to date; a recording that cannot be read fails alone."""
    del label
    try:
        run_job(job, progress=current_reporter())
    except FacetraceError as error:
        outcome = _outcome(job.video, "failed", str(error), error.exit_code)
        return Failed(message="not extracted; the run log says why", data=outcome)
    return _outcome(job.video, "ok")


def extract_all(run: Run) -> None:
    """Extract every recording of a run, several at a time as the settings say, and note how each ended."""
    jobs = prepare_jobs(run.checked)
    if not jobs:
        return
    artifact = create_progress_artifact(progress=0.0, key="facetrace-extraction", description="Recordings extracted")
    runner = ThreadPoolTaskRunner[Any](max_workers=run.checked.settings.run.workers)
    with show_progress() as progress, runner:
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
    return _outcome(video, "failed", f"unexpected {type(result).__name__}: {result}", ExitCode.UNEXPECTED)


def _outcome(video: SessionVideo, status: Any, reason: str = "", code: ExitCode = ExitCode.OK) -> Outcome:
    return Outcome(video.participant_id, video.session, video.task, status, reason, code)


@flow(name="extract")
def extract(study: str = ".", config: str = "", participants: list[str] | None = None) -> State[Any]:
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
    run = open_run("extract", study, config, participants or [], weights=True)
    extract_all(run)
    return run.close()
