"""Reading and scoring many faces with a network in training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from features.attributes.augmentation import resize
from features.attributes.batches import CropData
from features.attributes.crop_data import CropArray
from features.attributes.frames import raw_to_frame
from features.attributes.metrics import AttributeScores, score_attributes
from features.attributes.model import to_input
from features.attributes.network import AttributeNetwork


def read_raw(
    network: AttributeNetwork,
    crops: CropArray,
    *,
    input_size: int,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.float32]:
    """Raw rows (n, n_outputs) of crops brought to `input_size` pixels a side, by a network in evaluation mode."""
    n = crops.shape[0]
    raw = np.empty((n, network.layout.n_outputs), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, n, batch_size):
            rows = np.arange(start, min(start + batch_size, n))
            raw[rows] = network(resize(to_input(crops[rows], device), input_size)).float().cpu().numpy()
    return raw


def read_faces(
    network: AttributeNetwork,
    crops: CropArray,
    *,
    input_size: int,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> npt.NDArray[np.float32]:
    """Frame rows (n, n_outputs) of crops brought to `input_size` pixels a side, by a network in evaluation mode."""
    raw = read_raw(network, crops, input_size=input_size, batch_size=batch_size, device=device)
    return raw_to_frame(raw, network.layout)


def evaluate(
    network: AttributeNetwork,
    data: CropData,
    *,
    input_size: int,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> AttributeScores:
    """Score a network in evaluation mode on crops brought to `input_size` pixels a side."""
    frames = read_faces(network, data.crops, input_size=input_size, batch_size=batch_size, device=device)
    return score_attributes(data.labels, frames, network.layout)
