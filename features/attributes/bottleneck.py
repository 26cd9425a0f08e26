"""Bottleneck unit: 1x1 to a quarter of the channels, 3x3, 1x1 back.

References
----------
He, Zhang, Ren & Sun (2016). Deep residual learning for image recognition. https://doi.org/10.1109/CVPR.2016.90
"""

from __future__ import annotations

import torch
from torch import nn

from features.attributes.layers import ConvNorm, check_divisible
from features.attributes.registry import register_unit

_SQUEEZE = 4


@register_unit("bottleneck", reference="https://doi.org/10.1109/CVPR.2016.90")
class BottleneckUnit(nn.Module):
    """Residual bottleneck.

    Parameters
    ----------
    n_in, n_out
        Channels in and out; `n_out` a multiple of 4.
    stride
        Of the 3x3 convolution, 1 or 2.
    max_field
        Not used: no branch is dilated.
    down
        Whether the unit is the convolving half of a down-sampler: then no identity and no last activation.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int = 1, max_field: int = 0, down: bool = False) -> None:
        super().__init__()
        del max_field
        check_divisible("the output channels of a bottleneck unit", n_out, _SQUEEZE)
        n_inner = n_out // _SQUEEZE
        self.reduce = ConvNorm(n_in, n_inner, kernel=1)
        self.convolve = ConvNorm(n_inner, n_inner, kernel=3, stride=stride)
        self.expand = ConvNorm(n_inner, n_out, kernel=1, activation=False)
        self.residual = not down and stride == 1 and n_in == n_out
        self.activation: nn.Module = nn.Identity() if down else nn.PReLU(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, n_in, h, w) to (n, n_out, ceil(h / stride), ceil(w / stride))."""
        y = self.expand(self.convolve(self.reduce(x)))
        out: torch.Tensor = self.activation(y + x if self.residual else y)
        return out
