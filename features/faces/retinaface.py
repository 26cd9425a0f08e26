"""RetinaFace networks: MobileNet-0.25 and ResNet-50 backbones, with the parameter names of the published weights.

A backbone gives three feature maps (strides 8, 16, 32), a feature pyramid mixes them top-down, a context module
widens the receptive field of each, and 1x1 convolutions predict for two anchors per cell: face or background, box,
five landmarks.

References
----------
.. [1] Deng J. et al. (2020). RetinaFace: single-shot multi-level face localisation in the wild. CVPR.
   doi:10.1109/CVPR42600.2020.00525
.. [2] Najibi M. et al. (2017). SSH: single stage headless face detector. ICCV. doi:10.1109/ICCV.2017.522
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
ANCHORS_PER_CELL = 2
_DATA_PARALLEL_PREFIX = "module."

RawHeads = tuple[Tensor, Tensor, Tensor]
"""Boxes (n, anchors, 4), class logits (n, anchors, 2) and landmarks (n, anchors, 10), all still encoded."""


AnchorSides = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Sides in pixels of the two square anchors of a cell, for strides 8, 16 and 32."""


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What a set of weights was trained with, beside the network itself.

    Attributes
    ----------
    channel_order
        Order of the colour channels of the network's input.
    mean, std
        Input is ``(pixel - mean) / std`` per channel, pixels 0 to 255, in `channel_order`.
    anchor_sides
        Sides of the anchors in input pixels.
    """

    channel_order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    anchor_sides: AnchorSides


# Sources: the MobileNet file is that of Face-Detector-1MB-with-landmark, trained with plain ReLU and smaller anchors
# than the paper (neighbouring anchors agree on a face's box with IoU 0.87; with the paper's anchors 0.63, and with
# the leaky ReLU of other files of this layout 0.57). The ImageNet figures of ResNet-50 are stated for 0..1.
SPECS: Mapping[str, DetectorSpec] = {
    "retinaface-mobilenet0.25": DetectorSpec(
        "BGR",
        mean=(104.0, 117.0, 123.0),
        std=(1.0, 1.0, 1.0),
        anchor_sides=((10.0, 20.0), (32.0, 64.0), (128.0, 256.0)),
    ),
    "retinaface-resnet50": DetectorSpec(
        "RGB",
        mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
        std=(0.229 * 255, 0.224 * 255, 0.225 * 255),
        anchor_sides=((16.0, 32.0), (64.0, 128.0), (256.0, 512.0)),
    ),
}


def find_spec(name: str) -> DetectorSpec:
    """Return the spec of a detector, or raise ValueError that lists the names known."""
    if name not in SPECS:
        raise ValueError(f"Expected a detector among {', '.join(SPECS)}, got {name!r}.")
    return SPECS[name]


def build_network(name: str) -> nn.Module:
    """Build a RetinaFace network with random weights, in training mode.

    Parameters
    ----------
    name
        ``retinaface-mobilenet0.25`` or ``retinaface-resnet50``. The latter is the class of the package
        ``retinaface-pytorch``, imported only here.

    Returns
    -------
    torch.nn.Module
        Maps float32 images (n, 3, H, W) to `RawHeads`.

    Raises
    ------
    ValueError
        If the name is unknown.
    ModuleNotFoundError
        If ``retinaface-pytorch`` is needed and not installed; the message says how to install it.
    """
    find_spec(name)
    return MobileNetRetinaFace() if name == "retinaface-mobilenet0.25" else _build_resnet50()


def load_published_state(network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load published weights into `network`, strictly: every parameter must be given, and nothing else.

    Parameters
    ----------
    network
        As built by `build_network`.
    state_dict
        Tensors by name. A leading ``module.`` (left by multi-GPU training) is dropped.

    Raises
    ------
    ValueError
        If names or shapes differ from those of the network.
    """
    tensors = {key.removeprefix(_DATA_PARALLEL_PREFIX): value for key, value in state_dict.items()}
    expected = network.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    unexpected = sorted(tensors.keys() - expected.keys())
    reshaped = [k for k in expected.keys() & tensors.keys() if expected[k].shape != tensors[k].shape]
    if missing or unexpected or reshaped:
        raise ValueError(
            f"Expected the {len(expected)} tensors of {type(network).__name__}, got {len(tensors)}: "
            f"{_summarise('missing', missing)}, {_summarise('unexpected', unexpected)}, "
            f"{_summarise('of another shape', sorted(reshaped))}. "
            "Check that the weights file belongs to the detector named in the settings."
        )
    network.load_state_dict(tensors, strict=True)


def _summarise(label: str, names: list[str]) -> str:
    examples = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    return f"{len(names)} {label}{examples}"


def _build_resnet50() -> nn.Module:
    try:
        # Here and not above: an optional package, and its import pulls in torchvision's models.
        from retinaface.network import RetinaFace  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The detector retinaface-resnet50 needs the package retinaface-pytorch. Its pin on an old torch is "
            "stricter than its network requires; install it with "
            "`pip install --no-deps retinaface-pytorch==0.0.8`, or choose retinaface-mobilenet0.25.",
            name=error.name,
        ) from error
    with warnings.catch_warnings():
        # The package still passes torchvision's `pretrained`, which works and means "no weights" here.
        warnings.filterwarnings("ignore", message=".*pretrained.*|.*weight enum.*", category=UserWarning)
        network: nn.Module = RetinaFace(
            name="Resnet50",
            pretrained=False,
            in_channels=256,
            return_layers={"layer2": 1, "layer3": 2, "layer4": 3},
            out_channels=256,
        )
    return network


