"""The export step of a study: which tables there are, which files are stale, and writing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tasks.bids_names import SUBJECT
from tasks.checking import CheckedStudy
from tasks.errors import InvalidInputError, SettingsError
from tasks.exporters import ENDINGS, WRITERS, ExportTable, describe_table, write_codebook, write_r_script, write_syntax
from tasks.progress import Reporter, silent
from tasks.provenance import MISSING, Step, hash_json, read_sidecar, sha256_file, write_json_atomic, write_text_atomic
from tasks.reports.formatting import plural
from tasks.tables import read_table

EXPORT_VERSION: Final = 1
FRAMES: Final = "frames"
"""Name of the frame tables, one a recording; every other name is that of a table in the folder ``group``."""

CODEBOOK: Final = "codebook.html"
_R_SCRIPT: Final = "read_features.R"
_SYNTAX: Final = "read_features.sps"
_GUIDES: Final = "codebook.json"
_SPELLED_OUT: Final = ("atypicality", "complexity")
"""Kinds of tables whose names say the kind too, because tables of another kind bear the same name."""


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
    folder = _folder(checked)
    found = _group_tables(checked)
    jobs = []
    for name in tables or found:
        if name == FRAMES:
            frames = _frame_jobs(checked)
            jobs += frames
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


def _folder(checked: CheckedStudy) -> Path:
    return checked.study.derivatives.exports


def _group_tables(checked: CheckedStudy) -> dict[str, Path]:
    """Tables of the whole study by the name under which they are exported, such as ``features`` or ``combinations_complexity``."""
    found = {}
    for path in sorted((checked.study.derivatives.folder / "group").glob("desc-*.parquet")):
        full = path.stem.removeprefix("desc-")
        name, _, kind = full.partition("_")
        found[full if kind in _SPELLED_OUT else name] = path
    return found


def _frame_jobs(checked: CheckedStudy) -> list[ExportJob]:
    return [ExportJob(path.stem, path, _folder(checked) / FRAMES) for path in checked.frame_tables()]


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
    asked = _list_asked(checked, formats, tables)
    written = 0
    for done, (job, kinds) in enumerate(asked, start=1):
        written += _export(checked, job, kinds)
        progress("exports", done, len(asked))
    removed = _remove_leftovers(checked)
    explained = [_bring_guides_up_to_date(checked, folder) for folder in _guided(checked)]
    did = [f"{plural(written, 'file')} written"] if written else []
    did += [f"{plural(removed, 'file')} of tables that are no more removed"] if removed else []
    return ", ".join(did) or ("codebook written" if any(explained) else None)


def why_exports_stale(checked: CheckedStudy) -> str | None:
    """Why the exports that the settings ask for are not up to date; None where they are.

    Parameters
    ----------
    checked
        The study.

    Returns
    -------
    str or None
        `tasks.provenance.MISSING`, or which tables changed.
    """
    settings = checked.settings.export
    if not (_folder(checked) / _GUIDES).exists():
        return MISSING
    try:
        asked = _list_asked(checked, settings.formats, settings.tables)
    except InvalidInputError as error:
        return str(error)
    changed = [job.name for job, kinds in asked if _find_stale(job, _plan(checked, job), kinds)[0]]
    changed += [path.stem for path in _find_leftovers(checked)]
    return f"{', '.join(changed)} changed" if changed else None


def _list_asked(
    checked: CheckedStudy, formats: Sequence[str], tables: Sequence[str]
) -> list[tuple[ExportJob, Sequence[str]]]:
    """Tables with the formats to write; frame tables that were exported before are kept true, in the formats that they have."""
    asked: list[tuple[ExportJob, Sequence[str]]] = [(job, formats) for job in list_jobs(checked, tables)]
    if not tables:
        asked += [(job, ()) for job in _frame_jobs(checked) if job.dictionary.exists()]
    return asked


def _find_stale(job: ExportJob, step: Step, formats: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Formats whose file does not hold, and the files that do with their hashes."""
    before = read_sidecar(job.dictionary) or {}
    files: dict[str, str] = dict(before.get("files", {})) if before.get("step_key") == step.key else {}
    kinds = [kind for kind in WRITERS if kind in formats or job.file(kind).name in before.get("files", {})]
    return [kind for kind in kinds if not _holds(job.file(kind), files)], files


