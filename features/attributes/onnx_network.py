"""An attribute network in ONNX Runtime: the same raw rows from the same crops as in PyTorch, without PyTorch's speed limits.

The file is data: it is refused where it refers to other files, holds operators of unknown origin, or weights that are not
finite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

INPUT: Final = "image"
OUTPUT: Final = "raw"
"""Names in the graph: (n, 3, S, S) float32 RGB in [0, 1] -> (n, n_outputs) float32 raw rows, n free."""

_KNOWN_DOMAINS: Final = frozenset({"", "ai.onnx"})
_FLOATING: Final = frozenset({onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16})
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"
_RUNTIME_ERRORS: Final = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
)


def cuda_is_available() -> bool:
    """Whether this installation of ONNX Runtime can use an NVIDIA GPU (package onnxruntime-gpu)."""
    return _CUDA in onnxruntime.get_available_providers()


def parse_onnx(content: bytes) -> onnx.ModelProto:
    """Read an ONNX model and refuse what an attribute network does not need.

    Parameters
    ----------
    content
        The file.

    Raises
    ------
    ValueError
        If it is no ONNX model, keeps weights in other files, has operators of other domains than ONNX's own, or weights that
        are infinite or undefined.
    """
    try:
        proto = onnx.load_from_string(content)
    except DecodeError as error:
        raise ValueError(f"Expected an ONNX model, got: {error}.") from error
    if not proto.graph.node:
        raise ValueError("Expected an ONNX model, got one without operators.")
    foreign = sorted({node.domain for node in proto.graph.node} - _KNOWN_DOMAINS)
    if foreign:
        raise ValueError(f"Expected operators of ONNX itself, got some of {', '.join(foreign)}.")
    for tensor in _tensors(proto):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError(f"Expected all weights inside the file, got {tensor.name or 'a tensor'} in another file.")
        if tensor.data_type in _FLOATING and not np.isfinite(onnx.numpy_helper.to_array(tensor)).all():
            raise ValueError(
                f"Expected finite weights, got infinite or undefined ones in {tensor.name or 'a constant'}."
            )
    return proto


def read_strings(proto: onnx.ModelProto) -> dict[str, str]:
    """Metadata strings of a model, as `features.attributes.metadata.AttributeMetadata.from_strings` takes them."""
    return {item.key: item.value for item in proto.metadata_props}


def _tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from proto.graph.initializer
    for node in proto.graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.type == onnx.AttributeProto.TENSOR)


class OnnxNetwork:
    """A network of an ONNX file, ready to run.

    Parameters
    ----------
    content
        The file, as `features.attributes.onnx_export.to_onnx` makes it.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
    threads
        CPU threads; 0 for one a core.

    Attributes
    ----------
    strings
        Metadata strings of the file.
    input_size
        Side of the crops in pixels.
    n_outputs
        Columns of a raw row.

    Raises
    ------
    ValueError
        If the file cannot be read or run (see `parse_onnx`), has other inputs or outputs, or the device is not there.
    """

    def __init__(self, content: bytes, *, device: str = "cpu", threads: int = 0) -> None:
        self.strings: Mapping[str, str] = read_strings(parse_onnx(content))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin while they wait take the processor from decoding and detection: a third more frames a second.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=_providers(device))
        except _RUNTIME_ERRORS as error:
            raise ValueError(f"Expected an ONNX model that ONNX Runtime can run, got: {error}.") from error
        self.input_size, self.n_outputs = self._check_shapes()

    def _check_shapes(self) -> tuple[int, int]:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        got = {item.name: item.shape for item in (*inputs, *outputs)}
        image, raw = got.get(INPUT, []), got.get(OUTPUT, [])
        sound = len(image) == 4 and len(raw) == 2 and image[1] == 3 and image[2] == image[3]
        if set(got) != {INPUT, OUTPUT} or not sound or not all(isinstance(n, int) for n in (*image[1:], *raw[1:])):
            raise ValueError(
                f"Expected the input {INPUT} (n, 3, S, S) and the output {OUTPUT} (n, outputs), got "
                f"{', '.join(f'{name} {tuple(shape)}' for name, shape in got.items())}."
            )
        fixed = [item for item in (image[0], raw[0]) if isinstance(item, int)]
        if fixed:
            raise ValueError(f"Expected a network for any number of faces, got one for {fixed[0]}.")
        return int(image[2]), int(raw[1])

    def read_raw(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Raw rows (n, n_outputs), float32, of crops (n, S, S, 3), uint8, RGB."""
        image = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
        image /= np.float32(255)
        raw: npt.NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: image})[0]
        return raw


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return [_CPU]
    if kind == "cuda" and cuda_is_available():
        return [(_CUDA, {"device_id": index or "0"}), _CPU]
    raise ValueError(
        f"Expected a device that this ONNX Runtime can use (cpu{', cuda' if cuda_is_available() else ''}), got {device!r}. "
        "For a GPU install onnxruntime-gpu in place of onnxruntime, or set run.device: cpu."
    )
