"""Attribute networks from one file to another: ONNX beside a checkpoint, and checkpoints of the authors' code into ours."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from features.attributes.authors_layout import load_released
from features.attributes.metadata import AttributeMetadata
from features.attributes.model import AttributeModel, to_checkpoint
from features.attributes.onnx_export import PARITY_TOLERANCE, Parity, measure_parity, to_onnx
from features.attributes.onnx_network import OnnxNetwork
from tasks.attribute_checkpoints import ONNX, TENSORS, load_model
from tasks.errors import InvalidInputError, WeightsError
from tasks.provenance import write_atomic
from tasks.storage import explain_write_errors
from tasks.weights import Weights, load_state_dict

AUTHORS_DATA: Final = ("AffectNet", "EmotioNet")
"""What Li et al. (2019) trained on."""

_WRAPPERS: Final = ("state_dict", "model")


@dataclass(frozen=True)
class OnnxExport:
    """An ONNX file that was written.

    Attributes
    ----------
    path
        The file.
    metadata
        What it says about itself.
    parity
        Its agreement with PyTorch.
    """

    path: Path
    metadata: AttributeMetadata
    parity: Parity


def export_to_onnx(checkpoint: Path, out: Path | None = None, *, threads: int = 0) -> OnnxExport:
    """Write the ONNX file of a checkpoint, after it has been shown to read faces as PyTorch does.

    Parameters
    ----------
    checkpoint
        A ``.safetensors`` file.
    out
        Where to, ending in ``.onnx``; by default beside the checkpoint.
    threads
        CPU threads of the check; 0 for one a core.

    Raises
    ------
    InvalidInputError
        If the names do not end as they must, or the checkpoint is missing.
    WeightsError
        If the checkpoint cannot be read, or the export differs from PyTorch by more than the tolerance: then nothing is written.
    OutputError
        If the file cannot be written.
    """
    _require_file(checkpoint, TENSORS)
    target = out or checkpoint.with_suffix(ONNX)
    _require_suffix(target, ONNX)
    model = load_model(checkpoint)
    content = to_onnx(model)
    parity = measure_parity(model, OnnxNetwork(content, threads=threads))
    if not parity.holds():
        raise WeightsError(
            f"Expected ONNX Runtime to agree with PyTorch within {PARITY_TOLERANCE:g} of a signal, got a difference of "
            f"{parity.worst:.3g} for {checkpoint.name}: the export would measure something else. Nothing was written."
        )
    with write_atomic(target) as temporary, explain_write_errors(target, needs_bytes=len(content)):
        temporary.write_bytes(content)
    return OnnxExport(target, model.metadata, parity)


def import_authors_checkpoint(
    file: Path,
    out: Path,
    *,
    unit: str,
    scale: float = 2.0,
    key_map: Path | None = None,
    training_data: Sequence[str] = AUTHORS_DATA,
) -> AttributeMetadata:
    """Write our checkpoint of a network in the authors' layout, without the layers that no forward pass uses.

    Parameters
    ----------
    file
        A state dict of PyTorch (read with ``weights_only=True``) or a safetensors file, also from DataParallel.
    out
        Where to, ending in ``.safetensors``.
    unit, scale
        Architecture.
    key_map
        TOML file with a table ``tensors`` (their name or beginning = ours) and a list ``dead``. Without it, tensors are
        matched by order and shape.
    training_data
        Names of the data sets, for the card.

    Returns
    -------
    AttributeMetadata
        What was written beside the tensors.

    Raises
    ------
    InvalidInputError
        If a file is missing or the map is none.
    WeightsError
        If the tensors are not those of the network with the authors' unused layers.
    OutputError
        If the file cannot be written.
    """
    _require_file(file)
    _require_suffix(out, TENSORS)
    names, dead = _read_key_map(key_map) if key_map else (None, ())
    tensors = _find_tensors(load_state_dict(Weights(file.stem, file, "", demo=False, architecture=unit)), file.name)
    try:
        network = load_released(tensors, unit, scale=scale, names=names, dead=dead)
    except ValueError as error:
        raise WeightsError(
            f"{file.name} is no {unit} network of width scale {scale:g} in the authors' layout: {error}"
        ) from error
    metadata = AttributeMetadata(
        unit=unit, scale=scale, alignment_mode="enlarged_box", training_data=tuple(training_data)
    )
    kept, strings = to_checkpoint(AttributeModel(network, metadata))
    with write_atomic(out) as temporary, explain_write_errors(out):
        save_file(kept, temporary, metadata=strings)
    return metadata


def _find_tensors(state: Mapping[str, Any], name: str) -> dict[str, torch.Tensor]:
    inner: Any = next((state[key] for key in _WRAPPERS if isinstance(state.get(key), Mapping)), state)
    other = [str(key) for key, value in inner.items() if not isinstance(value, torch.Tensor)]
    if other or not inner:
        raise WeightsError(
            f"Expected a state dict of tensors in {name}, got entries that are none: {', '.join(other[:5]) or 'no entry'}."
        )
    return dict(inner)


def _read_key_map(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    _require_file(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"Expected TOML in {path.name}, got: {error}.") from error
    names, dead = content.get("tensors"), content.get("dead", [])
    if (
        not isinstance(names, dict)
        or not isinstance(dead, list)
        or not set(content) <= {"tensors", "dead"}
        or not all(isinstance(item, str) for item in (*names.values(), *dead))
    ):
        raise InvalidInputError(
            f"Expected in {path.name} a list dead and a table [tensors] of quoted names, their name = our name; got "
            f"{', '.join(content) or 'nothing'}."
        )
    return dict(names), tuple(dead)


def _require_file(path: Path, suffix: str = "") -> None:
    if not path.is_file():
        raise InvalidInputError(f"Expected the file {path.name}, it is missing. Correct the path.")
    if suffix:
        _require_suffix(path, suffix)


def _require_suffix(path: Path, suffix: str) -> None:
    if path.suffix != suffix:
        raise InvalidInputError(f"Expected a file name that ends in {suffix}, got {path.name}.")
