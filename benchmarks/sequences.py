"""Training windows a second of the atypicality networks, and the share of a step that gathering its windows takes.

Usage: python -m benchmarks.sequences [--steps 60] [--device cpu] [--hrm]; --hrm simulates a study of the size of
Hugging Rain Man and reckons its whole cross-validation.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from classifiers.sequences import KINDS, build
from classifiers.sequences.recipe import PUBLISHED
from classifiers.sequences.training import WindowData, step
from features.synthetic.rated_sequences import UNITS, simulate_rated_frames
from features.windows import index_windows


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--hrm", action="store_true")
    asked = parser.parse_args()
    frames = simulate_rated_frames(66, 32) if asked.hrm else simulate_rated_frames(12, 6)
    begun = time.perf_counter()
    index = index_windows(frames, UNITS, frames["rating"])
    print(f"{len(frames)} frames, {len(index)} windows, found in {time.perf_counter() - begun:.2f} s")
    data = WindowData.place(index.signals, index.starts, index.labels, length=index.length, device=asked.device)
    size = PUBLISHED.batch_size
    batches = [torch.randint(len(data), (size,), device=data.device) for _ in range(asked.steps)]
    for kind in KINDS:
        network = build(kind).to(data.device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        _measure(lambda batch: step(network, optimizer, data, batch, PUBLISHED), batches[:5])  # noqa: B023
        whole = _measure(lambda batch: step(network, optimizer, data, batch, PUBLISHED), batches)  # noqa: B023
        loading = _measure(data.gather, batches)
        rate = size * asked.steps / whole
        # 10 repeats x 3 folds, each of 15 epochs on two thirds of the windows
        hours = 10 * 3 * 15 * len(data) * 2 / 3 / rate / 3600
        print(
            f"{kind:7s} {rate:8.0f} training windows/s; gathering {100 * loading / whole:.2f} % of a step; "
            f"10 x 3 folds x 15 epochs of these windows: {hours:.2f} h"
        )


def _measure(work: Callable[[torch.Tensor], object], batches: list[torch.Tensor]) -> float:
    """Seconds for all batches."""
    begun = time.perf_counter()
    for batch in batches:
        work(batch)
    if batches[0].is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
