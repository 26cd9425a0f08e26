"""The multi-task attribute network: one skeleton around any registered unit.

Notes
-----
Channels at width scale s are ``w, 64 s, 128 s, 256 s, 512 s`` with ``w = min(32, 32 s)`` for the stem, then a head of
512: (32, 128, 256, 512, 1024, 512) at s = 2, which is the build whose size Li et al. (2019) report. The channels that
their Table 1 prints do not give those sizes. Layers which the released code builds but never applies (the activation
inside a down-sampler, the image reinforcement of the fourth) are left out: 6,202 parameters fewer at s = 2.

References
----------
Li, Mehta, Aneja, Foster, Ventola, Shic & Shapiro (2019). A facial affect analysis system for autism spectrum disorder.
https://doi.org/10.1109/ICIP.2019.8803604
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from features.attributes.layers import ConvNorm, check_divisible, halve, initialise_weights
from features.attributes.registry import UnitFactory, find_unit

STEM_CHANNELS = 32
HEAD_CHANNELS = 512
DROPOUT = 0.2
_DOWN_FIELDS = (13, 11, 9, 7)
_STAGES = ((3, 9), (7, 7), (3, 5))  # units and receptive-field limit of the stages at 1/8, 1/16 and 1/32
_CHANNEL_UNIT = 4


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """Where each task's outputs lie in a raw row: expression logits, valence, arousal, action-unit logits.

    Attributes
    ----------
    n_expressions, n_aus
        Number of expression classes and of action units.
    """

    n_expressions: int
    n_aus: int

    @property
    def n_outputs(self) -> int:
        """Columns of a raw row."""
        return self.n_expressions + 2 + self.n_aus

    @property
    def expressions(self) -> slice:
        """Expression logits."""
        return slice(0, self.n_expressions)

    @property
    def valence(self) -> int:
        """Column of valence."""
        return self.n_expressions

    @property
    def arousal(self) -> int:
        """Column of arousal; after valence here, before it in a frame row."""
        return self.n_expressions + 1

    @property
    def aus(self) -> slice:
        """Action-unit logits."""
        return slice(self.n_expressions + 2, self.n_outputs)


def stage_channels(scale: float) -> tuple[int, ...]:
    """Channels after the stem and after each of the four down-samplers.

    Parameters
    ----------
    scale
        Width scale, positive.

    Returns
    -------
    tuple of int
        Five counts.

    Raises
    ------
    ValueError
        If the scale is not positive or 32 times it is not a multiple of 4.

    Examples
    --------
    >>> stage_channels(2), stage_channels(0.5)
    ((32, 128, 256, 512, 1024), (16, 32, 64, 128, 256))
    """
    base = round(STEM_CHANNELS * scale)
    if scale <= 0 or base != STEM_CHANNELS * scale:
        raise ValueError(f"Expected a width scale of 0.5, 1, 1.5 or 2, got {scale}.")
    check_divisible(f"the {base} channels at width scale {scale}", base, _CHANNEL_UNIT)
    return (min(base, STEM_CHANNELS), *(base * 2**stage for stage in range(1, 5)))


class Reinforcement(nn.Module):
    """Long-range input reinforcement: the image itself, shrunk to the size of a feature map, added to it."""

    def __init__(self, n_out: int) -> None:
        super().__init__()
        self.mix = ConvNorm(3, 3, kernel=3)
        self.project = ConvNorm(3, n_out, kernel=1, activation=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map the shrunk image (n, 3, h, w) to (n, n_out, h, w)."""
        out: torch.Tensor = self.project(self.mix(image))
        return out


