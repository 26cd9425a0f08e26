"""`facetrace weights`: what weights there are, and fetching what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

weights_app = typer.Typer(
    help="Weights of the networks: what is there, and fetching what is not.", no_args_is_help=True
)


@weights_app.command("list")
def list_weights() -> None:
    """Names, state, licence and use of all known weights."""
    from tasks.weights import describe_status, read_manifest, weights_folder  # noqa: PLC0415

    for entry in read_manifest().values():
        use = f"{entry.intended_use} ({entry.licence})"
        print(f"{entry.name:28s} {describe_status(entry):8s} {use}")  # noqa: T201
    print(f"Folder: {weights_folder()}")  # noqa: T201


@weights_app.command("fetch")
def fetch_weights(
    name: Annotated[str, typer.Argument(help="Name as `facetrace weights list` prints it.")],
    from_dir: Annotated[
        Path | None, typer.Option(help="Take the file from this folder instead of the internet.")
    ] = None,
) -> None:
    """Download weights, or copy them from a folder, and check their SHA-256."""
    from tasks.progress import show_progress  # noqa: PLC0415
    from tasks.weights import fetch  # noqa: PLC0415

    with show_progress() as reporter:
        path = fetch(name, from_dir=from_dir, progress=lambda done, total: reporter(name, done, total))
    print(f"{name}: {path}")  # noqa: T201
