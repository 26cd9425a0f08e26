"""Action units, expressions, valence and arousal from aligned faces (Li et al., 2019).

`build` makes a network, `features.attributes.model.AttributeModel` reads faces with one,
`features.attributes.training.train` trains one.
"""

from __future__ import annotations

from torch import nn

from features.attributes import bottleneck, eesp, mobilenet
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.registry import registered_units

__all__ = ["bottleneck", "build", "eesp", "mobilenet", "registered_units"]


def build(unit: str, scale: float = 2, n_aus: int = 12, n_expressions: int = 8) -> nn.Module:
    """Make an attribute network with fresh weights.

    Parameters
    ----------
    unit
        ``"bottleneck"``, ``"mobilenet"`` or ``"eesp"``.
    scale
        Width scale: 0.5, 1, 1.5 or 2. At 2 the sizes are those of Li et al. (2019).
    n_aus, n_expressions
        Outputs for action units and expression classes.

    Returns
    -------
    Module
        Maps (n, 3, 224, 224) RGB in [0, 1] to raw rows (n, n_expressions + 2 + n_aus): expression logits, valence,
        arousal, action-unit logits.

    Raises
    ------
    ValueError
        If the unit is unknown, the scale does not divide into channels, or a task has no output.

    Examples
    --------
    >>> import torch
    >>> build("eesp", scale=0.5).eval()(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 22])
    """
    if n_aus < 1 or n_expressions < 1:
        raise ValueError(f"Expected at least one action unit and one expression, got {n_aus} and {n_expressions}.")
    return AttributeNetwork(unit, scale=scale, layout=OutputLayout(n_expressions=n_expressions, n_aus=n_aus))
