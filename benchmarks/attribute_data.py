"""Reading label lists as large as AffectNet and EmotioNet, cutting crops, rendering: ``python -m benchmarks.attribute_data``.

The lists are made up and name empty files; they are made in a temporary folder (about 600 MB and 1.1 million files) and removed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.attribute_data.affectnet import COLUMNS, read_affectnet
from tasks.attribute_data.affectnet8 import read_affectnet8
from tasks.attribute_data.crops import prepare_crops, read_prepared
from tasks.attribute_data.emotionet import read_emotionet
from tasks.attribute_data.loading import read_sources
from tasks.rendered_faces import render_labelled_faces
from tasks.settings_file import read_settings
from tasks.weights import load_detector, locate

IMAGES_PER_FOLDER = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fraction", type=float, default=1.0, help="of the full numbers of rows")
    fraction = parser.parse_args().fraction
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_affectnet(folder / "affectnet", round(300_000 * fraction))
        report("AffectNet lists", lambda: read_affectnet("x", folder / "affectnet", folder / "affectnet"))
        make_emotionet(folder / "emotionet", round(750_000 * fraction))
        report("EmotioNet text", lambda: read_emotionet("x", folder / "emotionet", folder / "emotionet"))
        make_affectnet8(folder / "affectnet8", round(20_000 * fraction))
        report("AffectNet, .npy files", lambda: read_affectnet8("x", folder / "affectnet8", folder / "affectnet8"))
        n = max(60, round(1000 * fraction))
        drawn = folder / "drawn"
        report("render 112", lambda: [render_labelled_faces(drawn, n_images=n, n_people=n // 20, size=112)] * n)
        for crops in ("boxes", "detector"):
            cut_all(drawn, crops, folder / f"crops-{crops}")


def report(what: str, work: Callable[[], Any]) -> None:
    """Time a piece of work that gives something of as many items as it did."""
    wall, busy = time.perf_counter(), time.process_time()
    n = len(work())
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    print(
        f"{what:24s} {n:8,d} images  {wall:7.1f} s  {n / wall:9,.0f} images/s; processor {busy:6.1f} s  {n / busy:9,.0f}/s"
    )


def touch(folder: Path, names: list[str]) -> None:
    for parent in {name.rpartition("/")[0] for name in names}:
        (folder / parent).mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def make_affectnet(folder: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    landmarks = [";".join(f"{value:.2f}" for value in rng.uniform(0, 400, 136)) for _ in range(50)]
    for file, first, count in (("training.csv", 0, n), ("validation.csv", n, 5500)):
        names = [f"{number // IMAGES_PER_FOLDER}/{number:040x}.jpg" for number in range(first, first + count)]
        touch(folder, names)
        ids = rng.integers(0, 11, count)
        values = np.where(ids[:, None] < 9, rng.uniform(-1, 1, (count, 2)), -2.0)
        with (folder / file).open("w") as handle:
            handle.write(",".join(COLUMNS) + "\n")
            for row, name in enumerate(names):
                valence, arousal = values[row]
                handle.write(f"{name},34,34,201,201,{landmarks[row % 50]},{ids[row]},{valence:.8f},{arousal:.8f}\n")


def make_emotionet(folder: Path, n: int) -> None:
    cells = ["\t".join(map(str, row)) for row in np.random.default_rng(0).choice([0, 0, 0, 1, 999], (5000, 60))]
    names = [f"N_{number // 1000:010d}/N_{number // 1000:010d}_{number % 1000:05d}.jpg" for number in range(n)]
    touch(folder, names)
    with (folder / "annotation.txt").open("w") as handle:
        for row, name in enumerate(names):
            address = f"https://www.example.org/emotionet/Images/{name}"
            handle.write(f"{address}\thttp://www.example.org/pictures/{row}.jpg\t{cells[row % len(cells)]}\n")


def make_affectnet8(folder: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train_set", n), ("val_set", max(10, n // 40))):
        touch(folder, [f"{part}/images/{number}.jpg" for number in range(count)])
        annotations = folder / part / "annotations"
        annotations.mkdir()
        for number, (valence, arousal) in enumerate(rng.uniform(-1, 1, (count, 2))):
            np.save(annotations / f"{number}_exp.npy", str(number % 8))
            np.save(annotations / f"{number}_val.npy", str(valence))
            np.save(annotations / f"{number}_aro.npy", arousal)


def cut_all(folder: Path, crops: str, out: Path) -> None:
    settings = read_settings(folder / "config.yaml")
    settings = settings.model_copy(update={"training": settings.training.model_copy(update={"crops": crops})})
    images = read_sources(folder, settings)[0]
    weights = locate(settings.detection.weights, "detector")
    detector = load_detector(weights, long_side=640, confidence=0.7, nms_iou=0.4, device="cpu")
    detector.detect([np.zeros((157, 157, 3), dtype=np.uint8)])

    def cut() -> Any:
        made = prepare_crops(images, out, settings=settings, open_detector=lambda: detector)
        return read_prepared(images, made, settings=settings).crops

    report(f"crops by {crops}", cut)


if __name__ == "__main__":
    main()
