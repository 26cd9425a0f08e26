"""Withdrawal of consent: everything that was derived from a participant goes, and later runs leave the participant out."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tasks.bids_names import PARTICIPANTS_TABLE, SUBJECT, TRACK, Derivatives, bare_id
from tasks.errors import InvalidInputError
from tasks.provenance import write_atomic, write_json_atomic
from tasks.run_lock import LOCK_NAME, hold_run_lock

WITHDRAWN_TABLE: Final = "withdrawn.tsv"
_COLUMNS: Final = ("participant_id", "withdrawn")


def read_withdrawn(study_folder: Path) -> tuple[str, ...]:
    """Ids of the participants who were withdrawn from a study, sorted, without ``sub-``.

    Raises
    ------
    InvalidInputError
        If the table is damaged: a run must not take a withdrawn participant for one who takes part.
    """
    path = Derivatives.of_study(study_folder).folder / WITHDRAWN_TABLE
    return tuple(sorted(_read_rows(path)))


def withdraw_participant(study_folder: Path, participant: str) -> list[str]:
    """Delete what was derived from a participant and note the withdrawal.

    Parameters
    ----------
    study_folder
        Study folder.
    participant
        Id, with or without ``sub-``.

    Returns
    -------
    list of str
        What was deleted, relative to the derivatives: the participant's folder, and all tables and reports of the whole
        study, which the next run makes again without the participant. Videos and participants.tsv are not touched.

    Raises
    ------
    InvalidInputError
        If the study knows no such participant.
    StudyBusyError
        If a run is at work on the study.

    Notes
    -----
    The withdrawal is noted before anything is deleted, so that a command that was interrupted can be given again, and no run in
    between derives anything anew. Run manifests keep their counts but lose the participant's lines.
    """
    name = bare_id(participant)
    derivatives = Derivatives.of_study(study_folder)
    own = derivatives.folder / f"{SUBJECT}{name}"
    table = derivatives.folder / WITHDRAWN_TABLE
    rows = _read_rows(table)
    if name not in rows and not own.is_dir() and not _is_participant(study_folder, name):
        raise InvalidInputError(
            f"Expected a participant of {PARTICIPANTS_TABLE} or with derivatives, got '{participant}'. Correct the id."
        )
    with hold_run_lock(derivatives.folder, command="withdraw"):
        return _withdraw(derivatives, name, rows)


def find_other_trees(study_folder: Path, participant: str) -> list[str]:
    """Folders beside the study's derivatives that hold a participant, such as trees of other networks that were put aside.

    Parameters
    ----------
    study_folder
        Study folder.
    participant
        Id, with or without ``sub-``.

    Returns
    -------
    list of str
        Relative to the study. They are not deleted by a withdrawal, since other programs' derivatives may lie there, too.
    """
    own = Derivatives.of_study(study_folder).folder
    trees = sorted(path for path in own.parent.glob("*") if path != own)
    return [
        str(tree.relative_to(study_folder)) for tree in trees if (tree / f"{SUBJECT}{bare_id(participant)}").is_dir()
    ]


def _withdraw(derivatives: Derivatives, name: str, rows: dict[str, str]) -> list[str]:
    own, table = derivatives.folder / f"{SUBJECT}{name}", derivatives.folder / WITHDRAWN_TABLE
    rows.setdefault(name, datetime.now(UTC).date().isoformat())
    _write_rows(table, rows)
    removed = []
    for path in [own, *_of_whole_study(derivatives.folder)]:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            continue
        removed.append(path.name)
    for manifest in sorted(derivatives.logs.glob("run-*.json")):
        _forget(manifest, name)
    return removed


def _of_whole_study(folder: Path) -> list[Path]:
    """Everything that may tell of more than one participant: also tracks of others, by networks that learned from all."""
    kept = {"logs", "assets", "README.md", WITHDRAWN_TABLE, LOCK_NAME}
    shared = [path for path in sorted(folder.iterdir()) if path.name not in kept and not path.name.startswith(SUBJECT)]
    return shared + sorted(folder.glob(f"{SUBJECT}*/**/*_desc-{TRACK}_*"))


def _is_participant(study_folder: Path, name: str) -> bool:
    path = study_folder / PARTICIPANTS_TABLE
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", newline="") as file:
        return any(row and bare_id(row[0].strip()) == name for row in csv.reader(file, delimiter="\t"))


def _forget(manifest: Path, name: str) -> None:
    content: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    kept = [item for item in content["inputs"] if item["participant_id"] != name]
    if len(kept) < len(content["inputs"]):
        write_json_atomic(manifest, {**content, "inputs": kept})


def _read_rows(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="\t")
        if next(reader, None) != list(_COLUMNS):
            raise InvalidInputError(
                f"Expected the columns {' and '.join(_COLUMNS)} in {path.name}, got others. Restore the table: without it "
                "withdrawn participants would be analysed again."
            )
        return {bare_id(row[0]): row[1] if len(row) > 1 else "" for row in reader if row}


def _write_rows(path: Path, rows: dict[str, str]) -> None:
    with write_atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(sorted(rows.items()))
