"""The demo: render participants with planted effects, run the study on them, compare planted with found."""

from __future__ import annotations

import os
from typing import Any

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE

from flows.runs import Run, find_study, open_run
from flows.study import run_all
from tasks.group_steps import update_planted_effects
from tasks.progress import show_progress
from tasks.rendering import render_study, write_demo_settings


@task(name="render", cache_policy=NO_CACHE)
def render_all(study: str, participants_per_group: int, seconds: float, seed: int) -> None:
    """Render the participants that are not there yet, and write the demo's settings."""
    folder = find_study(study)
    with show_progress() as progress:
        render_study(
            folder,
            n_per_group=participants_per_group,
            seconds=seconds,
            seed=seed,
            workers=os.cpu_count() or 1,
            progress=progress,
        )
    write_demo_settings(folder)


def recover_all(run: Run, seconds: float) -> None:
    """Bring the table of planted and found effects up to date."""
    checked = run.checked
    run.step(
        "planted effects",
        lambda: update_planted_effects(
            checked.study.derivatives,
            checked.frame_tables(),
            checked.events(),
            checked.study.participants_table(),
            seconds=seconds,
            summarize=checked.settings.summarize,
        ),
    )


@flow(name="demo")
def demo(study: str = "demo", participants_per_group: int = 12, seconds: float = 15.0, seed: int = 58) -> State[Any]:
    """Render a study of two groups and run it.

    Parameters
    ----------
    study
        Folder of the demo, relative to FACETRACE_STUDIES.
    participants_per_group
        Participants in each group.
    seconds
        Length of each session.
    seed
        Seed of the cohort.
    """
    render_all(study, participants_per_group, seconds, seed)
    run = open_run("demo", study, "", [], weights=True)
    run_all(run, before_report=lambda: recover_all(run, seconds))
    return run.close()
