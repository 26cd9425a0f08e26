"""The demo: render participants with planted effects, run the study on them, compare planted with found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prefect import State, flow

from flows.disclosure import do_step
from flows.parameters import CohortSeed, ParticipantsPerGroup, SessionSeconds, StudyName
from flows.runs import Run, conduct
from flows.study import run_all
from tasks.group_steps import update_planted_effects
from tasks.progress import show_progress
from tasks.rendering import render_study, write_demo_settings


def render_all(folder: Path, participants_per_group: int, seconds: float, seed: int) -> None:
    """Render the participants that are not there yet, and write the demo's settings."""
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
            run.frame_tables(),
            checked.events(),
            checked.study.participants_table(),
            seconds=seconds,
            summarize=checked.settings.summarize,
        ),
    )


@flow(name="demo", persist_result=False)
def demo(
    study: StudyName = "demo",
    participants_per_group: ParticipantsPerGroup = 12,
    seconds: SessionSeconds = 15.0,
    seed: CohortSeed = 58,
) -> State[Any]:
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
    return conduct(
        "demo",
        study,
        "",
        [],
        lambda run: run_all(run, before_report=lambda: recover_all(run, seconds)),
        prepare=lambda folder: do_step("render", lambda: render_all(folder, participants_per_group, seconds, seed)),
        weights=True,
    )
