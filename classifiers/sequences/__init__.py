"""Networks that predict a rating from a window of frames, and how they are trained, validated and explained."""

from __future__ import annotations

from typing import Final, Literal

from classifiers.sequences.bilstm import BiLstmRegressor
from classifiers.sequences.gru import GruRegressor

SequenceKind = Literal["gru", "bilstm"]

KINDS: Final[tuple[SequenceKind, ...]] = ("gru", "bilstm")
"""The two networks of Hugging Rain Man, section V-A."""

SequenceNetwork = GruRegressor | BiLstmRegressor


def build(kind: SequenceKind, n_inputs: int = 22, *, random_states: bool = False) -> SequenceNetwork:
    """Make an untrained network.

    Parameters
    ----------
    kind
        ``gru`` (157,569 parameters with 22 inputs) or ``bilstm`` (551,169).
    n_inputs
        Signals of a frame.
    random_states
        Draw the initial states of the BiLSTM from N(0, 1) at every forward, in evaluation too, as the released code of
        Hugging Rain Man does; the GRU starts from zeros in any case.

    Returns
    -------
    torch.nn.Module
        Windows (n, length, n_inputs) in, predicted ratings (n,) out.

    Raises
    ------
    ValueError
        If the kind is unknown or `n_inputs` is below 1.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in build("gru").parameters())
    157569
    """
    if n_inputs < 1:
        raise ValueError(f"Expected one input signal or more, got {n_inputs}.")
    if kind == "gru":
        return GruRegressor(n_inputs)
    if kind == "bilstm":
        return BiLstmRegressor(n_inputs, random_states=random_states)
    raise ValueError(f"Expected kind to be one of {KINDS}, got {kind!r}.")