class DownSampler(nn.Module):
    """Halve the size and widen: average pooling beside a strided unit, then reinforcement, then PReLU.

    Parameters
    ----------
    n_in, n_out
        Channels in and out. The pooled input fills the first `n_in`, the unit the other ``n_out - n_in``.
    unit
        Makes the strided unit.
    max_field
        Passed to the unit.
    reinforced
        Whether the image is added.
    """

    def __init__(self, n_in: int, n_out: int, *, unit: UnitFactory, max_field: int, reinforced: bool) -> None:
        super().__init__()
        if n_out <= n_in:
            raise ValueError(f"Expected a down-sampler to widen its input, got {n_in} to {n_out} channels.")
        self.unit = unit(n_in, n_out - n_in, stride=2, max_field=max_field, down=True)
        self.reinforcement = Reinforcement(n_out) if reinforced else None
        self.activation = nn.PReLU(n_out)

    def forward(self, x: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Map (n, n_in, h, w), with the image at the size of the output, to (n, n_out, ceil(h/2), ceil(w/2))."""
        y = torch.cat((halve(x), self.unit(x)), dim=1)
        if self.reinforcement is not None:
            y = y + self.reinforcement(image)
        out: torch.Tensor = self.activation(y)
        return out


class AttributeNetwork(nn.Module):
    """Expressions, valence, arousal and action units from one aligned face.

    Parameters
    ----------
    unit
        Name of a registered unit.
    scale
        Width scale: 0.5, 1, 1.5 or 2.
    layout
        Sizes of the tasks.
    head_channels, head_groups
        Width and groups of the pointwise convolution before the pooling; the defaults are those of Li et al.

    Raises
    ------
    ValueError
        If the unit is unknown or the channels do not divide.
    """

    def __init__(
        self,
        unit: str,
        *,
        scale: float,
        layout: OutputLayout,
        head_channels: int = HEAD_CHANNELS,
        head_groups: int = 1,
    ) -> None:
        super().__init__()
        self.unit_name, self.scale, self.layout = unit, float(scale), layout
        factory = find_unit(unit).factory
        widths = stage_channels(scale)
        self.stem = ConvNorm(3, widths[0], kernel=3, stride=2)
        self.downs = nn.ModuleList(
            DownSampler(widths[i], widths[i + 1], unit=factory, max_field=_DOWN_FIELDS[i], reinforced=i < 3)
            for i in range(4)
        )
        self.stages = nn.ModuleList([nn.Sequential(), *_make_stages(factory, widths[2:])])
        self.head = nn.Sequential(
            ConvNorm(widths[4], widths[4], kernel=3, groups=widths[4]),
            ConvNorm(widths[4], head_channels, kernel=1, groups=head_groups),
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.predict = nn.Linear(head_channels, layout.n_outputs)
        initialise_weights(self)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Read a batch of faces.

        Parameters
        ----------
        image
            Shape (n, 3, h, w), float, RGB in [0, 1]; any size from 32 up, 224 in the paper.

        Returns
        -------
        Tensor, shape (n, n_expressions + 2 + n_aus)
            Raw rows in the order of `OutputLayout`: logits, and valence and arousal without a squashing function.
        """
        x = self.stem(image)
        shrunk = halve(image)
        for down, stage in zip(self.downs, self.stages, strict=True):
            shrunk = halve(shrunk)
            x = stage(down(x, shrunk))
        pooled = self.head(x).mean(dim=(2, 3))
        out: torch.Tensor = self.predict(self.dropout(pooled))
        return out


def _make_stages(factory: UnitFactory, widths: Sequence[int]) -> list[nn.Sequential]:
    return [
        nn.Sequential(*(factory(width, width, stride=1, max_field=field, down=False) for _ in range(repeats)))
        for width, (repeats, field) in zip(widths, _STAGES, strict=True)
    ]


def fold_norms(network: nn.Module) -> nn.Module:
    """Fold every batch normalisation that directly follows a convolution into it, in place.

    Parameters
    ----------
    network
        In evaluation mode. It cannot be trained or checkpointed any more.

    Returns
    -------
    Module
        The same network; equal outputs up to rounding.

    Raises
    ------
    ValueError
        If the network is in training mode.
    """
    if network.training:
        raise ValueError("Expected a network in evaluation mode, got one in training mode: call .eval() first.")
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold_norm()
    return network
