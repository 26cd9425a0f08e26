"""Demo weights from end to end on a few rendered scenes: shards, crops, training that resumes, figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from features import facs
from features.attributes.model import AttributeModel
from features.attributes.recipe import DEMO_RECIPE, Phase
from tasks.attribute_training import (
    AttributeTrainingSettings,
    evaluate_demo_attributes,
    train_demo_attributes,
)
from tasks.errors import InvalidInputError
from tasks.rendered_crops import MIN_VISIBLE, cut_crops, read_crops, read_labels
from tasks.rendered_scenes import read_shard, render_training_set
from tasks.weights import checkpoint_is_demo

SETTINGS = AttributeTrainingSettings(
    scale=0.5,
    recipe=replace(DEMO_RECIPE, phases=(Phase(input_size=32, epochs=2, batch_size=4, images=6),)),
    n_validation=2,
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    for name, seed, n in (("train", 1, 12), ("test", 2, 6)):
        shards = render_training_set(folder / f"scenes-{name}", n_scenes=n, seed=seed, scenes_per_shard=6)
        cut_crops(shards, folder / f"crops-{name}", seed=seed)
    return folder


def test_shards_serve_the_detector_too(rendered: Path) -> None:
    shards = sorted((rendered / "scenes-train").iterdir())
    assert [shard.name for shard in shards] == ["scenes-0000.npz", "scenes-0001.npz"]
    scenes = list(read_shard(shards[0]))
    labels = read_labels(shards[0])
    assert len(scenes) == 6
    assert scenes[0].pixels.shape == (360, 640, 3)
    assert sum(len(scene.boxes) for scene in scenes) == len(labels["expression"])


def test_a_stopped_rendering_resumes_to_the_same_scenes(rendered: Path) -> None:
    first, second = sorted((rendered / "scenes-test").iterdir())[:1] * 2
    before = first.read_bytes()
    first.unlink()
    told: list[tuple[int, int]] = []
    render_training_set(
        first.parent,
        n_scenes=6,
        seed=2,
        scenes_per_shard=6,
        progress=lambda _name, done, total: told.append((done, total)),
    )
    assert second.read_bytes() == before
    assert told == [(1, 1)]


def test_crops_belong_to_the_faces_in_view(rendered: Path) -> None:
    shards = sorted((rendered / "scenes-train").iterdir())
    data, identities = read_crops(rendered / "crops-train")
    kept = np.concatenate([read_labels(shard)["visible_fraction"] >= MIN_VISIBLE for shard in shards])
    assert data.crops.shape == (kept.sum(), 224, 224, 3)
    assert len(np.unique(identities)) == len(identities)
    np.testing.assert_array_equal(
        data.labels.aus, np.concatenate([read_labels(shard)["aus"] for shard in shards])[kept]
    )


def test_closed_eyes_hide_the_raised_lid(rendered: Path, tmp_path: Path) -> None:
    shard = next((rendered / "scenes-train").iterdir())
    with np.load(shard) as archive:
        content = dict(archive)
    raised, closed = facs.EMOTIONET_AUS.index("AU05"), facs.EMOTIONET_AUS.index("AU43")
    content["aus"][:, raised] = 0.8
    content["aus"][:, closed] = np.linspace(0, 1, len(content["aus"]))
    np.savez(tmp_path / "scenes-0000.npz", **content)
    labels = read_labels(tmp_path / "scenes-0000.npz")
    np.testing.assert_array_equal(np.isnan(labels["aus"][:, raised]), content["aus"][:, closed] >= 0.5)


def test_existing_crops_are_kept_and_other_ones_replaced(rendered: Path, tmp_path: Path) -> None:
    train, test = (sorted((rendered / f"scenes-{name}").iterdir()) for name in ("train", "test"))
    cut_crops(test, tmp_path, seed=2)
    written = (tmp_path / "crops.npy").stat().st_mtime_ns
    cut_crops(test, tmp_path, seed=2)
    assert (tmp_path / "crops.npy").stat().st_mtime_ns == written
    cut_crops(train[:1], tmp_path, seed=2)
    assert (tmp_path / "crops.npy").stat().st_mtime_ns != written


def test_training_resumes_to_the_same_weights(rendered: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    whole = train_demo_attributes(rendered / "crops-train", tmp_path / "whole.safetensors", settings=SETTINGS)
    interrupted = tmp_path / "interrupted.safetensors"

    def stop_in_the_second_epoch(name: str, done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_demo_attributes(
            rendered / "crops-train", interrupted, settings=SETTINGS, progress=stop_in_the_second_epoch
        )
    train_demo_attributes(rendered / "crops-train", interrupted, settings=SETTINGS, threads=threads)
    with safe_open(whole, framework="pt") as expected, safe_open(interrupted, framework="pt") as got:
        assert expected.metadata() == got.metadata()
        for name in expected.keys():  # noqa: SIM118  (not a mapping)
            assert torch.equal(expected.get_tensor(name), got.get_tensor(name))
    history = json.loads(interrupted.with_suffix(".epochs.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2]


def test_weights_say_what_they_are(rendered: Path, tmp_path: Path) -> None:
    weights = train_demo_attributes(rendered / "crops-train", tmp_path / "w.safetensors", settings=SETTINGS)
    assert checkpoint_is_demo(weights)
    with safe_open(weights, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
        model = AttributeModel.from_checkpoint(tensors, file.metadata())
    assert (model.unit, model.scale, model.input_size) == ("eesp", 0.5, 32)
    assert model.metadata.alignment_scale == SETTINGS.metadata.alignment_scale


def test_full_size_weights_stay_below_five_megabytes() -> None:
    """EESP at scale 1 has 782,764 parameters; with the statistics of its normalisations 4 bytes each."""
    settings = AttributeTrainingSettings()
    assert (settings.unit, settings.scale) == ("eesp", 1.0)
    assert settings.metadata.input_size == 224
    assert 782_764 * 4 < 5e6


def test_figures_of_the_model_card(rendered: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, recipe=replace(SETTINGS.recipe, phases=(Phase(input_size=224, epochs=1, images=4),)))
    weights = train_demo_attributes(rendered / "crops-train", tmp_path / "w.safetensors", settings=settings)
    report = evaluate_demo_attributes(
        weights, rendered / "crops-test", tmp_path / "w.json", training_crops=rendered / "crops-train"
    )
    figures = json.loads(report.read_text())
    assert figures["n_faces"] == figures["n_identities"] == len(read_crops(rendered / "crops-test")[1])
    assert set(figures["aus"]) == set(facs.EMOTIONET_AUS)
    assert all(0 <= score["prevalence"] <= 1 for score in figures["aus"].values())
    assert np.sum(figures["expression"]["confusion"]) <= figures["n_faces"]


def test_people_trained_on_are_no_test(rendered: Path, tmp_path: Path) -> None:
    crops = rendered / "crops-train"
    with pytest.raises(InvalidInputError, match=r"people not trained on, got \d+ who were"):
        evaluate_demo_attributes(tmp_path / "w.safetensors", crops, tmp_path / "w.json", training_crops=crops)


def test_a_state_of_other_settings_is_refused(rendered: Path, tmp_path: Path) -> None:
    output = train_demo_attributes(rendered / "crops-train", tmp_path / "w.safetensors", settings=SETTINGS)
    other = replace(SETTINGS, recipe=replace(SETTINGS.recipe, seed=1))
    with pytest.raises(InvalidInputError, match="state of a training with this recipe"):
        train_demo_attributes(rendered / "crops-train", output, settings=other)
    output.with_suffix(".state.pt").write_bytes(b"nothing")
    with pytest.raises(InvalidInputError, match="Delete it to start anew"):
        train_demo_attributes(rendered / "crops-train", output, settings=SETTINGS)


def test_missing_material_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected crops\.npy and labels\.npz"):
        read_crops(tmp_path)
    np.savez(tmp_path / "scenes-0000.npz", jpeg=np.zeros(1))
    with pytest.raises(InvalidInputError, match=r"attribute labels in scenes-0000\.npz"):
        cut_crops([tmp_path / "scenes-0000.npz"], tmp_path, seed=0)
