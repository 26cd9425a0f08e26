"""The training step of the detector, in small: shards, resuming, weights that load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch

import tasks.detector_training as step
from features.faces.detector import FaceDetector
from tasks.errors import InvalidInputError
from tasks.rendered_scenes import read_shard, render_training_set

NAME = "retinaface-mobilenet0.25"


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return render_training_set(tmp_path_factory.mktemp("scenes"), n_scenes=5, seed=3, scenes_per_shard=4)


def test_scenes_are_rendered_in_whole_shards(shards: list[Path]) -> None:
    assert [path.name for path in shards] == ["scenes-0000.npz", "scenes-0001.npz"]
    scenes = [scene for path in shards for scene in read_shard(path)]
    assert len(scenes) == 8
    for scene in scenes:
        assert scene.pixels.shape == (360, 640, 3)
        assert scene.boxes.shape[1:] == (4,)
        assert scene.landmarks.shape[1:] == (5, 2)
        assert len(scene.boxes) == len(scene.landmarks) == len(scene.visible_fraction)
    assert sum(len(scene.boxes) for scene in scenes) >= 4


def test_training_writes_weights_that_the_detector_loads(shards: list[Path], tmp_path: Path) -> None:
    settings = step.DetectorTrainingSettings(
        phases=(
            step.DetectorPhase(1, (step.CropPlan(2, 64),), 1e-3),
            step.DetectorPhase(1, (step.CropPlan(2, 96, (20, 60)), step.CropPlan(1, 64)), 1e-3, 5.0),
        )
    )
    reported: list[tuple[int, int]] = []
    output = tmp_path / "weights" / "detector.safetensors"
    losses = step.train_detector_weights(
        shards, output, settings=settings, progress=lambda _name, done, total: reported.append((done, total))
    )
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert reported == [(1, 2), (2, 2)]
    assert [path.name for path in output.parent.iterdir()] == ["detector.safetensors"]
    with safetensors.safe_open(output, framework="pt") as file:
        assert json.loads(file.metadata()["training"])["architecture"] == NAME
    detector = FaceDetector.from_state_dict(safetensors.torch.load_file(output), name=NAME, long_side=64)
    score = step.evaluate_detector(detector, shards)
    assert score.n_frames == 8
    again = tmp_path / "again.safetensors"
    step.train_detector_weights(shards, again, settings=settings)
    assert again.read_bytes() == output.read_bytes()


def test_no_shards_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="Render some first"):
        step.train_detector_weights([], tmp_path / "w.safetensors", settings=step.DetectorTrainingSettings())


def test_a_file_that_is_no_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scenes-0000.npz"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InvalidInputError, match=r"scenes-0000\.npz"):
        list(read_shard(path))
