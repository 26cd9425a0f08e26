"""The bidirectional LSTM regressor of Hugging Rain Man."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BiLstmRegressor(nn.Module):
    """Two bidirectional LSTM layers; dropout and a linear head on the outputs of the last time step.

    Parameters
    ----------
    n_inputs
        Signals of a frame.
    hidden
        Units of a layer and direction.
    layers
        Number of layers.
    dropout
        Share of outputs that are dropped in training.
    random_states
        Initial states from N(0, 1) at every forward, as released; zeros otherwise. They come from torch's global generator
        of the windows' device, so a seed makes them repeatable.
    """

    def __init__(
        self, n_inputs: int, *, hidden: int = 128, layers: int = 2, dropout: float = 0.5, random_states: bool = False
    ) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(n_inputs, hidden, num_layers=layers, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, 1)
        self.random_states = random_states

    def forward(self, windows: Tensor) -> Tensor:
        """Predicted ratings, shape (n,), of windows (n, length, n_inputs)."""
        outputs, _ = self.recurrent(windows, self._draw_states(windows) if self.random_states else None)
        predicted: Tensor = self.head(self.dropout(outputs[:, -1]))
        return predicted.squeeze(-1)

    def _draw_states(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        shape = (2 * self.recurrent.num_layers, len(windows), self.recurrent.hidden_size)
        hidden = torch.randn(shape, device=windows.device, dtype=windows.dtype)
        return hidden, torch.randn_like(hidden)
