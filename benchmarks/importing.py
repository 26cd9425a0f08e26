"""Seconds and memory of importing a long OpenFace 2.x table: 20 minutes at 30 frames/s, 714 columns.

Usage: python -m benchmarks.importing [--frames 36000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.memory import peak_memory_mib
from tasks.bids_names import Derivatives
from tasks.importing import ImportJob, run_import
from tasks.settings import ImportSettings

UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "45")


def header() -> list[str]:
    """The 714 columns of FeatureExtraction 2.x, in its order."""
    gaze = [*(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"), "gaze_angle_x", "gaze_angle_y"]
    eyes = [f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)]
    pose = [f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"]
    points = [f"{axis}_{i}" for axis in "xyXYZ" for i in range(68)]
    shape = ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(34))]
    units = [f"AU{unit}_r" for unit in UNITS] + [f"AU{unit}_c" for unit in sorted((*UNITS, "28"))]
    return ["frame", "face_id", "timestamp", "confidence", "success", *gaze, *eyes, *pose, *points, *shape, *units]


def write_table(path: Path, n_frames: int) -> None:
    """A table whose cells have the digits that OpenFace prints."""
    names = header()
    first = names.index("AU01_r")
    rng = np.random.default_rng(0)
    with path.open("w", encoding="ascii") as file:
        file.write(", ".join(names) + "\n")
        for frame in range(1, n_frames + 1):
            middle = ", ".join(f"{value:.3f}" for value in rng.normal(300, 100, first - 5))
            intensity = ", ".join(f"{value:.2f}" for value in rng.uniform(0, 5, len(UNITS)))
            presence = ", ".join(str(value) for value in rng.integers(0, 2, len(UNITS) + 1))
            file.write(f"{frame}, 0, {(frame - 1) / 30:.3f}, 0.98, 1, {middle}, {intensity}, {presence}\n")


def measure(folder: Path, queue: multiprocessing.Queue[tuple[float, float, float, float]]) -> None:
    """Import in a process of its own; seconds, seconds of CPU, memory before and at the peak in MiB."""
    before = peak_memory_mib()
    begun, worked = time.perf_counter(), time.process_time()
    run_import(
        ImportJob("001", "", "clips", folder / "openface.csv"),
        derivatives=Derivatives.of_study(folder),
        settings=ImportSettings(),
        known={"001"},
        filmed=(),
    )
    queue.put((time.perf_counter() - begun, time.process_time() - worked, before, peak_memory_mib()))


def main() -> None:
    """Print seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=36_000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "openface.csv", asked.frames)
        size = (folder / "openface.csv").stat().st_size / 1e6
        print(f"{asked.frames} rows x {len(header())} columns, {size:.0f} MB")
        for _ in range(asked.repeat):
            queue = context.Queue()
            process = context.Process(target=measure, args=(folder, queue))
            process.start()
            seconds, busy, before, peak = queue.get()
            process.join()
            print(
                f"import: {seconds:.2f} s ({busy:.2f} s of CPU), peak memory {peak:.0f} MiB ({before:.0f} MiB before)"
            )
            for path in (folder / "derivatives").rglob("*-frames_beh.*"):
                path.unlink()


if __name__ == "__main__":
    main()
