"""The one conversion from the raw rows of a network to the signal columns of a frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from features.attributes.network import OutputLayout


def raw_to_frame(
    raw: npt.NDArray[np.floating], layout: OutputLayout, *, clip_dimensions: bool = True
) -> npt.NDArray[np.float32]:
    """Probabilities and dimensions in frame order from raw rows.

    Parameters
    ----------
    raw
        Shape (n, n_expressions + 2 + n_aus): [expression logits | valence | arousal | action-unit logits].
    layout
        Sizes of the tasks.
    clip_dimensions
        Whether valence and arousal, which the network gives without bounds, are clipped to [-1, 1].

    Returns
    -------
    ndarray, shape (n, n_aus + n_expressions + 2), float32
        [action-unit probabilities | expression probabilities, summing to 1 | arousal | valence]: the order of the frame
        vector of Li et al. (2019), where arousal comes first.

    Raises
    ------
    ValueError
        If the rows have another length than the layout.
    """
    if raw.ndim != 2 or raw.shape[1] != layout.n_outputs:
        raise ValueError(f"Expected raw rows of shape (n, {layout.n_outputs}), got {raw.shape}.")
    values = raw.astype(np.float64)
    dimensions = values[:, [layout.arousal, layout.valence]]
    if clip_dimensions:
        dimensions = dimensions.clip(-1.0, 1.0)
    frame = (expit(values[:, layout.aus]), softmax(values[:, layout.expressions], axis=1), dimensions)
    return np.concatenate(frame, axis=1).astype(np.float32)
