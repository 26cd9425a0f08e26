"""Who took part and how far each got: run summary, table of participants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from tasks.reports.blocks import Block, Cell, Findings, Heading, Table, number_cell, numeric
from tasks.reports.formatting import duration, integer, number, percent, plural, without_folders
from tasks.reports.inputs import GroupReportInputs

_STATUS_TONES: Final = {"ok": "good", "failed": "bad", "skipped": "quiet"}


def list_participants(inputs: GroupReportInputs) -> dict[str, str]:
    """Every enrolled participant and the group; the group is empty where no table states it."""
    groups: dict[str, str] = {}
    for table in (inputs.participants, inputs.features):
        if table is not None:
            for name, group in zip(table["participant_id"], table["group"], strict=True):
                groups.setdefault(str(name), "" if pd.isna(group) else str(group))
    if inputs.triage is not None:
        for name in inputs.triage["participant_id"]:
            groups.setdefault(str(name), "")
    for outcome in inputs.outcomes:
        groups.setdefault(outcome.participant_id, "")
    return groups


def count_groups(inputs: GroupReportInputs, names: Sequence[str] | set[str]) -> str:
    """Number of participants by group in words: ``11 ASD, 11 TD``."""
    groups = list_participants(inputs)
    return ", ".join(f"{sum(groups.get(name) == group for name in names)} {group}" for group in inputs.facts.groups)


def why_lost(inputs: GroupReportInputs) -> dict[str, str]:
    """Participant -> why the participant is not among the analysed, in the words of the step that decided it."""
    reasons: dict[str, str] = {}
    for outcome in inputs.outcomes:
        if outcome.status != "ok" and outcome.reason:
            reasons[outcome.participant_id] = without_folders(outcome.reason)
    if inputs.triage is not None:
        for row in inputs.triage[inputs.triage["status"] != "ok"].itertuples():
            reasons.setdefault(str(row.participant_id), without_folders(row.problem))
    if inputs.features is not None:
        for row in inputs.features[~inputs.features["included"].astype(bool)].itertuples():
            reasons.setdefault(str(row.participant_id), without_folders(row.exclusion_reason))
    return reasons


def summarise_run(inputs: GroupReportInputs, analysed: set[str] | None) -> list[Block]:
    """How the recordings and analyses of this run ended, and the table of participants.

    Parameters
    ----------
    inputs
        Inputs of the report.
    analysed
        Participants who reached the analyses; None where nobody's way there is known.
    """
    counts = {status: sum(o.status == status for o in inputs.outcomes) for status in _STATUS_TONES}
    sentences = []
    if inputs.outcomes:
        sentences.append(
            f"{plural(len(inputs.outcomes), 'recording')}: {counts['ok']} ok, {counts['failed']} failed, "
            f"{counts['skipped']} skipped."
        )
    sentences += [f"{error['step']} did not run: {without_folders(error['reason'])}" for error in inputs.step_errors]
    blocks: list[Block] = [Findings(sentences)] if sentences else []
    problems = [outcome for outcome in inputs.outcomes if outcome.status != "ok"]
    if problems:
        rows = [
            [
                Cell(outcome.participant_id, href=inputs.report_links.get(outcome.participant_id, "")),
                Cell(" / ".join(part for part in (outcome.session, outcome.task) if part) or "–"),
                Cell(outcome.status, tone=_STATUS_TONES[outcome.status]),
                Cell(without_folders(outcome.reason) or "no reason was recorded"),
            ]
            for outcome in problems
        ]
        headings = [Heading("Participant"), Heading("Recording"), Heading("Status"), Heading("Reason")]
        blocks.append(Table("problems", "Recordings that failed or were skipped", headings, rows))
    blocks.append(_list_participants_table(inputs, analysed))
    return blocks


def _list_participants_table(inputs: GroupReportInputs, analysed: set[str] | None) -> Table:
    """One row a participant: status, coverage, and the link to the participant's report."""
    reasons = why_lost(inputs)
    measured = _sessions_by_participant(inputs.features)
    failed = {o.participant_id for o in inputs.outcomes if o.status == "failed"}
    rows = []
    for name, group in list_participants(inputs).items():
        sessions = measured.get(name)
        status = "failed" if name in failed and sessions is None else "not measured" if sessions is None else "measured"
        if analysed is not None and sessions is not None:
            status = "analysed" if name in analysed else "left out"
        tone = {"analysed": "good", "failed": "bad", "left out": "warn"}.get(status, "quiet")
        rows.append(
            [
                Cell(name, href=inputs.report_links.get(name, "")),
                Cell(group or "–"),
                Cell(status, tone=tone),
                *_coverage_cells(sessions, inputs.facts.min_valid_fraction),
                Cell("" if status == "analysed" else reasons.get(name, "")),
            ]
        )
    headings = [
        Heading("Participant"),
        Heading("Group"),
        Heading("Status"),
        numeric("Sessions"),
        numeric("Frames"),
        numeric("Valid frames"),
        numeric("Longest gap"),
        Heading("Reason"),
    ]
    return Table("participants-table", "Participants", headings, rows, tall=len(rows) > 16)


def _sessions_by_participant(features: pd.DataFrame | None) -> Mapping[str, pd.DataFrame]:
    if features is None:
        return {}
    return {str(name): rows for name, rows in features.groupby("participant_id", sort=False)}


def _coverage_cells(sessions: pd.DataFrame | None, gate: float) -> list[Cell]:
    if sessions is None:
        return [Cell("–") for _ in range(4)]
    frames, valid = sessions["n_frames"].sum(), sessions["n_valid"].sum()
    fraction = valid / frames if frames else 0.0
    gap = sessions["longest_gap_s"].max()
    return [
        number_cell(number(len(sessions), 0), len(sessions)),
        number_cell(integer(frames), frames),
        number_cell(percent(fraction), fraction, tone="warn" if fraction < gate else ""),
        number_cell(duration(gap), gap),
    ]
