"""Frame tables to the 58 features of each participant."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.parameters import EVERYBODY, ConfigName, Participants, StudyName
from flows.runs import Run, conduct, on_existing_tables
from tasks.group_steps import update_features


def summarize_all(run: Run) -> bool:
    """Bring the participant table up to date; False where it cannot be made."""
    checked = run.checked
    return run.step(
        "summarize",
        lambda: update_features(
            checked.study.derivatives,
            run.frame_tables(),
            checked.study.participants_table(),
            settings=checked.settings.summarize,
        ),
    )


@flow(name="summarize", persist_result=False)
def summarize(study: StudyName, config: ConfigName = "", participants: Participants = EVERYBODY) -> State[Any]:
    """Summarize the frame tables that exist.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    participants
        Only these participants; empty for all.
    """
    return conduct("summarize", study, config, participants, on_existing_tables(summarize_all))
