"""Write the reports of a study from the tables that exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pandas as pd

from features.vector_58 import SIGNALS
from tasks.bids_names import Derivatives
from tasks.checking import CheckedStudy
from tasks.errors import InvalidInputError
from tasks.events import read_events
from tasks.manifest import SKIPPED_WITHDRAWN, RunManifest
from tasks.progress import Reporter, silent
from tasks.provenance import read_sidecar, software_versions, write_bytes_atomic, write_sidecar, write_text_atomic
from tasks.publication.drawing import to_pdf, to_svg
from tasks.publication.step import COMPARISON_TITLES
from tasks.publication.study_figures import DRAWN
from tasks.report_atypicality import read_atypicality, read_track
from tasks.report_plans import (
    GROUP_TABLES,
    STUDY_FIGURES,
    comparison_figures,
    plan_group_report,
    plan_participant_reports,
)
from tasks.reports import (
    GroupReportInputs,
    ParticipantReportInputs,
    ReportFacts,
    SessionRecord,
    build_group_report,
    build_participant_report,
    report_assets,
)
from tasks.reports.quality import COLUMNS as QUALITY_COLUMNS
from tasks.reports.quality import measure_quality
from tasks.step_plans import figure_paths
from tasks.steps import PlannedStep
from tasks.study import Participant, Recording
from tasks.tables import read_table

ASSETS: Final = "assets"


def write_reports(checked: CheckedStudy, manifest: RunManifest, *, progress: Reporter = silent) -> str | None:
    """Bring the reports up to date: one of each participant, one of the study, and the assets that they share.

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
    str or None
        Why the first of them was written; None where all still held.
    """
    derivatives = checked.study.derivatives
    for name, text in report_assets().items():
        path = derivatives.folder / ASSETS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text_atomic(path, text)
    tables, absent = _read_group_tables(checked, manifest)
    facts = _describe_study(checked)
    beside = replace(facts, assets=f"../{ASSETS}")
    planned = plan_participant_reports(checked)
    reasons: list[str | None] = []
    for done, (person, page) in enumerate(planned, start=1):
        build = partial(_participant_page, checked, person, beside, tables["features"], absent)
        reasons.append(_bring_page_up_to_date(page, build))
        progress("reports", done, len(planned) + 1)
    reasons.append(
        _bring_page_up_to_date(
            plan_group_report(checked, manifest),
            lambda: _group_page(_group_inputs(checked, manifest, facts, tables, absent)),
        )
    )
    progress("reports", len(planned) + 1, len(planned) + 1)
    return next((reason for reason in reasons if reason), None)


def _bring_page_up_to_date(planned: PlannedStep, build: Callable[[], Mapping[str, str | bytes]]) -> str | None:
    """Write a page and the figures that go with it, unless all of them hold."""
    why = planned.why_stale()
    if why is None:
        return None
    started = datetime.now(UTC)
    contents = build()
    for name, path in planned.outputs.items():
        content = contents[name]
        write_bytes_atomic(path, content.encode() if isinstance(content, str) else content)
        description = "A report to read in a browser" if name == "report" else "A figure of the group report for print"
        write_sidecar(path, planned.step, description=description, started=started)
    return why


def _group_page(inputs: GroupReportInputs) -> dict[str, str | bytes]:
    contents: dict[str, str | bytes] = {"report": build_group_report(inputs)}
    for name in STUDY_FIGURES:
        title, draw = DRAWN[name]
        figure = draw(inputs)
        contents |= {f"{name}.svg": to_svg(figure, title), f"{name}.pdf": to_pdf(figure, title)}
    return contents


def _participant_page(
    checked: CheckedStudy,
    person: Participant,
    facts: ReportFacts,
    features: pd.DataFrame | None,
    absent: dict[str, str],
) -> dict[str, str | bytes]:
    return {"report": build_participant_report(_participant_inputs(checked, person, facts, features, absent))}


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


def _extraction_facts(checked: CheckedStudy, video: Recording) -> dict[str, Any]:
    facts: dict[str, Any] = (read_sidecar(checked.frame_table(video)) or {}).get("facts", {})
    return facts


def _read_group_tables(
    checked: CheckedStudy, manifest: RunManifest
) -> tuple[dict[str, pd.DataFrame | None], dict[str, str]]:
    reasons = {error["step"]: error["reason"] for error in manifest.step_errors}
    tables: dict[str, pd.DataFrame | None] = {}
    absent: dict[str, str] = {}
    for name, (stem, suffix, step) in GROUP_TABLES.items():
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
) -> GroupReportInputs:
    settings, derivatives = checked.settings, checked.study.derivatives
    pages = {
        person.participant_id: derivatives.participant_report(person.participant_id)
        for person in checked.study.participants
    }
    links = {name: path.relative_to(derivatives.folder).as_posix() for name, path in pages.items() if path.exists()}
    return GroupReportInputs(
        facts=facts,
        participants=checked.study.participants_table(),
        triage=checked.triage,
        invalid_reasons=_count_reasons(checked),
        **tables,
        absent=absent,
        outcomes=tuple(outcome for outcome in manifest.outcomes if outcome.reason != SKIPPED_WITHDRAWN),
        step_errors=tuple(manifest.step_errors),
        report_links=links,
        settings=settings.model_dump(mode="json"),
        versions=software_versions(),
        weights=_tabulate_weights(checked),
        detector=settings.detection.weights,
        atypicality=read_atypicality(checked, manifest),
        quality=_measure_recordings(checked),
        comparison_link=_address(derivatives, derivatives.comparison_page)
        if derivatives.comparison_page.exists()
        else "",
        figure_links=_list_figures(derivatives),
    )


def _address(derivatives: Derivatives, path: Path) -> str:
    return path.relative_to(derivatives.folder).as_posix()


def _list_figures(derivatives: Derivatives) -> list[tuple[str, list[tuple[str, str]]]]:
    """Title -> format and address of the files of each figure: those of the report, and those of the comparison that are there."""
    there = {name: path for name, path in comparison_figures(derivatives).items() if path.exists()}
    paths = {**figure_paths(derivatives, STUDY_FIGURES), **there}
    titles = {**{name: title for name, (title, _) in DRAWN.items()}, **COMPARISON_TITLES}
    return [
        (
            title,
            [
                (kind.upper(), _address(derivatives, paths[key]))
                for kind in ("svg", "pdf")
                if (key := f"{name}.{kind}") in paths
            ],
        )
        for name, title in titles.items()
        if f"{name}.svg" in paths
    ]


def _measure_recordings(checked: CheckedStudy) -> pd.DataFrame | None:
    """Quality of every recording that has a frame table with the columns that it needs."""
    rows = []
    for recording in checked.study.recordings:
        path = checked.frame_table(recording)
        if path.exists():
            key = dict(zip(("participant_id", "session", "task"), recording.key, strict=True))
            rows.append(key | measure_quality(read_table(path, only=QUALITY_COLUMNS)))
    return pd.DataFrame(rows) if rows else None


def _count_reasons(checked: CheckedStudy) -> pd.DataFrame | None:
    rows = [
        (video.participant_id, video.session, video.task, reason, count)
        for video in checked.study.recordings
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
    videos = checked.study.recordings_of(person.participant_id)
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


def _session_record(checked: CheckedStudy, video: Recording) -> SessionRecord:
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
    else:
        lacking = [name for name in SIGNALS if name not in frames]
        if lacking:
            frames, problem = None, f"The imported table lacks {', '.join(lacking)}: there is no timeline."
    return SessionRecord(
        session=video.session,
        task=video.task,
        frames=frames,
        problem=problem,
        events=read_events(video.events_path) if video.events_path is not None else None,
        triage={str(name): value for name, value in mine.iloc[0].items()} if len(mine) else None,
        facts=_extraction_facts(checked, video),
        atypicality=read_track(checked, video),
    )
