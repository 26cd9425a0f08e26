"""MobileNet unit: a depthwise 3x3 and a pointwise convolution, with an identity where the shapes agree.

Notes
-----
The stride sits on the *pointwise* convolution, as in the code released with Li et al. (2019), and not on the depthwise
one as in Howard et al. (2017). The parameters are the same; the multiplications (0.7786 G at width scale 2) and the
authors' weights need this placement. There is no expansion: it is the first version's unit with a residual.

References
----------
Howard et al. (2017). MobileNets: efficient convolutional neural networks for mobile vision applications.
https://doi.org/10.48550/arXiv.1704.04861
"""

from __future__ import annotations

import torch
from torch import nn

from features.attributes.layers import ConvNorm
from features.attributes.registry import register_unit


@register_unit("mobilenet", reference="https://doi.org/10.48550/arXiv.1704.04861")
class MobileNetUnit(nn.Module):
    """Depthwise separable convolution.

    Parameters
    ----------
    n_in, n_out
        Channels in and out.
    stride
        Of the pointwise convolution, 1 or 2.
    max_field
        Not used: no branch is dilated.
    down
        Whether the unit is the convolving half of a down-sampler: then no identity and no last activation.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int = 1, max_field: int = 0, down: bool = False) -> None:
        super().__init__()
        del max_field
        self.depthwise = ConvNorm(n_in, n_in, kernel=3, groups=n_in)
        self.pointwise = ConvNorm(n_in, n_out, kernel=1, stride=stride, activation=False)
        self.residual = not down and stride == 1 and n_in == n_out
        self.activation: nn.Module = nn.Identity() if down else nn.PReLU(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, n_in, h, w) to (n, n_out, ceil(h / stride), ceil(w / stride))."""
        y = self.pointwise(self.depthwise(x))
        out: torch.Tensor = self.activation(y + x if self.residual else y)
        return out