def _export(checked: CheckedStudy, job: ExportJob, formats: Sequence[str]) -> int:
    """Write the files of a table that do not hold, and its dictionary; the number of files."""
    step = _plan(checked, job)
    stale, files = _find_stale(job, step, formats)
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


def _find_leftovers(checked: CheckedStudy) -> list[Path]:
    """Dictionaries of exports whose table is gone, or whose participant has no row in participants.tsv any more."""
    folder = _folder(checked)
    known = {person.participant_id for person in checked.study.participants}
    frames = checked.study.derivatives.folder.glob(f"{SUBJECT}*/**/*_desc-frames_beh.parquet")
    of_known = {path.stem for path in frames if path.stem.removeprefix(SUBJECT).partition("_")[0] in known}
    gone = [path for path in _dictionaries(folder / FRAMES) if path.stem not in of_known]
    tables = _group_tables(checked)
    return gone + [path for path in _dictionaries(folder) if path.stem not in tables]


def _remove_leftovers(checked: CheckedStudy) -> int:
    """Delete the files of `_find_leftovers` and their dictionaries; the number of files without these."""
    removed = 0
    for dictionary in _find_leftovers(checked):
        for name in (read_sidecar(dictionary) or {}).get("files", {}):
            path = dictionary.with_name(Path(name).name)
            removed += path.exists()
            path.unlink(missing_ok=True)
        dictionary.unlink()
    return removed


def _dictionaries(folder: Path) -> list[Path]:
    """Data dictionaries of the tables that were exported into a folder, now or before."""
    return [path for path in sorted(folder.glob("*.json")) if "files" in (read_sidecar(path) or {})]


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


def _guided(checked: CheckedStudy) -> list[Path]:
    """Folders of exports that have, or had, tables to explain."""
    folder = _folder(checked)
    return [path for path in (folder, folder / FRAMES) if path.is_dir()]


def _bring_guides_up_to_date(checked: CheckedStudy, folder: Path) -> bool:
    """Codebook, R script and syntax file of everything that was exported into a folder; whether they had to be written."""
    exported = {path.stem: path for path in _dictionaries(folder)}
    before = read_sidecar(folder / CODEBOOK) or {}
    hashes = {name: sha256_file(path) for name, path in exported.items()}
    key = hash_json([EXPORT_VERSION, checked.settings.study.name, hashes])
    guides: dict[str, str] = before.get("guides", {})
    if before.get("step_key") == key and all(_holds(folder / name, guides) for name in guides):
        return False
    texts = _write_guides(checked, folder, exported) if exported else {}
    for name in (CODEBOOK, _R_SCRIPT, _SYNTAX):
        if name in texts:
            write_text_atomic(folder / name, texts[name])
        else:
            (folder / name).unlink(missing_ok=True)
    described = "Codebook of the exported tables, and scripts that read them"
    hashes = {name: sha256_file(folder / name) for name in texts}
    write_json_atomic(folder / _GUIDES, {"description": described, "guides": hashes, "step_key": key})
    return True


def _write_guides(checked: CheckedStudy, folder: Path, exported: dict[str, Path]) -> dict[str, str]:
    """File name -> text of each guide."""
    dictionaries = {name: read_sidecar(path) or {} for name, path in exported.items()}
    jobs = [job for job in list_jobs(checked, [FRAMES] if folder.name == FRAMES else []) if job.name in exported]
    if folder.name == FRAMES:  # of frame tables with the same columns, one stands for all
        jobs = list({tuple(dictionaries[job.name]["columns"]): job for job in reversed(jobs)}.values())[::-1]
    tables = [read_export(checked, job) for job in jobs]
    texts = {CODEBOOK: write_codebook(tables, study_name=checked.settings.study.name)}
    files = {table.name: dictionaries[table.name]["files"] for table in tables}
    for kind in ("csv", "csv2", "sav"):
        readable = [table for table in tables if f"{table.name}{ENDINGS[kind]}" in files[table.name]]
        if readable:
            texts[_R_SCRIPT] = write_r_script(readable, read_call=kind)
            break
    in_spss = [table for table in tables if f"{table.name}.sav" in files[table.name]]
    if in_spss:
        texts[_SYNTAX] = write_syntax(in_spss)
    return texts
