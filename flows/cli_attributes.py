"""Commands of attribute networks: data to practise on, training, evaluation, the paper's table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_support import ConfigFile, Verbose, finish, leave, prepare_prefect, say_how_far_it_came

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


@attributes_app.command("train-attributes")
def train_attributes(folder: TrainingFolder, config: ConfigFile = None, verbose: Verbose = False) -> None:
    """Train an attribute network on labelled images and evaluate it. A stopped training goes on when the command is repeated."""
    os.environ["FACETRACE_STUDIES"] = str(folder.resolve().parent)
    prepare_prefect(verbose=verbose)
    with say_how_far_it_came():
        from flows.registry import FLOWS  # noqa: PLC0415  (after Prefect's environment is settled)

        name = os.path.relpath(config, folder) if config else ""
        state = FLOWS["train-attributes"](folder=folder.resolve().name, config=name, return_state=True)
    leave(finish(state))


@attributes_app.command("evaluate-attributes")
def evaluate_attributes(
    folder: TrainingFolder,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A .safetensors or .onnx network; by default the one that the settings train.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Figures of an attribute network on the test images, with bootstrap intervals; the paper's beside them."""
    from flows.cli_tables import open_console  # noqa: PLC0415
    from tasks.attribute_commands import evaluate_in_folder  # noqa: PLC0415
    from tasks.progress import show_progress  # noqa: PLC0415

    with say_how_far_it_came(), show_progress() as progress:
        made = evaluate_in_folder(folder, config, checkpoint, progress=progress)
    open_console().print(made.shown)
    print(os.path.relpath(made.path))  # noqa: T201


@attributes_app.command("tabulate-attributes")
def tabulate_attributes(folder: TrainingFolder, config: ConfigFile = None) -> None:
    """Train and evaluate three units in multi- and single-task mode: the paper's figure 2, published figures beside ours."""
    from rich.markdown import Markdown  # noqa: PLC0415

    from flows.cli_tables import open_console  # noqa: PLC0415
    from tasks.attribute_commands import tabulate_in_folder  # noqa: PLC0415
    from tasks.progress import show_progress  # noqa: PLC0415

    with say_how_far_it_came(), show_progress() as progress:
        made = tabulate_in_folder(folder, config, progress=progress)
    open_console().print(Markdown(made.with_suffix(".md").read_text(encoding="utf-8")))
    print(os.path.relpath(made))  # noqa: T201
