"""Read faces with an attribute network: inference, and checkpoints as tensors and strings."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from features.attributes import build
from features.attributes.frames import raw_to_frame
from features.attributes.metadata import AttributeMetadata
from features.attributes.network import AttributeNetwork, OutputLayout, fold_norms
from features.attributes.onnx_network import OnnxNetwork


def to_input(crops: npt.NDArray[np.uint8], device: torch.device | str = "cpu") -> torch.Tensor:
    """Turn crops into network input: RGB in [0, 1], neither mean nor deviation.

    Parameters
    ----------
    crops
        Shape (n, S, S, 3), uint8, RGB.
    device
        Where the tensor shall lie.

    Returns
    -------
    Tensor, shape (n, 3, S, S), float32, channels last in memory
    """
    pixels = torch.from_numpy(np.require(crops, requirements=["C", "W"])).to(device)  # torch refuses read-only maps
    return pixels.permute(0, 3, 1, 2).to(dtype=torch.float32, memory_format=torch.channels_last).div_(255.0)


class RawReader(Protocol):
    """A network at work, whatever runs it."""

    def read_raw(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Raw rows (n, n_outputs), float32, of crops (n, S, S, 3), uint8, RGB."""


class _TorchReader:
    """A network in PyTorch: a copy whose normalisations are folded into the convolutions."""

    def __init__(self, network: AttributeNetwork, device: torch.device | str) -> None:
        self._device = torch.device(device)
        folded = fold_norms(copy.deepcopy(network).to(self._device)).requires_grad_(requires_grad=False)
        self._network = folded.to(memory_format=torch.channels_last)

    def read_raw(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Raw rows of crops."""
        with torch.inference_mode():
            raw: npt.NDArray[np.float32] = self._network(to_input(crops, self._device)).float().cpu().numpy()
        return raw


class AttributeModel:
    """A network with its vocabulary, ready to read aligned crops: the one interface to PyTorch and ONNX Runtime.

    Parameters
    ----------
    network
        As made by `features.attributes.build`, which runs in PyTorch: it is put into evaluation mode and otherwise left as it
        is; inference runs on a copy whose normalisations are folded into the convolutions. Or an `OnnxNetwork`.
    metadata
        What its inputs and outputs mean.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:0"`` for PyTorch; an `OnnxNetwork` has its own.
    clip_dimensions
        Whether valence and arousal are clipped to [-1, 1].

    Raises
    ------
    ValueError
        If network and metadata disagree.
    """

    def __init__(
        self,
        network: nn.Module | OnnxNetwork,
        metadata: AttributeMetadata,
        *,
        device: torch.device | str = "cpu",
        clip_dimensions: bool = True,
    ) -> None:
        self.metadata = metadata
        self.clip_dimensions = clip_dimensions
        self._network: AttributeNetwork | None = None
        self._reader: RawReader
        if isinstance(network, OnnxNetwork):
            _check_onnx(network, metadata)
            self._reader = network
        else:
            self._network = _check_torch(network, metadata).eval()
            self._reader = _TorchReader(self._network, device)

    @property
    def network(self) -> AttributeNetwork:
        """The network in PyTorch.

        Raises
        ------
        ValueError
            If the model runs in ONNX Runtime: its weights are folded and can neither be trained nor exported again.
        """
        if self._network is None:
            raise ValueError("Expected a model in PyTorch, got one in ONNX Runtime. Use its .safetensors checkpoint.")
        return self._network

    @property
    def runtime(self) -> Literal["torch", "onnxruntime"]:
        """What runs the network."""
        return "onnxruntime" if self._network is None else "torch"

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the columns that `predict` gives: action units, expressions, arousal, valence."""
        return self.metadata.signals

    @property
    def aus(self) -> tuple[str, ...]:
        """Action units in order."""
        return self.metadata.aus

    @property
    def expressions(self) -> tuple[str, ...]:
        """Expression classes in order."""
        return self.metadata.expressions

    @property
    def input_size(self) -> int:
        """Side of the crops in pixels."""
        return self.metadata.input_size

    @property
    def unit(self) -> str:
        """Convolutional unit."""
        return self.metadata.unit

    @property
    def scale(self) -> float:
        """Width scale."""
        return self.metadata.scale

    @property
    def layout(self) -> OutputLayout:
        """Sizes of the tasks."""
        return layout_of(self.metadata)

    def predict(self, crops: npt.NDArray[np.uint8], *, batch_size: int = 32) -> npt.NDArray[np.float32]:
        """Read aligned faces.

        Parameters
        ----------
        crops
            Shape (n, input_size, input_size, 3), uint8, RGB.
        batch_size
            Crops at a time; it changes speed and memory, not the result beyond rounding.

        Returns
        -------
        ndarray, shape (n, n_signals), float32
            In the order of `signals`: probabilities 0 to 1, then arousal and valence, -1 to 1 unless not clipped.

        Raises
        ------
        ValueError
            If the crops have another shape or type.
        """
        size = self.input_size
        if crops.ndim != 4 or crops.shape[1:] != (size, size, 3) or crops.dtype != np.uint8:
            raise ValueError(
                f"Expected uint8 crops of shape (n, {size}, {size}, 3), got {crops.dtype} of shape {crops.shape}."
            )
        if batch_size < 1:
            raise ValueError(f"Expected a batch size of at least 1, got {batch_size}.")
        raw = np.empty((len(crops), self.layout.n_outputs), dtype=np.float32)
        for start in range(0, len(crops), batch_size):
            rows = slice(start, start + batch_size)
            raw[rows] = self._reader.read_raw(crops[rows])
        return raw_to_frame(raw, self.layout, clip_dimensions=self.clip_dimensions)

    @classmethod
    def from_checkpoint(
        cls,
        tensors: Mapping[str, torch.Tensor],
        metadata: Mapping[str, str],
        *,
        device: torch.device | str = "cpu",
        clip_dimensions: bool = True,
    ) -> AttributeModel:
        """Rebuild a model from what `to_checkpoint` gave.

        Parameters
        ----------
        tensors
            Weights by name.
        metadata
            Strings, see `AttributeMetadata.from_strings`.
        device, clip_dimensions
            As for the class.

        Raises
        ------
        ValueError
            If the metadata cannot be read, or the tensors are not those of the network that it describes.
        """
        described = AttributeMetadata.from_strings(metadata)
        network = build(
            described.unit, scale=described.scale, n_aus=len(described.aus), n_expressions=len(described.expressions)
        )
        load_tensors(network, tensors)
        return cls(network, described, device=device, clip_dimensions=clip_dimensions)

    @classmethod
    def from_onnx(
        cls, content: bytes, *, device: str = "cpu", threads: int = 0, clip_dimensions: bool = True
    ) -> AttributeModel:
        """Model of an ONNX file that `features.attributes.onnx_export.to_onnx` made.

        Parameters
        ----------
        content
            The file.
        device, threads
            As for `OnnxNetwork`.
        clip_dimensions
            As for the class.

        Raises
        ------
        ValueError
            If the file cannot be read or run, or its metadata do not describe its inputs and outputs.
        """
        network = OnnxNetwork(content, device=device, threads=threads)
        return cls(network, AttributeMetadata.from_strings(network.strings), clip_dimensions=clip_dimensions)


def layout_of(metadata: AttributeMetadata) -> OutputLayout:
    """Sizes of the tasks that metadata describe."""
    return OutputLayout(n_expressions=len(metadata.expressions), n_aus=len(metadata.aus))


def _check_torch(network: nn.Module, metadata: AttributeMetadata) -> AttributeNetwork:
    if not isinstance(network, AttributeNetwork):
        raise ValueError(  # noqa: TRY004 - a wrong network is an invalid value to callers
            f"Expected a network made by features.attributes.build, got {type(network).__name__}."
        )
    got = (network.unit_name, network.scale, network.layout.n_aus, network.layout.n_expressions)
    expected = (metadata.unit, metadata.scale, len(metadata.aus), len(metadata.expressions))
    if got != expected:
        raise ValueError(
            f"Expected a network of unit, scale, action units and expressions {expected} as in its metadata, got {got}."
        )
    return network


def _check_onnx(network: OnnxNetwork, metadata: AttributeMetadata) -> None:
    got, expected = (network.input_size, network.n_outputs), (metadata.input_size, layout_of(metadata).n_outputs)
    if got != expected:
        raise ValueError(
            f"Expected a network of input size and outputs {expected} as in its metadata, got one of {got}."
        )


def to_checkpoint(model: AttributeModel) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata strings of a model, as a safetensors file takes them.

    Parameters
    ----------
    model
        The model.

    Returns
    -------
    tensors : dict of Tensor
        On the CPU, contiguous.
    metadata : dict of str
        See `AttributeMetadata.to_strings`.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.network.state_dict().items()}
    return tensors, model.metadata.to_strings()


def load_tensors(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copy tensors into a network, all of them and nothing else.

    Raises
    ------
    ValueError
        If a tensor is missing, unknown, of another shape, or not finite.
    """
    wanted = network.state_dict()
    missing, unknown = sorted(set(wanted) - set(tensors)), sorted(set(tensors) - set(wanted))
    if missing or unknown:
        raise ValueError(
            f"Expected the {len(wanted)} tensors of the network, got {len(tensors)}: "
            f"{len(missing)} missing ({', '.join(missing[:3]) or 'none'}), "
            f"{len(unknown)} unknown ({', '.join(unknown[:3]) or 'none'})."
        )
    for name, value in wanted.items():
        if tensors[name].shape != value.shape:
            raise ValueError(f"Expected shape {tuple(value.shape)} for {name}, got {tuple(tensors[name].shape)}.")
        if not torch.isfinite(tensors[name]).all():
            raise ValueError(f"Expected finite weights, got infinite or undefined ones in {name}.")
    network.load_state_dict(dict(tensors))
