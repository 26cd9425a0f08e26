"""Commands of attribute networks: data to practise on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

attributes_app = typer.Typer()
"""Merged into the main command without a name of its own."""

TrainingFolder = Annotated[
    Path, typer.Argument(help="Training folder: holds config.yaml, receives the results.", show_default=False)
]


@attributes_app.command("render-faces")
def render_faces(
    folder: Annotated[Path, typer.Argument(help="New folder for the practice data set.", show_default=False)],
    images: Annotated[int, typer.Option(min=3, help="Number of images.")] = 2000,
    people: Annotated[
        int, typer.Option(min=3, help="Number of people; those of the test are in no other split.")
    ] = 100,
    size: Annotated[int, typer.Option(min=32, max=512, help="Pixels of a side of the crops to learn from.")] = 112,
    seed: Annotated[int, typer.Option(min=0, help="Seed of people and faces.")] = 2019,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Render labelled faces to practise training on: images, a table of labels and config.yaml, in a new folder."""
    from tasks.progress import show_progress  # noqa: PLC0415
    from tasks.rendered_faces import render_labelled_faces  # noqa: PLC0415

    with show_progress() as progress:
        table = render_labelled_faces(
            folder, n_images=images, n_people=people, size=size, seed=seed, workers=workers, progress=progress
        )
    print(f"{images} images of {people} people: {os.path.relpath(table)}")  # noqa: T201
    print(f"Train on them: facetrace train-attributes {os.path.relpath(folder)}")  # noqa: T201
