"""The export step of a study: which tables there are, which files are stale, and writing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tasks.checking import CheckedStudy
from tasks.errors import InvalidInputError, SettingsError
from tasks.exporters import ENDINGS, WRITERS, ExportTable, describe_table, write_codebook, write_r_script, write_syntax
from tasks.progress import Reporter, silent
from tasks.provenance import Step, read_sidecar, sha256_file, write_json_atomic, write_text_atomic
from tasks.tables import read_table

EXPORT_VERSION: Final = 1
EXPORT_FOLDER: Final = "export"
FRAMES: Final = "frames"
"""Name of the frame tables, one a recording; every other name is that of a table in the folder ``group``."""


@dataclass(frozen=True)
class ExportJob:
    """A table to export.

    Attributes
    ----------
    name
        File name without ending.
    source
        The Parquet table.
    folder
        Where its files go.
    """

    name: str
    source: Path
    folder: Path

    @property
    def dictionary(self) -> Path:
        """Its data dictionary, which also says from what the files were made."""
        return self.folder / f"{self.name}.json"

    def file(self, kind: str) -> Path:
        """Its file in a format."""
        return self.folder / f"{self.name}{ENDINGS[kind]}"


def list_jobs(checked: CheckedStudy, tables: Sequence[str] = ()) -> list[ExportJob]:
    """Tables of a study that can be exported.

    Parameters
    ----------
    checked
        The study.
    tables
        Names such as ``features``, ``predictions`` or ``frames``; empty for all but the frames.

    Raises
    ------
    InvalidInputError
        If a table is not there.
    """
    derivatives = checked.study.derivatives
    folder = derivatives.folder / EXPORT_FOLDER
    found = {
        path.stem.removeprefix("desc-").partition("_")[0]: path
        for path in sorted((derivatives.folder / "group").glob("desc-*.parquet"))
    }
    jobs = []
    for name in tables or found:
        if name == FRAMES:
            frames = checked.frame_tables()
            jobs += [ExportJob(path.stem, path, folder / FRAMES) for path in frames]
            missing = not frames
        else:
            missing = name not in found
            if not missing:
                jobs.append(ExportJob(name, found[name], folder))
        if missing:
            raise InvalidInputError(
                f"Expected one of the tables {', '.join([*found, FRAMES])}, got '{name}', which is not there. Correct the name, or "
                "run the step that makes it."
            )
    if not jobs:
        raise InvalidInputError(
            "Expected tables to export, got none yet. Run `facetrace run` or `facetrace summarize` first."
        )
    return jobs


def export_tables(
    checked: CheckedStudy, *, formats: Sequence[str], tables: Sequence[str] = (), progress: Reporter = silent
) -> str | None:
    """Bring the exported files of a study up to date.

    Parameters
    ----------
    checked
        The study.
    formats
        Of ``parquet``, ``csv``, ``csv2``, ``sav``.
    tables
        See `list_jobs`.
    progress
        Told after each table.

    Returns
    -------
    str or None
        What was written; None where all files still held.

    Raises
    ------
    SettingsError
        If a format is unknown.
    InvalidInputError
        If a table is missing.
    """
    unknown = [kind for kind in formats if kind not in WRITERS]
    if unknown or not formats:
        raise SettingsError(f"Expected formats of {', '.join(WRITERS)}; got {', '.join(unknown) or 'none'}.")
    jobs = list_jobs(checked, tables)
    written = 0
    for done, job in enumerate(jobs, start=1):
        written += _export(checked, job, formats)
        progress("exports", done, len(jobs))
    for folder in dict.fromkeys(job.folder for job in jobs):
        _write_guides(checked, folder)  # of frame tables with the same columns, one stands for all
    return f"{written} files written" if written else None


def _export(checked: CheckedStudy, job: ExportJob, formats: Sequence[str]) -> int:
    """Write the files of a table that do not hold, and its dictionary; the number of files."""
    step = _plan(checked, job)
    before = read_sidecar(job.dictionary) or {}
    files: dict[str, str] = dict(before.get("files", {})) if before.get("step_key") == step.key else {}
    kinds = [kind for kind in WRITERS if kind in formats or job.file(kind).name in before.get("files", {})]
    stale = [kind for kind in kinds if not _holds(job.file(kind), files)]
    if not stale:
        return 0
    table = read_export(checked, job)
    for kind in stale:
        WRITERS[kind](table, job.file(kind))
        files[job.file(kind).name] = sha256_file(job.file(kind))
    write_json_atomic(
        job.dictionary,
        {
            "description": table.description,
            "columns": {column.name: column.described() for column in table.columns},
            "files": dict(sorted(files.items())),
            "step_key": step.key,
            **step.described(),
        },
    )
    return len(stale)


def read_export(checked: CheckedStudy, job: ExportJob) -> ExportTable:
    """Read a table with its dictionary."""
    return describe_table(
        job.name,
        read_table(job.source),
        read_sidecar(job.source) or {},
        participants_json=checked.study.descriptions,
        positive_group=checked.settings.study.positive_group,
        comparison_group=checked.settings.study.comparison_group,
    )


def _plan(checked: CheckedStudy, job: ExportJob) -> Step:
    groups = checked.settings.study
    settings: dict[str, Any] = {
        "study.positive_group": groups.positive_group,
        "study.comparison_group": groups.comparison_group,
        "participants.json": checked.study.descriptions,
    }
    return Step("export", EXPORT_VERSION, settings, {job.source.name: sha256_file(job.source)})


def _holds(path: Path, files: dict[str, str]) -> bool:
    return path.name in files and path.exists() and sha256_file(path) == files[path.name]


def _write_guides(checked: CheckedStudy, folder: Path) -> None:
    """Codebook, R script and syntax file of everything that was exported into a folder, now or before."""
    exported = {path.stem: read_sidecar(path) or {} for path in sorted(folder.glob("*.json"))}
    jobs = [job for job in list_jobs(checked, [FRAMES] if folder.name == FRAMES else []) if job.name in exported]
    if folder.name == FRAMES:
        jobs = list({tuple(exported[job.name]["columns"]): job for job in reversed(jobs)}.values())[::-1]
    tables = [read_export(checked, job) for job in jobs]
    write_text_atomic(folder / "codebook.html", write_codebook(tables, study_name=checked.settings.study.name))
    files = {table.name: exported[table.name]["files"] for table in tables}
    for kind in ("csv", "csv2", "sav"):
        readable = [table for table in tables if f"{table.name}{ENDINGS[kind]}" in files[table.name]]
        if readable:
            write_text_atomic(folder / "read_features.R", write_r_script(readable, read_call=kind))
            break
    in_spss = [table for table in tables if f"{table.name}.sav" in files[table.name]]
    if in_spss:
        write_text_atomic(folder / "read_features.sps", write_syntax(in_spss))
