"""Read what the reports show of predicted atypicality."""

from __future__ import annotations

from typing import Final

from tasks.checking import CheckedStudy
from tasks.manifest import RunManifest
from tasks.provenance import read_sidecar
from tasks.report_plans import atypicality_tables, study_track
from tasks.reports.atypicality_inputs import AtypicalityTables, AtypicalityTrack
from tasks.study import Recording
from tasks.tables import read_table

STEP: Final = "atypicality"
NOT_RUN: Final = "The step atypicality was not part of a run yet."


def read_atypicality(checked: CheckedStudy, manifest: RunManifest) -> AtypicalityTables | None:
    """Tables of predicted atypicality; why there are none where the step failed; None where nobody was rated."""
    places = atypicality_tables(checked)
    if not places:
        return None
    reasons = [str(error["reason"]) for error in manifest.step_errors if error["step"] == STEP]
    if reasons or not all(path.exists() for path in places.values()):
        return AtypicalityTables(problem=reasons[0] if reasons else NOT_RUN)
    tables = {name: read_table(path) for name, path in places.items()}
    return AtypicalityTables(
        performance=tables["performance"],
        signals=tables["signals"],
        moments=tables["moments"],
        segments=tables["segments"],
        folds=tables["folds"],
        planted=(read_sidecar(places["signals"]) or {}).get("facts", {}).get("planted_weights", {}),
    )


def read_track(checked: CheckedStudy, recording: Recording) -> AtypicalityTrack | None:
    """Predicted atypicality of a recording; None where there is none."""
    places, path = atypicality_tables(checked), study_track(checked, recording)
    if not places or not path.exists() or not places["segments"].exists():
        return None
    segments = read_table(places["segments"])
    own = segments[["participant_id", "session", "task"]].eq(list(recording.key)).all(axis=1)
    return AtypicalityTrack(frames=read_table(path), segments=segments[own])
