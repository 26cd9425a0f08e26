"""The participant report: one page on the recordings of one participant, without a picture or a name."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from features.vector_58 import coverage
from tasks.reports.atypicality import draw_track
from tasks.reports.blocks import (
    Absent,
    Block,
    Cell,
    Charts,
    Facts,
    Heading,
    Section,
    Subheading,
    Table,
    Text,
    Tile,
    Tiles,
    Warnings,
    number_cell,
    numeric,
)
from tasks.reports.formatting import (
    duration,
    file_size,
    integer,
    is_missing,
    listing,
    number,
    percent,
    plural,
    without_folders,
)
from tasks.reports.inputs import ParticipantReportInputs, SessionRecord
from tasks.reports.methods import describe_glossary
from tasks.reports.pages import absent_reason, render_page
from tasks.reports.profile import describe_profile
from tasks.reports.quality import COLUMNS as QUALITY_COLUMNS
from tasks.reports.quality import MEASURES, measure_quality
from tasks.reports.timelines import (
    draw_action_units,
    draw_affect,
    draw_coverage,
    draw_expressions,
    draw_pose,
    prepare_timeline,
)  # fmt: skip

LONG_GAP_S: Final = 5.0
"""Seconds without a valid frame from which a gap is worth a warning."""

THIN_SEGMENT: Final = 0.5
"""Share of valid frames under which a stimulus segment is worth a warning."""


def build_participant_report(inputs: ParticipantReportInputs) -> str:
    """Build the report of one participant.

    Parameters
    ----------
    inputs
        Tables and facts; a recording without a frame table leaves a section that says why.

    Returns
    -------
    str
        A complete HTML document. It refers to nothing but the assets of `report_assets` and the group report.
    """
    sections = [Section("glance", "At a glance", _glance(inputs))]
    for index, record in enumerate(inputs.sessions):
        name = session_name(record) if len(inputs.sessions) > 1 else ""
        sections.append(Section(f"recording-{index}", f"Recording {name}".strip(), _recording(record, index)))
        sections.append(Section(f"signals-{index}", f"Signals {name}".strip(), _signals(inputs, record, index)))
    sections.append(Section("profile", "Compared with the groups", describe_profile(inputs)))
    sections.append(Section("glossary", "Glossary", describe_glossary(statistics=False)))
    return render_page(
        "participant.html.j2",
        inputs.facts,
        title=f"{inputs.participant_id} - {inputs.facts.study_name}",
        participant_id=inputs.participant_id,
        group=inputs.group,
        group_link=inputs.group_link,
        sections=sections,
    )


def session_name(record: SessionRecord) -> str:
    """Session and stimulus of a recording, as far as they are named."""
    return ", ".join(part for part in (record.session, record.task) if part)


def find_warnings(inputs: ParticipantReportInputs) -> list[str]:
    """What a reader has to know before trusting the numbers of this participant."""
    warnings = []
    for record in inputs.sessions:
        name = f"{session_name(record)}: " if len(inputs.sessions) > 1 else ""
        warnings += [name + text for text in _session_warnings(inputs, record)]
    return warnings if inputs.sessions else ["No recording of this participant was found."]


def _session_warnings(inputs: ParticipantReportInputs, record: SessionRecord) -> list[str]:
    if record.frames is None or record.frames.empty:
        return [f"Not measured. {absent_reason(record.problem, 'Extraction did not run.')}"]
    found = coverage(record.frames.sort_values("frame"))
    facts = inputs.facts
    warnings = []
    if found.valid_fraction < facts.min_valid_fraction or found.n_valid < facts.min_valid_frames:
        warnings.append(
            f"Under the coverage gate: {percent(found.valid_fraction)} of frames valid ({found.n_valid:,}); "
            f"{percent(facts.min_valid_fraction)} "
            f"and {plural(facts.min_valid_frames, 'frame')} are needed. Left out of tests and classification."
        )
    if found.longest_gap_s >= LONG_GAP_S:
        warnings.append(f"Longest gap without a valid frame: {duration(found.longest_gap_s)}.")
    switches = record.facts.get("target_switches", ())
    if switches:
        warnings.append(
            f"The tracked face changed {plural(len(switches), 'time')}; check below that it is the participant's."
        )
    others = int((record.frames["invalid_reason"] == "not_target").sum())
    if others:
        warnings.append(f"In {plural(others, 'frame')} only another person's face was found.")
    unread = int((record.frames["invalid_reason"] == "decode_error").sum())
    if unread:
        warnings.append(f"{plural(unread, 'frame')} could not be decoded: the file is damaged.")
    if record.facts.get("tool"):
        warnings.append(f"Measured by {record.facts['tool']}, whose table was imported; values are those of that tool.")
    warnings += _segment_warnings(record, record.frames)
    if (record.triage or {}).get("rate") == "variable":
        warnings.append("The frame rate varies; times are those of the file, not frame number divided by rate.")
    return warnings


def _segment_warnings(record: SessionRecord, frames: pd.DataFrame) -> list[str]:
    """Stimulus segments that the recording does not hold, or of which less than half was measured."""
    if record.events is None or record.events.empty:
        return []
    end = float(frames["time_s"].max())
    missed, thin = [], []
    for event, share in measure_segments(record.events, frames):
        name = "a segment" if is_missing(event["trial_type"]) else str(event["trial_type"])
        if event["onset"] >= end:
            missed.append(name)
        elif share is None or share < THIN_SEGMENT:
            thin.append(f"{name} ({percent(share or 0.0)})")
    warnings = [f"The recording ends before the segments {listing(missed)}."] if missed else []
    if thin:
        warnings.append(f"Segments with less than {percent(THIN_SEGMENT)} of frames valid: {listing(thin)}.")
    return warnings


def measure_segments(events: pd.DataFrame, frames: pd.DataFrame) -> list[tuple[Mapping[Hashable, Any], float | None]]:
    """Each stimulus segment with its share of valid frames; None where the recording has no frame of it."""
    found: list[tuple[Mapping[Hashable, Any], float | None]] = []
    for event in events.dropna(subset=["onset", "duration"]).to_dict("records"):
        inside = frames[(frames["time_s"] >= event["onset"]) & (frames["time_s"] < event["onset"] + event["duration"])]
        found.append((event, float(inside["valid"].mean()) if len(inside) else None))
    return found


def _glance(inputs: ParticipantReportInputs) -> list[Block]:
    measured = [record for record in inputs.sessions if record.frames is not None and len(record.frames)]
    tiles = []
    if inputs.group:
        tiles.append(Tile("Group", inputs.group))
    tiles.append(Tile("Recordings measured", f"{len(measured)} of {len(inputs.sessions)}"))
    if measured:
        found = [coverage(record.frames.sort_values("frame")) for record in measured if record.frames is not None]
        frames, valid = sum(c.n_frames for c in found), sum(c.n_valid for c in found)
        tiles.append(Tile("Valid frames", percent(valid / frames), f"{valid:,} of {frames:,}"))
        tiles.append(Tile("Longest gap", duration(max(c.longest_gap_s for c in found))))
    blocks: list[Block] = [Tiles(tiles), Warnings(find_warnings(inputs), "No quality warning for this participant.")]
    if inputs.show_covariates and inputs.covariates:
        pairs = [
            (str(name).replace("_", " ").capitalize(), _covariate(value)) for name, value in inputs.covariates.items()
        ]
        blocks.append(Facts(pairs))
    return blocks


def _covariate(value: Any) -> str:
    if is_missing(value):
        return "n/a"
    return number(value, 1) if isinstance(value, float) else str(value)


def _recording(record: SessionRecord, index: int) -> list[Block]:
    pairs = recording_facts(record)
    blocks: list[Block] = [Facts(pairs, columns=2)] if pairs else [Absent("The recording was not probed.")]
    quality = _quality_facts(record)
    if quality:
        blocks += [Subheading("Quality, medians over valid frames"), Facts(quality, columns=2)]
    switches = list(record.facts.get("target_switches", ()))
    if switches:
        blocks += [Subheading("Changes of the tracked face"), _tabulate_switches(switches, index)]
    return blocks


def _quality_facts(record: SessionRecord) -> list[tuple[str, str]]:
    frames = record.frames
    if frames is None or not set(QUALITY_COLUMNS) <= set(frames) or not frames["valid"].any():
        return []
    found = measure_quality(frames)
    return [
        (MEASURES[name].label, MEASURES[name].write(value)) for name, value in found.items() if not is_missing(value)
    ]


def recording_facts(record: SessionRecord) -> list[tuple[str, str]]:
    """What is known of a recording's file and how it was read; what is not known is left out."""
    row: Mapping[str, Any] = record.triage or {}
    pairs = [("Stimulus", record.task), ("Session", record.session)]
    problem = without_folders(row.get("problem")) or without_folders(record.problem)
    pairs.append(("Problem", problem))
    pairs.append(("Codec", str(row.get("codec") or "")))
    if row.get("width"):
        turned = f", turned by {row['rotation_deg']:.0f}°" if row.get("rotation_deg") else ""
        pairs.append(("Size", f"{row['width']:.0f} × {row['height']:.0f} pixels{turned}"))
    if not is_missing(row.get("mean_fps")):
        pairs.append(("Frame rate", f"{row['mean_fps']:.2f} per second on average, {row.get('rate') or 'not stated'}"))
    if not is_missing(row.get("duration_s")):
        pairs.append(("Duration", duration(row["duration_s"])))
    if row.get("packet_frames"):
        pairs.append(("Frames in the file", integer(row["packet_frames"])))
    if row.get("size_bytes"):
        pairs.append(("File size", file_size(row["size_bytes"])))
    pairs.append(("Measured by", str(record.facts.get("tool") or "")))
    pairs.append(("Reader", str(record.facts.get("reader") or "")))
    pairs += [("Note", without_folders(note)) for note in record.facts.get("reader_notes", ())]
    if row.get("sha256"):
        pairs.append(("SHA-256", str(row["sha256"])))
    return [(term, text) for term, text in pairs if text]