def _conv_norm(
    n_in: int, n_out: int, *, kernel: int = 3, stride: int = 1, groups: int = 1, active: bool = True
) -> list[nn.Module]:
    """Bias-free convolution, batch norm and (if `active`) ReLU, as a list of layers."""
    layers: list[nn.Module] = [
        nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(n_out),
    ]
    return [*layers, nn.ReLU(inplace=True)] if active else layers


def _separable(n_in: int, n_out: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*_conv_norm(n_in, n_in, stride=stride, groups=n_in), *_conv_norm(n_in, n_out, kernel=1))


class MobileNetQuarter(nn.Module):
    """MobileNet v1 at a quarter of its width, cut after strides 8, 16 and 32 (64, 128 and 256 channels)."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            nn.Sequential(*_conv_norm(3, 8, stride=2)),
            _separable(8, 16),
            _separable(16, 32, stride=2),
            _separable(32, 32),
            _separable(32, 64, stride=2),
            _separable(64, 64),
        )
        self.stage2 = nn.Sequential(_separable(64, 128, stride=2), *(_separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(_separable(128, 256, stride=2), _separable(256, 256))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps at strides 8, 16 and 32 of images (n, 3, H, W)."""
        fine = self.stage1(images)
        middle = self.stage2(fine)
        return fine, middle, self.stage3(middle)


class FeaturePyramid(nn.Module):
    """Bring three maps to one channel count and add the coarser to the finer, top-down."""

    def __init__(self, n_inputs: tuple[int, int, int], n_out: int) -> None:
        super().__init__()
        self.output1 = nn.Sequential(*_conv_norm(n_inputs[0], n_out, kernel=1))
        self.output2 = nn.Sequential(*_conv_norm(n_inputs[1], n_out, kernel=1))
        self.output3 = nn.Sequential(*_conv_norm(n_inputs[2], n_out, kernel=1))
        self.merge1 = nn.Sequential(*_conv_norm(n_out, n_out))
        self.merge2 = nn.Sequential(*_conv_norm(n_out, n_out))

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return three maps of equal channel count, finest first."""
        level1, level2, level3 = self.output1(fine), self.output2(middle), self.output3(coarse)
        level2 = self.merge2(level2 + _enlarge(level3, like=level2))
        level1 = self.merge1(level1 + _enlarge(level2, like=level1))
        return level1, level2, level3


def _enlarge(features: Tensor, *, like: Tensor) -> Tensor:
    return nn.functional.interpolate(features, size=like.shape[-2:], mode="nearest")


class ContextModule(nn.Module):
    """SSH context: 3x3, 5x5 and 7x7 receptive fields built from 3x3 convolutions, side by side."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        half, quarter = n_out // 2, n_out // 4
        self.conv3X3 = nn.Sequential(*_conv_norm(n_in, half, active=False))
        self.conv5X5_1 = nn.Sequential(*_conv_norm(n_in, quarter))
        self.conv5X5_2 = nn.Sequential(*_conv_norm(quarter, quarter, active=False))
        self.conv7X7_2 = nn.Sequential(*_conv_norm(quarter, quarter))
        self.conv7x7_3 = nn.Sequential(*_conv_norm(quarter, quarter, active=False))

    def forward(self, features: Tensor) -> Tensor:
        """Return a map of the same height and width."""
        shared = self.conv5X5_1(features)
        wide = self.conv7x7_3(self.conv7X7_2(shared))
        return torch.relu(torch.cat((self.conv3X3(features), self.conv5X5_2(shared), wide), dim=1))


class AnchorHead(nn.Module):
    """1x1 convolution that predicts `n_values` numbers for each of the cell's anchors."""

    def __init__(self, n_in: int, n_values: int) -> None:
        super().__init__()
        self.n_values = n_values
        self.conv1x1 = nn.Conv2d(n_in, ANCHORS_PER_CELL * n_values, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return predictions (n, cells * anchors, values), cells in row-major order."""
        values: Tensor = self.conv1x1(features)
        return values.permute(0, 2, 3, 1).reshape(len(values), -1, self.n_values)


class MobileNetRetinaFace(nn.Module):
    """RetinaFace on MobileNet-0.25: 0.43 million parameters, 0.56 GMAC on a 640x360 image."""

    def __init__(self) -> None:
        super().__init__()
        width = 64
        self.body = MobileNetQuarter()
        self.fpn = FeaturePyramid((64, 128, 256), width)
        self.ssh1 = ContextModule(width, width)
        self.ssh2 = ContextModule(width, width)
        self.ssh3 = ContextModule(width, width)
        self.ClassHead = nn.ModuleList(AnchorHead(width, 2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(AnchorHead(width, 4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(AnchorHead(width, 10) for _ in STRIDES)

    def forward(self, images: Tensor) -> RawHeads:
        """Predict encoded boxes, class logits and landmarks for images (n, 3, H, W)."""
        level1, level2, level3 = self.fpn(*self.body(images))
        levels = (self.ssh1(level1), self.ssh2(level2), self.ssh3(level3))
        return (
            _predict(self.BboxHead, levels),
            _predict(self.ClassHead, levels),
            _predict(self.LandmarkHead, levels),
        )


def _predict(heads: nn.ModuleList, levels: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([head(level) for head, level in zip(heads, levels, strict=True)], dim=1)
