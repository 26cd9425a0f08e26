"""Tables of a study for R, SPSS and spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import State, flow

from flows.parameters import AS_SET, EVERYBODY, ConfigName, ExportFormats, ExportTables, Participants, StudyName
from flows.runs import Run, conduct, on_existing_tables
from tasks.exporting import export_tables
from tasks.progress import show_progress


def export_all(run: Run, formats: Sequence[str] = (), tables: Sequence[str] = ()) -> bool:
    """Bring the exported files up to date, as the settings say where nothing is asked for; False where a table is missing."""
    asked = run.checked.settings.export
    with show_progress() as progress:
        return run.step(
            "export",
            lambda: export_tables(
                run.checked, formats=formats or asked.formats, tables=tables or asked.tables, progress=progress
            ),
        )


@flow(name="export", persist_result=False)
def export(
    study: StudyName,
    config: ConfigName = "",
    participants: Participants = EVERYBODY,
    formats: ExportFormats = AS_SET,
    tables: ExportTables = AS_SET,
) -> State[Any]:
    """Write the tables that exist in the formats of other programs.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    participants
        Frame tables of these participants only; empty for all.
    formats
        Of parquet, csv, csv2, sav; empty for the setting export.formats.
    tables
        Such as features or frames; empty for the setting export.tables.
    """
    work = on_existing_tables(lambda run: export_all(run, formats, tables))
    return conduct("export", study, config, participants, work)
