"""The HTML reports: one of the study, one of each participant."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.runs import Run, open_run
from tasks.progress import show_progress
from tasks.report_step import write_reports


def report_all(run: Run) -> bool:
    """Write the reports from the tables that exist, whatever else failed."""
    derivatives = run.checked.study.derivatives
    with show_progress() as progress:
        done = run.step("report", lambda: write_reports(run.checked, run.manifest, progress=progress))
    if done:
        run.report = derivatives.group_report.relative_to(run.checked.study.folder).as_posix()
    return done


@flow(name="report")
def report(study: str = ".", config: str = "", participants: list[str] | None = None) -> State[Any]:
    """Write the reports from the tables that exist.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    participants
        Not used: the reports show every participant of the tables.
    """
    run = open_run("report", study, config, participants or [])
    run.note_existing_tables()
    report_all(run)
    return run.close()
