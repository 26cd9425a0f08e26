"""What of a study is up to date, what is stale and why, what is missing, what failed. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tasks.checking import CheckedStudy
from tasks.errors import WeightsError
from tasks.exporting import why_exports_stale
from tasks.extraction_jobs import prepare_jobs
from tasks.manifest import RunManifest, read_last_run
from tasks.provenance import MISSING, why_stale
from tasks.report_plans import plan_group_report, plan_participant_reports
from tasks.step_plans import (
    RATINGS_TABLE,
    plan_atypicality,
    plan_classification,
    plan_comparison,
    plan_features,
    plan_publication,
)
from tasks.steps import PlannedStep

State = Literal["up to date", "stale", "missing", "failed", "withdrawn"]


@dataclass(frozen=True)
class StepStatus:
    """How one step stands.

    Attributes
    ----------
    step
        Its name.
    participant_id, session, task
        Whose; all empty for a step on the whole study.
    state
        Whether its output holds.
    why
        What changed, or why it failed; empty where it is up to date or was never run.
    """

    step: str
    participant_id: str
    session: str
    task: str
    state: State
    why: str = ""

    def describe(self) -> str:
        """One line for a terminal."""
        whose = f"sub-{self.participant_id}" if self.participant_id else "study"
        parts = "".join(f" {part}" for part in (self.session and f"ses-{self.session}", self.task) if part)
        return f"{whose}{parts} {self.step}: {self.state}" + (f" ({self.why})" if self.why else "")


def read_status(checked: CheckedStudy) -> list[StepStatus]:
    """How every step of a study stands, participant by participant, then the steps on the whole study.

    Parameters
    ----------
    checked
        The study as it is now, with its settings.

    Returns
    -------
    list of StepStatus
        Recordings first, then summarize, classify, compare, atypicality where there are ratings, export, and the reports.
        A step whose own inputs hold is stale where a step before it is not up to date.
    """
    last = read_last_run(checked.study.derivatives.logs)
    recordings = [*_failed_checks(checked), *_recordings(checked, last)]
    extracted = all(item.state == "up to date" for item in recordings)
    return [*recordings, *_study_steps(checked, last, extracted=extracted)]


def find_orphans(checked: CheckedStudy) -> list[str]:
    """Ids that have derivatives but no row in participants.tsv: they left the table without being withdrawn."""
    known = {person.participant_id for person in checked.study.participants} | set(checked.study.withdrawn)
    folders = checked.study.derivatives.folder.glob("sub-*")
    return sorted(path.name.removeprefix("sub-") for path in folders if path.name.removeprefix("sub-") not in known)


def _failed_checks(checked: CheckedStudy) -> Iterator[StepStatus]:
    for name, reason in sorted(checked.study.failed.items()):
        yield StepStatus("check", name, "", "", "failed", reason)
    for name in checked.study.withdrawn:
        yield StepStatus("check", name, "", "", "withdrawn")


def _recordings(checked: CheckedStudy, last: RunManifest | None) -> Iterator[StepStatus]:
    failures = {item.key: item.reason for item in (last.outcomes if last else ()) if item.status == "failed"}
    try:
        jobs = prepare_jobs(checked)
    except WeightsError as error:
        for video in checked.study.videos:
            yield StepStatus("extract", *video.key, "stale", str(error))
        return
    for job in jobs:
        why = why_stale(job.output, job.step)
        if why is not None and job.video.key in failures:
            yield StepStatus("extract", *job.video.key, "failed", failures[job.video.key])
        else:
            yield StepStatus("extract", *job.video.key, *_state(why))


def _study_steps(checked: CheckedStudy, last: RunManifest | None, *, extracted: bool) -> Iterator[StepStatus]:
    errors = {error["step"]: error["reason"] for error in (last.step_errors if last else ())}
    holds = compared = done = extracted
    for name, planned in _plans(checked).items():
        ready = {"publish": compared, "atypicality": extracted}.get(name, holds)
        found = _step_status(name, planned, errors, waiting="" if ready else "a step before it is not up to date")
        # classify and compare do not depend on each other, both on summarize; publish on compare; atypicality on none of them.
        if name == "summarize":
            holds = holds and found.state == "up to date"
        if name == "compare":
            compared = found.state == "up to date"
        done = done and found.state == "up to date"
        yield found
    yield _export_status(checked, errors, waiting="" if done else "a step before it is not up to date")
    for person, page in plan_participant_reports(checked):
        state, why = _state(page.why_stale())
        if state == "up to date" and not holds:
            state, why = "stale", "a step before it is not up to date"
        yield StepStatus("report", person.participant_id, "", "", state, why)
    if last is not None:
        yield StepStatus("report", "", "", "", *_state(plan_group_report(checked, last).why_stale()))
    else:
        yield StepStatus("report", "", "", "", "missing")


def _plans(checked: CheckedStudy) -> Mapping[str, PlannedStep]:
    study, settings = checked.study, checked.settings
    tables, people = checked.frame_tables(), study.participants_table()
    ratings = study.folder / RATINGS_TABLE
    plans = {
        "summarize": plan_features(study.derivatives, tables, people, settings=settings.summarize),
        "classify": plan_classification(study.derivatives, settings=settings.classify, study=settings.study),
        "compare": plan_comparison(
            study.derivatives,
            tables,
            checked.events(),
            settings=settings.compare,
            study=settings.study,
            summarize=settings.summarize,
            vote_tables=checked.vote_tables(),
        ),
        "publish": plan_publication(
            study.derivatives, settings=settings.compare, study=settings.study, summarize=settings.summarize
        ),
    }
    if ratings.is_file():
        plans["atypicality"] = plan_atypicality(
            study.derivatives, tables, ratings, people, settings=settings.atypicality
        )
    return plans


def _step_status(name: str, planned: PlannedStep, errors: Mapping[str, str], *, waiting: str) -> StepStatus:
    return _judge(name, planned.why_stale(), errors, waiting=waiting)


def _export_status(checked: CheckedStudy, errors: Mapping[str, str], *, waiting: str) -> StepStatus:
    return _judge("export", why_exports_stale(checked), errors, waiting=waiting)


def _judge(name: str, stale: str | None, errors: Mapping[str, str], *, waiting: str) -> StepStatus:
    state, why = _state(stale)
    if state != "up to date" and name in errors:
        return StepStatus(name, "", "", "", "failed", errors[name])
    if state == "up to date" and waiting:
        return StepStatus(name, "", "", "", "stale", waiting)
    return StepStatus(name, "", "", "", state, why)


def _state(why: str | None) -> tuple[State, str]:
    if why is None:
        return "up to date", ""
    return ("missing", "") if why == MISSING else ("stale", why)
