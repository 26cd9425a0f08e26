"""Atypicality of expressions, predicted from windows of action units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import State, flow

from flows.parameters import ConfigName, StudyName
from flows.runs import Run, check_recordings, conduct, on_existing_tables
from tasks.checking import CheckedStudy, open_for_import
from tasks.manifest import Outcome
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
    from tasks.atypicality_step import list_gaps, update_atypicality  # noqa: PLC0415

    with show_progress() as progress:
        done = run.step(
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
    if done:
        run.notes += list_gaps(study.derivatives)
    return done


def check_inputs(folder: Path, config: Path | None, participants: Sequence[str]) -> CheckedStudy:
    """Check what the flow reads: recordings, or participants alone where experts' labels stand in for them."""
    opened = open_for_import(folder, config=config, participant_labels=participants)
    if opened.settings.atypicality.inputs == "labels":
        return opened
    return check_recordings(folder, config, participants)


def predict_on_existing(run: Run) -> None:
    """The flow's work on recordings, or on labels: then each participant is an input."""
    if run.checked.settings.atypicality.inputs == "labels":
        run.manifest.add([Outcome(person.participant_id, "", "", "ok") for person in run.checked.study.participants])
        atypicality_all(run)
    else:
        on_existing_tables(atypicality_all)(run)


@flow(name="atypicality", persist_result=False)
def atypicality(study: StudyName, config: ConfigName = "") -> State[Any]:
    """Predict the judges' ratings from windows of the frame tables that exist, or of experts' labels.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    """
    return conduct("atypicality", study, config, [], predict_on_existing, check=check_inputs)
