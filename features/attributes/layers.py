"""Layers that every attribute network is made of: convolution with batch normalisation, pooling, initialisation."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ConvNorm(nn.Module):
    """Bias-free convolution, batch normalisation and, where asked, a PReLU with one slope a channel.

    Parameters
    ----------
    n_in, n_out
        Channels in and out.
    kernel
        Side of the square kernel; padding keeps the size at stride 1.
    stride, groups
        Of the convolution.
    activation
        Whether a PReLU follows.
    """

    def __init__(
        self, n_in: int, n_out: int, *, kernel: int, stride: int = 1, groups: int = 1, activation: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(n_out)
        self.activation: nn.Module = nn.PReLU(n_out) if activation else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (n, n_in, h, w), normalise, activate; (n, n_out, ceil(h / stride), ceil(w / stride))."""
        out: torch.Tensor = self.activation(self.norm(self.conv(x)))
        return out

    def fold_norm(self) -> None:
        """Fold the normalisation's running statistics into the convolution (evaluation only, not to be undone)."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


def halve(x: torch.Tensor) -> torch.Tensor:
    """Average over 3x3 pixels at stride 2, padding counted as zeros; (n, c, h, w) -> (n, c, ceil(h/2), ceil(w/2))."""
    return functional.avg_pool2d(x, kernel_size=3, stride=2, padding=1)


def initialise_weights(network: nn.Module) -> None:
    """Initialise in place as the released code does: convolutions Kaiming-normal (fan out), linear N(0, 0.001)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def check_divisible(what: str, channels: int, divisor: int) -> None:
    """Raise ValueError unless `channels` is a positive multiple of `divisor`."""
    if channels <= 0 or channels % divisor:
        raise ValueError(
            f"Expected {what} to be a positive multiple of {divisor}, got {channels}. "
            "Choose a width scale of 0.5, 1, 1.5 or 2."
        )
