"""The GRU regressor of Hugging Rain Man."""

from __future__ import annotations

from torch import Tensor, nn


class GruRegressor(nn.Module):
    """Two GRU layers from zero states; a linear head reads the last time step.

    Parameters
    ----------
    n_inputs
        Signals of a frame.
    hidden
        Units of a layer.
    layers
        Number of layers.
    """

    def __init__(self, n_inputs: int, *, hidden: int = 128, layers: int = 2) -> None:
        super().__init__()
        self.recurrent = nn.GRU(n_inputs, hidden, num_layers=layers, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """Predicted ratings, shape (n,), of windows (n, length, n_inputs)."""
        outputs, _ = self.recurrent(windows)
        predicted: Tensor = self.head(outputs[:, -1])
        return predicted.squeeze(-1)
