"""`facetrace export-attributes`, `import-attributes`, `describe-attributes`: attribute networks as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

Checkpoint = Annotated[
    Path, typer.Argument(help="A .safetensors checkpoint of an attribute network.", show_default=False)
]


def export_attributes(
    checkpoint: Checkpoint,
    out: Annotated[Path | None, typer.Option(help="The .onnx file; by default beside the checkpoint.")] = None,
) -> None:
    """An attribute network as an ONNX file, after a check that it reads faces as PyTorch does."""
    from features.attributes.onnx_export import PARITY_TOLERANCE  # noqa: PLC0415
    from tasks.attribute_export import export_to_onnx  # noqa: PLC0415

    done = export_to_onnx(checkpoint, out)
    rows = zip(done.parity.batch_sizes, done.parity.signal_differences, done.parity.raw_differences, strict=True)
    for n, signal, raw in rows:
        print(f"faces at a time: {n:3d}   largest difference: signals {signal:.1e}, raw outputs {raw:.1e}")  # noqa: T201
    print(f"Agrees with PyTorch within {done.parity.worst:.1e} (tolerance {PARITY_TOLERANCE:g}).")  # noqa: T201
    print(f"{os.path.relpath(done.path)}: {done.path.stat().st_size / 1e6:.1f} MB")  # noqa: T201


def import_attributes(
    file: Annotated[Path, typer.Argument(help="State dict of the authors' code.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.", show_default=False)],
    unit: Annotated[
        Literal["bottleneck", "mobilenet", "eesp"], typer.Option(help="Convolutional unit.", show_default=False)
    ],
    scale: Annotated[float, typer.Option(help="Width scale.")] = 2.0,
    key_map: Annotated[
        Path | None, typer.Option(help="TOML file that maps their names to ours; without it by order and shape.")
    ] = None,
) -> None:
    """A checkpoint in the layout of Li et al.'s own code as a checkpoint of facetrace, without its unused layers."""
    from tasks.attribute_export import import_authors_checkpoint  # noqa: PLC0415

    metadata = import_authors_checkpoint(file, out, unit=unit, scale=scale, key_map=key_map)
    print(f"{os.path.relpath(out)}: {metadata.unit}, s = {metadata.scale:g}, {len(metadata.signals)} signals")  # noqa: T201


def describe_attributes(
    weights: Annotated[str, typer.Argument(help="A .safetensors or .onnx file, or a name of models/weights.toml.")],
    out: Annotated[Path, typer.Option(help="The .md file to write.", show_default=False)],
) -> None:
    """The model card of an attribute network, from its checkpoint."""
    from tasks.model_cards import write_card  # noqa: PLC0415

    print(os.path.relpath(write_card(weights, out)))  # noqa: T201
