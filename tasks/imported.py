"""Frame tables of a study that were imported from another tool instead of extracted from a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tasks.bids_names import DATATYPE, SUBJECT, Derivatives, OfRecording, RecordingName
from tasks.provenance import read_sidecar

IMPORT_STEP: Final = "import"
"""Name of the step in the sidecars of imported tables."""


@dataclass(frozen=True, slots=True)
class ImportedRecording(OfRecording):
    """An imported frame table.

    Attributes
    ----------
    participant_id, session, task
        BIDS labels; `session` is empty where the study has none.
    path
        The frame table.
    tool
        Tool that measured the face.
    file
        Name of the table that was imported, for messages.
    events_path
        Table of stimulus segments, or None.
    """

    participant_id: str
    session: str
    task: str
    path: Path
    tool: str
    file: str
    events_path: Path | None = None


def find_imported(folder: Path) -> list[ImportedRecording]:
    """Imported frame tables of a study.

    Parameters
    ----------
    folder
        Study folder.

    Returns
    -------
    list of ImportedRecording
        Those whose sidecar says so, sorted by file name; whether their participants are known is not checked.
    """
    found = []
    pattern = f"{SUBJECT}*/**/{DATATYPE}/*_desc-frames_{DATATYPE}.parquet"
    for path in sorted(Derivatives.of_study(folder).folder.glob(pattern)):
        sidecar = read_sidecar(path) or {}
        facts = sidecar.get("facts", {})
        if sidecar.get("step") != IMPORT_STEP:
            continue
        name = RecordingName(facts["participant_id"], facts["session"], facts["task"])
        events = next((folder / place for place in name.events_places() if (folder / place).is_file()), None)
        file = next(iter(sidecar.get("inputs", {})), "")
        found.append(ImportedRecording(name.participant_id, name.session, name.task, path, facts["tool"], file, events))
    return found
