"""Files that hold an attribute network: safetensors checkpoints (PyTorch) and ONNX exports (ONNX Runtime).

Both are data, never code: nothing here unpickles. PyTorch is imported where a network is loaded, not to plan a run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from features import facs
from tasks.errors import WeightsError

if TYPE_CHECKING:
    from features.attributes.metadata import AttributeMetadata
    from features.attributes.model import AttributeModel

TENSORS: Final = ".safetensors"
ONNX: Final = ".onnx"
CHECKPOINT_SUFFIXES: Final = (TENSORS, ONNX)
"""How the name of a checkpoint may end."""


def read_strings(path: Path) -> dict[str, str]:
    """Metadata strings of a checkpoint; empty where it has none.

    Raises
    ------
    WeightsError
        If the file is not what its name says.
    """
    if path.suffix == ONNX:
        return _read_onnx_strings(path)
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(path, framework="np") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(f"Expected a safetensors checkpoint in {path.name}, got: {error}.") from error


def _read_onnx_strings(path: Path) -> dict[str, str]:
    import onnx  # noqa: PLC0415  (only where the study has such a network)
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    try:
        proto = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise WeightsError(f"Expected an ONNX model in {path.name}, got: {error}.") from error
    return {item.key: item.value for item in proto.metadata_props}


def checkpoint_is_demo(path: Path) -> bool:
    """Whether a checkpoint says of itself that it was trained on rendered faces.

    Raises
    ------
    WeightsError
        If the file is not what its name says.
    """
    return read_strings(path).get("demo", "false") == "true"


def load_model(path: Path, *, device: str = "cpu", threads: int = 0) -> AttributeModel:
    """Attribute network of a checkpoint, whatever runs it.

    Parameters
    ----------
    path
        A ``.safetensors`` or ``.onnx`` file.
    device
        ``cpu``, ``cuda`` or ``cuda:1``.
    threads
        CPU threads of ONNX Runtime; 0 for one a core. PyTorch has one setting for the whole process.

    Raises
    ------
    WeightsError
        If the file cannot be read, is of another format or vocabulary than its metadata say, or the device is not there.
    """
    from safetensors import SafetensorError  # noqa: PLC0415

    try:
        if path.suffix == ONNX:
            from features.attributes.model import AttributeModel  # noqa: PLC0415

            return AttributeModel.from_onnx(path.read_bytes(), device=device, threads=threads)
        return _load_tensors(path, device)
    except (SafetensorError, ValueError, OSError) as error:
        raise WeightsError(
            f"Expected a checkpoint of an attribute network in {path.name}, got: {error} "
            "Train one with `facetrace train-attributes`, or name another in attributes.weights."
        ) from error


def _load_tensors(path: Path, device: str) -> AttributeModel:
    from safetensors import safe_open  # noqa: PLC0415

    from features.attributes.model import AttributeModel  # noqa: PLC0415

    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    return AttributeModel.from_checkpoint(tensors, metadata, device=device)


def require_frame_vocabulary(name: str, aus: Sequence[str], expressions: Sequence[str]) -> None:
    """Stop where a network's outputs have no column in a frame table.

    Parameters
    ----------
    name
        Name of the weights.
    aus, expressions
        Outputs of the network.

    Raises
    ------
    WeightsError
        If an action unit is none of `features.facs`, or the expressions are not the eight of the frame table.
    """
    unknown = [au for au in aus if au not in facs.AU_NAMES]
    problems = []
    if unknown:
        problems.append(f"action units that facetrace does not know: {', '.join(unknown)}")
    if set(expressions) != set(facs.EXPRESSIONS):
        lacking = [item for item in facs.EXPRESSIONS if item not in expressions]
        other = [item for item in expressions if item not in facs.EXPRESSIONS]
        problems.append(
            f"expressions without {', '.join(lacking) or 'none'} and with {', '.join(other) or 'no others'}"
        )
    if problems:
        raise WeightsError(
            f"Expected weights that read action units such as AU12 and the expressions {', '.join(facs.EXPRESSIONS)}, got {name} "
            f"with {'; '.join(problems)}. Their vocabulary is another one: a frame table has no columns for it. Name other "
            "weights in attributes.weights."
        )


def require_crops(name: str, metadata: AttributeMetadata, mode: str) -> None:
    """Stop where extraction would cut faces in another way than the network learned them.

    Parameters
    ----------
    name
        Name of the weights.
    metadata
        What they say about the crops that they were trained on.
    mode
        The setting detection.mode.

    Raises
    ------
    WeightsError
        If the mode, or the scale of aligned crops, differs.
    """
    from features.faces.alignment import CROP_SCALE  # noqa: PLC0415

    trained = metadata.alignment_mode
    if trained != mode:
        raise WeightsError(
            f"Expected weights for crops of detection.mode {mode}, got {name}, trained on crops of mode {trained}: it would see "
            f"faces as it never saw them. Set detection.mode: {trained}, or name other weights in attributes.weights."
        )
    if mode == "aligned" and not math.isclose(metadata.alignment_scale, CROP_SCALE):
        raise WeightsError(
            f"Expected weights for crops aligned at scale {CROP_SCALE:g}, got {name}, trained at {metadata.alignment_scale:g}: it "
            "would see faces at another size than it learned. Train it on crops of facetrace, or name other weights in "
            "attributes.weights."
        )


def choose_checkpoint_device(path: Path, setting: str) -> str:
    """Device for a checkpoint from the setting run.device: ``auto`` is a GPU where its runtime can use one."""
    if setting != "auto":
        return setting
    if path.suffix == ONNX:
        from features.attributes.onnx_network import cuda_is_available  # noqa: PLC0415

        return "cuda" if cuda_is_available() else "cpu"
    import torch  # noqa: PLC0415

    return "cuda" if torch.cuda.is_available() else "cpu"


def require_all_tasks(name: str, untrained: Sequence[str]) -> None:
    """Stop where a network did not learn everything that a frame table holds.

    Parameters
    ----------
    name
        Name of the weights.
    untrained
        Tasks that it did not learn, as of `features.attributes.metadata.AttributeMetadata.untrained_tasks`.

    Raises
    ------
    WeightsError
        If there is any.
    """
    if untrained:
        raise WeightsError(
            f"Expected weights that learned all tasks, got {name}, which did not learn {', '.join(untrained)}: those outputs mean "
            "nothing. Name a multi-task network in attributes.weights."
        )
