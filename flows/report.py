"""The HTML reports: one of the study, one of each participant."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.parameters import ConfigName, StudyName
from flows.runs import Run, conduct, on_existing_tables
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


@flow(name="report", persist_result=False)
def report(study: StudyName, config: ConfigName = "") -> State[Any]:
    """Write the reports from the tables that exist.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    """
    return conduct("report", study, config, [], on_existing_tables(report_all))
