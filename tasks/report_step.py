"""Write the reports of a study from the tables that exist."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pandas as pd

from tasks.checking import CheckedStudy
from tasks.errors import InvalidInputError
from tasks.events import read_events
from tasks.manifest import RunManifest
from tasks.progress import Reporter, silent
from tasks.provenance import read_sidecar, software_versions, write_text_atomic
from tasks.recordings import SessionVideo
from tasks.reports import (
    GroupReportInputs,
    ParticipantReportInputs,
    ReportFacts,
    SessionRecord,
    build_group_report,
    build_participant_report,
    report_assets,
)
from tasks.study import Participant
from tasks.tables import read_table

ASSETS: Final = "assets"

_GROUP_TABLES: Final = {
    "features": ("features", "participants", "summarize"),
    "performance": ("performance", "classifiers", "classify"),
    "predictions": ("predictions", "classifiers", "classify"),
    "attribute_tests": ("attributegroups", "tests", "compare"),
    "emotion_tests": ("emotionaus", "tests", "compare"),
    "planted_effects": ("planted", "effects", "planted effects"),
}
"""Table of the report -> its name and suffix, and the step that makes it."""


def write_reports(checked: CheckedStudy, manifest: RunManifest, *, progress: Reporter = silent) -> Path:
    """Write the group report, a report of each participant, and the assets that they share.

    Parameters
    ----------
    checked
        The study.
    manifest
        How its inputs ended so far.
    progress
        Told after each report.

    Returns
    -------
    Path
        The group report.
    """
    derivatives = checked.study.derivatives
    for name, text in report_assets().items():
        write_text_atomic(derivatives.folder / ASSETS / name, text)
    tables, absent = _read_group_tables(checked, manifest)
    facts = _describe_study(checked)
    people = [person for person in checked.study.participants if person.participant_id not in checked.study.not_chosen]
    for done, person in enumerate(people, start=1):
        path = derivatives.participant_report(person.participant_id)
        page = build_participant_report(
            _participant_inputs(checked, person, replace(facts, assets=f"../{ASSETS}"), tables["features"], absent)
        )
        write_text_atomic(path, page)
        progress("reports", done, len(people) + 1)
    links = {
        person.participant_id: derivatives.participant_report(person.participant_id)
        .relative_to(derivatives.folder)
        .as_posix()
        for person in checked.study.participants
        if derivatives.participant_report(person.participant_id).exists()
    }
    write_text_atomic(
        derivatives.group_report, build_group_report(_group_inputs(checked, manifest, facts, tables, absent, links))
    )
    progress("reports", len(people) + 1, len(people) + 1)
    return derivatives.group_report


def _describe_study(checked: CheckedStudy) -> ReportFacts:
    settings = checked.settings
    sidecars = [_extraction_facts(checked, video) for video in checked.study.videos]
    return ReportFacts(
        study_name=settings.study.name,
        created=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        software_version=version("facetrace"),
        positive_group=settings.study.positive_group,
        comparison_group=settings.study.comparison_group,
        demo_weights=any(facts.get("demo_weights", False) for facts in sidecars),
        rendered_data=any(facts.get("rendered", False) for facts in sidecars),
        min_valid_fraction=settings.summarize.min_valid_fraction,
        min_valid_frames=settings.summarize.min_valid_frames,
        alpha=settings.compare.alpha,
        confidence_level=settings.classify.confidence_level,
        assets=ASSETS,
    )


def _extraction_facts(checked: CheckedStudy, video: SessionVideo) -> dict[str, Any]:
    facts: dict[str, Any] = (read_sidecar(checked.frame_table(video)) or {}).get("facts", {})
    return facts


def _read_group_tables(
    checked: CheckedStudy, manifest: RunManifest
) -> tuple[dict[str, pd.DataFrame | None], dict[str, str]]:
    reasons = {error["step"]: error["reason"] for error in manifest.step_errors}
    tables: dict[str, pd.DataFrame | None] = {}
    absent: dict[str, str] = {}
    for name, (stem, suffix, step) in _GROUP_TABLES.items():
        path = checked.study.derivatives.group_table(stem, suffix)
        tables[name] = None
        if step in reasons:
            absent[name] = reasons[step]
        elif not path.exists():
            absent[name] = f"The step {step} was not part of a run yet."
        else:
            tables[name] = read_table(path)
    return tables, absent


def _group_inputs(
    checked: CheckedStudy,
    manifest: RunManifest,
    facts: ReportFacts,
    tables: dict[str, pd.DataFrame | None],
    absent: dict[str, str],
    links: dict[str, str],
) -> GroupReportInputs:
    settings = checked.settings
    return GroupReportInputs(
        facts=facts,
        participants=checked.study.participants_table(),
        triage=checked.triage,
        invalid_reasons=_count_reasons(checked),
        **tables,
        absent=absent,
        outcomes=tuple(manifest.outcomes),
        step_errors=tuple(manifest.step_errors),
        report_links=links,
        settings=settings.model_dump(mode="json"),
        versions=software_versions(),
        weights=_tabulate_weights(checked),
        detector=settings.detection.weights,
    )


def _count_reasons(checked: CheckedStudy) -> pd.DataFrame | None:
    rows = [
        (video.participant_id, video.session, video.task, reason, count)
        for video in checked.study.videos
        for reason, count in _extraction_facts(checked, video).get("frames_by_reason", {}).items()
    ]
    columns = ["participant_id", "session", "task", "invalid_reason", "n_frames"]
    return pd.DataFrame(rows, columns=columns) if rows else None


def _tabulate_weights(checked: CheckedStudy) -> pd.DataFrame | None:
    """Weights that made the frame tables, from their sidecars: settings may have changed since."""
    used: Counter[tuple[str, str]] = Counter()
    for video in checked.study.videos:
        used.update(((read_sidecar(checked.frame_table(video)) or {}).get("weights") or {}).items())
    if not used:
        return None
    known = {item.name: item for item in checked.weights}
    rows = [
        {
            "name": name,
            "sha256": digest,
            "licence": known[name].licence if name in known else "",
            "citation": known[name].citation if name in known else "",
        }
        for name, digest in sorted(used)
    ]
    return pd.DataFrame(rows)


def _participant_inputs(
    checked: CheckedStudy,
    person: Participant,
    facts: ReportFacts,
    features: pd.DataFrame | None,
    absent: dict[str, str],
) -> ParticipantReportInputs:
    videos = checked.study.videos_of(person.participant_id)
    sessions = [_session_record(checked, video) for video in videos]
    reason = checked.study.failed.get(person.participant_id, "")
    if not sessions:
        sessions = [SessionRecord(problem=reason or "No recording was found.")]
    return ParticipantReportInputs(
        facts=facts,
        participant_id=person.participant_id,
        group=person.group or "",
        sessions=sessions,
        covariates=dict(person.covariates),
        show_covariates=checked.settings.report.show_covariates,
        cohort=features,
        cohort_absent=absent.get("features", ""),
        max_yaw_deg=checked.settings.quality.max_yaw_deg,
        max_pitch_deg=checked.settings.quality.max_pitch_deg,
        group_link="../group.html",
    )


def _session_record(checked: CheckedStudy, video: SessionVideo) -> SessionRecord:
    triage = checked.triage
    mine = triage[
        (triage["participant_id"] == video.participant_id)
        & (triage["session"] == video.session)
        & (triage["task"] == video.task)
    ]
    frames, problem = None, ""
    try:
        frames = read_table(checked.frame_table(video))
    except InvalidInputError as error:
        problem = str(error)
    return SessionRecord(
        session=video.session,
        task=video.task,
        frames=frames,
        problem=problem,
        events=read_events(video.events_path) if video.events_path is not None else None,
        triage={str(name): value for name, value in mine.iloc[0].items()} if len(mine) else None,
        facts=_extraction_facts(checked, video),
    )
