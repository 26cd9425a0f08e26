"""Tests of group differences: by attribute group, and by action unit and emotion."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.runs import Run, open_run
from tasks.group_steps import update_comparison


def compare_all(run: Run) -> bool:
    """Bring the test tables up to date; False where too few participants are left."""
    checked = run.checked
    return run.step(
        "compare",
        lambda: update_comparison(
            checked.study.derivatives,
            checked.frame_tables(),
            checked.events(),
            settings=checked.settings.compare,
            study=checked.settings.study,
            summarize=checked.settings.summarize,
        ),
    )


@flow(name="compare")
def compare(study: str = ".", config: str = "", participants: list[str] | None = None) -> State[Any]:
    """Test the groups on the tables that exist.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    participants
        Not used: the tests see every participant of the table.
    """
    run = open_run("compare", study, config, participants or [])
    run.note_existing_tables()
    compare_all(run)
    return run.close()
