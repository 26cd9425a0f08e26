"""Seven classifiers of the participant vectors, leaving one participant out."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.parameters import ConfigName, StudyName
from flows.runs import Run, conduct, on_existing_tables
from tasks.group_steps import update_classification
from tasks.progress import show_progress


def classify_all(run: Run) -> bool:
    """Bring the classifiers' tables up to date; False where too few participants are left."""
    settings = run.checked.settings
    with show_progress() as progress:
        return run.step(
            "classify",
            lambda: update_classification(
                run.checked.study.derivatives, settings=settings.classify, study=settings.study, progress=progress
            ),
        )


@flow(name="classify", persist_result=False)
def classify(study: StudyName, config: ConfigName = "") -> State[Any]:
    """Train and validate the classifiers on the participant table that exists.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    """
    return conduct("classify", study, config, [], on_existing_tables(classify_all))