def _tabulate_switches(switches: Sequence[Mapping[str, Any]], index: int) -> Table:
    rows = [
        [
            Cell(f"{float(item['time_s']):.1f} s", float(item["time_s"])),
            number_cell(integer(item.get("frame")), item.get("frame")),
            Cell(str(item["reason"])),
        ]
        for item in switches
    ]
    headings = [Heading("Time"), numeric("Frame"), Heading("Reason")]
    return Table(f"switches-{index}", plural(len(rows), "change"), headings, rows, sortable=False, tall=len(rows) > 16)


def _signals(inputs: ParticipantReportInputs, record: SessionRecord, index: int) -> list[Block]:
    frames = record.frames
    if frames is None or frames.empty:
        return [Absent(absent_reason(record.problem, "Extraction did not run for this recording."))]
    timeline = prepare_timeline(frames, record.events, key=f"recording-{index}")
    charts = [draw_coverage(timeline)]
    if frames["valid"].any():
        aus = [au for au in inputs.aus if au in frames]
        charts += [draw_action_units(timeline, aus), draw_expressions(timeline), draw_affect(timeline)]
    charts += draw_track(timeline, record.atypicality)
    charts.append(draw_pose(timeline, max_yaw_deg=inputs.max_yaw_deg, max_pitch_deg=inputs.max_pitch_deg))
    text = (
        f"Means over {number(timeline.bin_s, 2)} s; nothing is drawn across a gap. Drag to zoom in time, "
        f"double-click to see all: the charts follow "
        "each other."
    )
    blocks: list[Block] = [Text(text), Charts(charts)]
    if record.events is not None and len(record.events):
        blocks.append(_tabulate_events(record.events, frames, index))
    return blocks


def _tabulate_events(events: pd.DataFrame, frames: pd.DataFrame, index: int) -> Table:
    rows = []
    for event, share in measure_segments(events, frames):
        rows.append(
            [
                Cell("" if is_missing(event["trial_type"]) else str(event["trial_type"])),
                Cell("" if is_missing(event.get("stim_id")) else str(event.get("stim_id"))),
                number_cell(f"{event['onset']:.1f} s", event["onset"]),
                number_cell(f"{event['duration']:.1f} s", event["duration"]),
                number_cell(percent(share), share),
            ]
        )
    headings = [Heading("Segment"), Heading("Stimulus"), numeric("Onset"), numeric("Duration"), numeric("Valid frames")]
    return Table(
        f"segments-{index}",
        "Stimulus segments",
        headings,
        rows,
        folded=f"{plural(len(rows), 'stimulus segment')} as a table",
    )
