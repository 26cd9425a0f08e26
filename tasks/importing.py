"""The import step of a study: which files belong to whom, whether one has to be read, and reading it."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features.frame_table import LEADING_COLUMNS
from tasks.bids_names import (
    LABEL_RULE,
    PARTICIPANTS_TABLE,
    SESSION,
    TASK,
    Derivatives,
    OfRecording,
    bare_id,
    is_label,
)
from tasks.delimited import MISSING, Row, parse_number, read_text_table
from tasks.errors import InvalidInputError
from tasks.imported import IMPORT_STEP
from tasks.importers import AUTO, find_dialect, open_export
from tasks.importers.assembly import ImportedTable, assemble
from tasks.problems import list_problems
from tasks.provenance import Step, read_sidecar, sha256_file, why_stale, write_sidecar, write_text_atomic
from tasks.recordings import relative_name
from tasks.settings import ImportSettings
from tasks.tables import write_table

IMPORT_VERSION: Final = 1
IMPORTS_TABLE: Final = "imports.csv"
"""Table in the study folder that says which file of another tool belongs to whom."""

_COLUMNS: Final = ("participant_id", "session", "task", "file")
_OPTIONAL: Final = ("dialect", "stimulus", "frame_rate_hz")
_log = logging.getLogger("facetrace")


@dataclass(frozen=True, slots=True)
class ImportJob(OfRecording):
    """A file to import, and whose it is: a row of imports.csv.

    Attributes
    ----------
    participant_id, session, task
        BIDS labels; `session` may be empty.
    path
        The file.
    dialect
        As ``--dialect`` takes it.
    stimulus
        Which of several stimuli in the file; empty where there is one.
    frame_rate_hz
        Frames a second; 0 for the setting imports.frame_rate_hz.
    """

    participant_id: str
    session: str
    task: str
    path: Path
    dialect: str = AUTO
    stimulus: str = ""
    frame_rate_hz: float = 0.0


def make_job(
    folder: Path,
    *,
    participant: str,
    session: str,
    task: str,
    file: str,
    dialect: str = AUTO,
    stimulus: str = "",
    frame_rate_hz: str | float = 0.0,
) -> ImportJob:
    """A job from what a person wrote, checked.

    Parameters
    ----------
    folder
        Study folder; `file` is relative to it or absolute.
    participant, session, task
        With or without ``sub-``, ``ses-``, ``task-``.
    file, dialect, stimulus, frame_rate_hz
        See `ImportJob`.

    Raises
    ------
    InvalidInputError
        If a label is none, the file is missing or the frame rate no positive number.
    """
    labels = (bare_id(participant), session.strip().removeprefix(SESSION), task.strip().removeprefix(TASK))
    for name, label in zip(("participant", "session", "task"), labels, strict=True):
        if not is_label(label) and not (name == "session" and not label):
            raise InvalidInputError(
                f"Expected {LABEL_RULE} as {name}, got '{label}'. Labels become file names: shorten it."
            )
    path = folder / file
    if not path.is_file():
        raise InvalidInputError(f"Expected a table at {relative_name(path, folder)}, got no such file. Check the path.")
    rate = parse_number(str(frame_rate_hz or 0))
    if rate is None or not 0 <= rate <= 1000:
        raise InvalidInputError(
            f"Expected a frame rate in frames/s, got '{frame_rate_hz}'. Write a number such as 29.97."
        )
    return ImportJob(*labels, path, dialect or AUTO, stimulus, rate)


def read_jobs(folder: Path) -> list[ImportJob]:
    """All rows of a study's imports.csv.

    Raises
    ------
    InvalidInputError
        If the table is missing, or any row cannot be used: all problems, each with its line.
    """
    rows = _read_rows(folder)
    jobs: list[ImportJob] = []
    wrong: list[str] = []
    for row in rows:
        cells = {name: "" if text == MISSING else text for name, text in row.cells.items()}
        try:
            job = make_job(
                folder,
                participant=cells["participant_id"],
                session=cells["session"],
                task=cells["task"],
                file=cells["file"],
                **{name: cells[name] for name in _OPTIONAL if cells.get(name)},
            )
        except InvalidInputError as error:
            wrong.append(f"{IMPORTS_TABLE}, line {row.line}: {error}")
            continue
        if job.label in {other.label for other in jobs}:
            wrong.append(
                f"{IMPORTS_TABLE}, line {row.line}: expected one table for {job.label}, got another. Keep one."
            )
        jobs.append(job)
    if wrong:
        raise InvalidInputError("\n".join(wrong))
    return jobs


def remember_job(folder: Path, job: ImportJob) -> None:
    """Write a job into the study's imports.csv, in place of the row of the same session and task.

    Parameters
    ----------
    folder
        Study folder.
    job
        A job that `make_job` made.
    """
    names = [*_COLUMNS, *_OPTIONAL]
    rows = [
        {name: row.cells.get(name, MISSING) for name in names}
        for row in (_read_rows(folder) if (folder / IMPORTS_TABLE).is_file() else [])
    ]
    mine = {
        "participant_id": job.participant_id,
        "session": job.session or MISSING,
        "task": job.task,
        "file": relative_name(job.path, folder)
        if job.path.resolve().is_relative_to(folder.resolve())
        else str(job.path),
        "dialect": job.dialect,
        "stimulus": job.stimulus or MISSING,
        "frame_rate_hz": f"{job.frame_rate_hz:g}" if job.frame_rate_hz else MISSING,
    }
    key = ("participant_id", "session", "task")
    places = [i for i, row in enumerate(rows) if all(_bare(row[name]) == _bare(mine[name]) for name in key)]
    if places:
        rows[places[0]] = mine
    else:
        rows.append(mine)
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomic(folder / IMPORTS_TABLE, text.getvalue())


def _bare(label: str) -> str:
    return label.removeprefix(SESSION).removeprefix(TASK).removeprefix("sub-")


def _read_rows(folder: Path) -> Sequence[Row]:
    path = folder / IMPORTS_TABLE
    if not path.is_file():
        raise InvalidInputError(
            f"Expected {IMPORTS_TABLE} in the study folder, with the columns {', '.join(_COLUMNS)} and if needed "
            f"{', '.join(_OPTIONAL)}; got none. Write it, or name one file with --participant and --task."
        )
    table = read_text_table(path, file=IMPORTS_TABLE, delimiter=",", required=_COLUMNS)
    if table.problems:
        raise InvalidInputError(list_problems(table.problems))
    return table.rows


def run_import(
    job: ImportJob,
    *,
    derivatives: Derivatives,
    settings: ImportSettings,
    known: Collection[str],
    filmed: Collection[str],
) -> str:
    """Bring the frame table of an import up to date.

    Parameters
    ----------
    job
        What to import.
    derivatives
        Where results go.
    settings
        Section `imports` of the settings.
    known
        Ids of participants.tsv.
    filmed
        Labels of the study's videos.

    Returns
    -------
    str
        What was found, in a line: dialect, frames, rate, share of valid frames.

    Raises
    ------
    InvalidInputError
        If the participant is unknown, there is a video of the same session and task, or the file cannot be read.
    """
    if job.participant_id not in known:
        raise InvalidInputError(
            f"Expected the participant of {job.path.name} in {PARTICIPANTS_TABLE}, got no row '{job.participant_id}'. "
            "Add a row, or correct the id."
        )
    if job.label in filmed:
        raise InvalidInputError(
            f"Expected no video of {job.label} beside an imported table, got one. Import it under another task label."
        )
    used = replace_rate(settings, job.frame_rate_hz)
    step = Step(
        IMPORT_STEP,
        IMPORT_VERSION,
        {
            **{f"imports.{k}": v for k, v in used.model_dump(mode="json").items()},
            "dialect": job.dialect,
            "stimulus": job.stimulus,
        },
        {job.path.name: sha256_file(job.path)},
    )
    output = derivatives.frame_table(job.participant_id, job.session, job.task)
    why = why_stale(output, step)
    if why is None:
        _log.info("%s: import up to date", job.label)
        return f"up to date ({(read_sidecar(output) or {}).get('facts', {}).get('tool', '')})"
    _log.info("%s: imports, because %s", job.label, why)
    started = datetime.now(UTC)
    source = open_export(job.path)
    dialect = find_dialect(source, job.dialect)
    table = assemble(source, dialect.read(source, job.stimulus), used)
    _write(job, table, output, step, started)
    valid = float(np.mean(table.frames["valid"]))
    return (
        f"{dialect.title}, {len(table.frames)} frames at {table.facts['frame_rate_hz']:g} frames/s, {valid:.1%} valid"
    )


def replace_rate(settings: ImportSettings, frame_rate_hz: float) -> ImportSettings:
    """The settings with the frame rate of one file, where it has its own."""
    return settings.model_copy(update={"frame_rate_hz": frame_rate_hz}) if frame_rate_hz else settings


def _write(job: ImportJob, table: ImportedTable, output: Path, step: Step, started: datetime) -> None:
    key = {"participant_id": job.participant_id, "session": job.session, "task": job.task}
    frames = pd.concat([pd.DataFrame(key, index=table.frames.index), table.frames], axis=1)
    columns = write_table(frames, output, described=(*LEADING_COLUMNS[:3], *table.columns))
    write_sidecar(
        output,
        step,
        description=f"Frames of a session as {table.facts['tool']} measured them, imported",
        columns=columns,
        started=started,
        facts={**key, **table.facts, "demo_weights": False, "rendered": False},
    )
