"""Tests of group differences: by attribute group, and by action unit and emotion."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.parameters import ConfigName, StudyName
from flows.runs import Run, conduct, on_existing_tables
from tasks.group_steps import update_comparison
from tasks.publication import update_publication


def compare_all(run: Run) -> bool:
    """Bring tests, then their tables and figures for print up to date; False where too few participants are left."""
    checked = run.checked
    settings = checked.settings
    return run.step(
        "compare",
        lambda: update_comparison(
            checked.study.derivatives,
            run.frame_tables(),
            checked.events(),
            settings=settings.compare,
            study=settings.study,
            summarize=settings.summarize,
            vote_tables=checked.vote_tables(),
        ),
    ) and run.step(
        "publish",
        lambda: update_publication(
            checked.study.derivatives, settings=settings.compare, study=settings.study, summarize=settings.summarize
        ),
    )


@flow(name="compare", persist_result=False)
def compare(study: StudyName, config: ConfigName = "") -> State[Any]:
    """Test the groups on the tables that exist.

    Parameters
    ----------
    study
        Study folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the study folder; empty for its config.yaml.
    """
    return conduct("compare", study, config, [], on_existing_tables(compare_all))
