"""Size and arithmetic of a network, counted as the papers count them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def count_parameters(network: nn.Module) -> int:
    """Trainable weights of a network (statistics of batch normalisation are none)."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, *, input_size: int = 224) -> int:
    """Multiply-accumulates of the convolutions and linear layers for one RGB image.

    Parameters
    ----------
    network
        Takes (1, 3, input_size, input_size).
    input_size
        Side of the image in pixels.

    Returns
    -------
    int
        Only layers which the forward pass applies count; normalisation, activation and pooling do not.
    """
    total = 0

    def count(module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            weights = module.weight.shape[1:].numel()
        elif isinstance(module, nn.Linear):
            weights = module.in_features
        else:
            return
        total += output.numel() * weights

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    was_training = network.training
    network.eval()
    parameter = next(network.parameters())
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, input_size, input_size, device=parameter.device, dtype=parameter.dtype))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
