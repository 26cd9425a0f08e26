"""EESP unit: extremely efficient spatial pyramid of depthwise dilated convolutions.

Notes
-----
With K = 4 branches: a grouped 1x1 convolution reduces the input to ``n_out / K`` channels; K depthwise 3x3 convolutions
with growing dilation see them in parallel; each branch adds the one before it (hierarchical fusion, against gridding);
their concatenation passes a normalisation, an activation and a grouped 1x1 convolution.

References
----------
Mehta, Rastegari, Shapiro & Hajishirzi (2019). ESPNetv2: a light-weight, power efficient, and general purpose
convolutional neural network. https://doi.org/10.1109/CVPR.2019.00941
"""

from __future__ import annotations

import torch
from torch import nn

from features.attributes.layers import ConvNorm, check_divisible
from features.attributes.registry import register_unit

BRANCHES = 4


def branch_dilations(max_field: int, *, branches: int = BRANCHES) -> tuple[int, ...]:
    """Dilation of each 3x3 branch, ascending.

    Branch k has a nominal receptive field of ``3 + 2 k`` pixels; one larger than `max_field` falls back to 3.

    Parameters
    ----------
    max_field
        Largest receptive field in pixels, at least 3.
    branches
        Number of branches.

    Returns
    -------
    tuple of int
        ``(field - 1) / 2`` for each branch.

    Raises
    ------
    ValueError
        If `max_field` is below 3.

    Examples
    --------
    >>> branch_dilations(13), branch_dilations(7), branch_dilations(5)
    ((1, 2, 3, 4), (1, 1, 2, 3), (1, 1, 1, 2))
    """
    if max_field < 3:
        raise ValueError(f"Expected a largest receptive field of at least 3 pixels, got {max_field}.")
    fields = (3 + 2 * k for k in range(branches))
    return tuple((field - 1) // 2 for field in sorted(field if field <= max_field else 3 for field in fields))


@register_unit("eesp", reference="https://doi.org/10.1109/CVPR.2019.00941")
class EespUnit(nn.Module):
    """Spatial pyramid of depthwise dilated convolutions.

    Parameters
    ----------
    n_in
        Channels in, a multiple of 4.
    n_out
        Channels out, a multiple of 16: each of the four branches takes a quarter, and the 1x1 convolution before them
        has four groups.
    stride
        Of the depthwise convolutions, 1 or 2.
    max_field
        Largest receptive field of a branch in pixels, see `branch_dilations`.
    down
        Whether the unit is the convolving half of a down-sampler: then no identity and no last activation.

    Raises
    ------
    ValueError
        If the channels do not divide.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int = 1, max_field: int = 7, down: bool = False) -> None:
        super().__init__()
        check_divisible("the input channels of an EESP unit", n_in, BRANCHES)
        check_divisible("the output channels of an EESP unit", n_out, BRANCHES * BRANCHES)
        width = n_out // BRANCHES
        self.dilations = branch_dilations(max_field)
        self.reduce = ConvNorm(n_in, width, kernel=1, groups=BRANCHES)
        self.pyramid = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride, padding=d, dilation=d, groups=width, bias=False) for d in self.dilations
        )
        self.merge = nn.Sequential(nn.BatchNorm2d(n_out), nn.PReLU(n_out))
        self.expand = ConvNorm(n_out, n_out, kernel=1, groups=BRANCHES, activation=False)
        self.residual = not down and stride == 1 and n_in == n_out
        self.activation: nn.Module = nn.Identity() if down else nn.PReLU(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, n_in, h, w) to (n, n_out, ceil(h / stride), ceil(w / stride))."""
        reduced = self.reduce(x)
        fused: list[torch.Tensor] = []
        for convolve in self.pyramid:
            branch = convolve(reduced)
            fused.append(branch + fused[-1] if fused else branch)
        y = self.expand(self.merge(torch.cat(fused, dim=1)))
        out: torch.Tensor = self.activation(y + x if self.residual else y)
        return out
