"""Atypicality of expressions, predicted from windows of action units."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.parameters import ConfigName, StudyName
from flows.runs import Run, conduct, on_existing_tables
from tasks.progress import show_progress
from tasks.step_plans import RATINGS_TABLE


def atypicality_all(run: Run) -> bool:
    """Bring the tables of predicted atypicality up to date; a study without ratings is told so, and goes on."""
    study = run.checked.study
    ratings = study.folder / RATINGS_TABLE
    if not ratings.is_file():
        run.manifest.actions["atypicality"] = f"skipped: the study has no {RATINGS_TABLE}"
        return True
    # PyTorch takes seconds to import; studies without ratings do without.
    from tasks.atypicality_step import update_atypicality  # noqa: PLC0415

    with show_progress() as progress:
        return run.step(
            "atypicality",
            lambda: update_atypicality(
                study.derivatives,
                run.frame_tables(),
                ratings,
                study.participants_table(),
                settings=run.checked.settings.atypicality,
                progress=progress,
            ),
        )


@flow(name="atypicality", persist_result=False)
def atypicality(study: StudyName, config: ConfigName = "") -> State[Any]:
    """Predict the judges' ratings from windows of the frame tables that exist.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    """
    return conduct("atypicality", study, config, [], on_existing_tables(atypicality_all))
