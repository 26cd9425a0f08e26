"""A training folder from rendered faces to a network and its figures: resume, changed settings, early stopping, evaluation."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file

from features.attributes.batches import CropData
from features.attributes.labels import AttributeLabels
from features.attributes.metadata import AttributeMetadata
from features.attributes.metrics import score_attributes
from features.attributes.network import OutputLayout
from tasks.attribute_checkpoints import load_model, read_strings
from tasks.attribute_data.loading import TrainingData, load_training_data
from tasks.attribute_evaluation import evaluate_attributes, list_comparable
from tasks.attribute_figures import make_table
from tasks.attribute_fitting import CHECKPOINT, STATE, describe_data, fit_attributes, list_unlearnable_aus
from tasks.attribute_recipes import make_recipe, network_folder
from tasks.errors import InvalidInputError, SettingsError, WeightsError
from tasks.rendered_faces import render_labelled_faces
from tasks.settings_file import read_settings
from tasks.training_settings import TrainingSettings, TrainingSource
from tasks.weights import MODELS_FOLDER, Weights, load_attribute_model

FAST = {
    "crops": "boxes",
    "unit": "mobilenet",
    "scale": 0.25,
    "epochs": 2,
    "batch_size": 8,
    "workers": 0,
    "bootstrap_samples": 100,
}


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "faces"
    render_labelled_faces(folder, n_images=36, n_people=6, size=32, seed=3)
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    settings["training"] |= FAST
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.fixture(scope="module")
def data(practice: Path) -> TrainingData:
    return load_training_data(practice, read_settings(practice / "config.yaml"))


@pytest.fixture(scope="module")
def settings(practice: Path) -> TrainingSettings:
    return read_settings(practice / "config.yaml").training


@pytest.fixture(scope="module")
def fitted(data: TrainingData, settings: TrainingSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    assert fit_attributes(folder, data, settings) == "missing"
    return folder


def stop_after(steps: int):
    seen = 0

    def progress(name: str, done: int, total: int) -> None:
        nonlocal seen
        seen += 1
        if seen > steps:
            raise KeyboardInterrupt

    return progress


def test_a_network_says_what_it_is(fitted: Path, data: TrainingData, settings: TrainingSettings) -> None:
    folder = network_folder(fitted, settings)
    assert folder.name == "mobilenet-s0.25-32px-multitask"
    metadata = AttributeMetadata.from_strings(read_strings(folder / CHECKPOINT))
    assert (metadata.unit, metadata.scale, metadata.input_size, metadata.demo) == ("mobilenet", 0.25, 32, True)
    assert (metadata.alignment_mode, metadata.training_data) == ("enlarged_box", ("rendered faces",))
    assert metadata.tasks == ("expression", "aus", "valence", "arousal")
    epochs = pd.read_csv(folder / "epochs.csv")
    assert epochs["epoch"].tolist() == [1, 2]
    assert epochs["learning_rate"].tolist() == pytest.approx([0.01, 0.0095])
    assert epochs["waiting_fraction"].between(0, 1).all()
    facts = json.loads((folder / "network.json").read_text())["facts"]
    assert (facts["epochs"], facts["n_training"]) == (2, len(data.train))
    assert not (folder / STATE).exists()


def test_curves_are_there_for_tensorboard(fitted: Path, settings: TrainingSettings) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(network_folder(fitted, settings) / "tensorboard"))
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"epoch/loss_total", "epoch/validation_loss", "epoch/waiting_fraction"} <= set(tags)
    assert len(events.Scalars("epoch/loss_total")) == 2


def test_a_finished_network_is_not_trained_again(fitted: Path, data: TrainingData, settings: TrainingSettings) -> None:
    before = (network_folder(fitted, settings) / CHECKPOINT).stat().st_mtime_ns
    other_machine = settings.model_copy(update={"workers": 3, "device": "cpu", "bootstrap_samples": 500})
    assert fit_attributes(fitted, data, other_machine) is None
    assert (network_folder(fitted, settings) / CHECKPOINT).stat().st_mtime_ns == before


@pytest.mark.parametrize("steps", [2, 4])
def test_a_killed_training_goes_on_to_the_same_bits(
    fitted: Path, data: TrainingData, settings: TrainingSettings, tmp_path: Path, steps: int
) -> None:
    """Three batches an epoch: killed within the first and the second; what was kept is one step old."""
    with pytest.raises(KeyboardInterrupt):
        fit_attributes(tmp_path, data, settings, seconds_between_states=0, progress=stop_after(steps))
    held = torch.load(network_folder(tmp_path, settings) / STATE, weights_only=True)
    assert held["training"]["steps_done"] == steps
    fit_attributes(tmp_path, data, settings)
    expected, got = (load_file(network_folder(folder, settings) / CHECKPOINT) for folder in (fitted, tmp_path))
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    timeless = ["epoch", "learning_rate", "loss_total", "validation_loss"]
    whole, resumed = (pd.read_csv(network_folder(folder, settings) / "epochs.csv") for folder in (fitted, tmp_path))
    pd.testing.assert_frame_equal(whole[timeless], resumed[timeless])


def test_changed_settings_are_named_and_nothing_is_lost(
    fitted: Path, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    faster = settings.model_copy(update={"learning_rate": 0.02})
    with pytest.raises(SettingsError, match=r"training.learning_rate 0.01 -> 0.02. Set them back; or"):
        fit_attributes(fitted, data, faster)
    with pytest.raises(KeyboardInterrupt):
        fit_attributes(tmp_path, data, settings, seconds_between_states=0, progress=stop_after(1))
    with pytest.raises(SettingsError, match=r"training.learning_rate 0.01 -> 0.02"):
        fit_attributes(tmp_path, data, faster)
    fewer = replace(data, train=CropData(data.train.crops[np.arange(9)], data.train.labels.take(np.arange(9))))
    with pytest.raises(SettingsError, match="training images changed"):
        fit_attributes(tmp_path, fewer, settings)


def test_an_altered_network_or_state_is_refused(
    fitted: Path, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    shutil.copytree(fitted, tmp_path, dirs_exist_ok=True)
    folder = network_folder(tmp_path, settings)
    with (folder / CHECKPOINT).open("ab") as file:
        file.write(b"x")
    with pytest.raises(InvalidInputError, match="the output was altered"):
        fit_attributes(tmp_path, data, settings)
    (folder / CHECKPOINT).unlink()
    (folder / STATE).write_bytes(b"no state")
    with pytest.raises(InvalidInputError, match=r"state of a training in .*state.pt, got"):
        fit_attributes(tmp_path, data, settings)


def test_divergence_says_what_to_do(data: TrainingData, settings: TrainingSettings, tmp_path: Path) -> None:
    wild = settings.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(
        SettingsError, match=r"at step \d+ .*learning rate 1e\+30.*training.learning_rate \(now 1e\+30\)"
    ):
        fit_attributes(tmp_path, data, wild)


def test_early_stopping_keeps_the_best_epoch(data: TrainingData, settings: TrainingSettings, tmp_path: Path) -> None:
    patient = settings.model_copy(update={"epochs": 12, "early_stopping_epochs": 1, "learning_rate": 0.1})
    fit_attributes(tmp_path, data, patient)
    epochs = pd.read_csv(network_folder(tmp_path, patient) / "epochs.csv")
    facts = json.loads((network_folder(tmp_path, patient) / "network.json").read_text())["facts"]
    best = int(epochs["validation_loss"].idxmin())
    assert facts["kept_epoch"] == best + 1
    assert len(epochs) == min(best + 2, 12)
    until_best = settings.model_copy(update={"epochs": best + 1, "learning_rate": 0.1})
    fit_attributes(tmp_path / "again", data, until_best)
    kept, again = (load_file(network_folder(folder, patient) / CHECKPOINT) for folder in (tmp_path, tmp_path / "again"))
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_settings_that_cannot_be_met_are_told(data: TrainingData, settings: TrainingSettings, tmp_path: Path) -> None:
    alone = replace(data, validation=None)
    with pytest.raises(SettingsError, match="early_stopping_epochs needs validation images"):
        fit_attributes(tmp_path, alone, settings.model_copy(update={"early_stopping_epochs": 2}))
    with pytest.raises(SettingsError, match=r"training.scale is 0.3: Expected a width scale"):
        fit_attributes(tmp_path, data, settings.model_copy(update={"scale": 0.3}))
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="training.device is cuda"):
            fit_attributes(tmp_path, data, settings.model_copy(update={"device": "cuda"}))


def test_without_validation_images_the_last_epoch_is_kept(
    data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    fit_attributes(tmp_path, replace(data, validation=None), settings)
    epochs = pd.read_csv(network_folder(tmp_path, settings) / "epochs.csv")
    assert epochs["validation_loss"].isna().all()
    assert json.loads((network_folder(tmp_path, settings) / "network.json").read_text())["facts"]["kept_epoch"] == 2


def test_what_cannot_be_learned_is_said(data: TrainingData, settings: TrainingSettings, tmp_path: Path) -> None:
    labels = data.train.labels
    n = len(labels)
    aus = labels.aus.copy()
    aus[:, 0], aus[:, 1] = np.nan, 1
    constant = AttributeLabels(np.full(n, 4), labels.valence, np.full(n, np.nan, np.float32), aus)
    poor = replace(data, train=CropData(data.train.crops, constant), skipped={"mine": {"no face found": 3}})
    message = r"for expression \(every known label is the same\), arousal \(no label is known\). Take those out"
    with pytest.raises(InvalidInputError, match=message):
        fit_attributes(tmp_path, poor, settings)
    assert list_unlearnable_aus(poor)[:2] == list(data.aus[:2])
    summary = describe_data(poor)
    assert summary.n_skipped == 3
    assert "left out of mine: 3 no face found" in summary.lines
    assert summary.lines[-1].startswith("not learned, because unknown or always the same")


def test_a_single_task_network_is_evaluated_on_it_and_refused_by_extraction(
    data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    single = settings.model_copy(update={"tasks": ("valence",), "epochs": 1})
    fit_attributes(tmp_path, data, single)
    evaluate_attributes(tmp_path, data, single)
    folder = network_folder(tmp_path, single)
    assert folder.name.endswith("-valence")
    table = pd.read_csv(folder / "evaluation.csv")
    assert table["measure"].tolist() == ["valence_pearson", "valence_ccc", "valence_rmse"]
    assert not (folder / "confusion.csv").exists()
    path = folder / CHECKPOINT
    with pytest.raises(WeightsError, match="did not learn expression, aus, arousal"):
        load_attribute_model(Weights("mine", path, "", demo=True, architecture="attributes"), device="cpu")


def test_figures_are_those_of_the_faces(fitted: Path, data: TrainingData, settings: TrainingSettings) -> None:
    """Once more from the predictions, by the functions that score faces one by one."""
    assert evaluate_attributes(fitted, data, settings) == "missing"
    folder = network_folder(fitted, settings)
    table = pd.read_csv(folder / "evaluation.csv").set_index("measure")
    model = load_model(folder / CHECKPOINT)
    scores = score_attributes(data.test.labels, model.predict(data.test.crops[:]), OutputLayout(8, len(data.aus)))
    assert table.loc["au_f1_accuracy", "value"] == pytest.approx(scores.au_measure)
    assert table.loc["expression_macro_f1", "value"] == pytest.approx(scores.expression.macro_f1)
    assert table.loc["expression_weighted_f1", "value"] == pytest.approx(scores.expression.weighted_f1)
    assert table.loc["valence_pearson", "value"] == pytest.approx(scores.valence.pearson, abs=1e-5)
    assert table.loc["arousal_ccc", "value"] == pytest.approx(scores.arousal.ccc, abs=1e-5)
    assert (table["ci_low"].dropna() <= table["ci_high"].dropna()).all()
    assert table.loc["AU05_f1", "n"] == scores.aus[data.aus.index("AU05")].n
    confusion = pd.read_csv(folder / "confusion.csv", index_col="labelled")
    np.testing.assert_array_equal(confusion.to_numpy(), scores.expression.confusion)
    facts = json.loads((folder / "evaluation.json").read_text())["facts"]
    assert facts["interval"] == "95 % percentile bootstrap over people"
    assert facts["n_people"] == len(np.unique(data.test.people)) >= 1


def test_figures_go_into_the_checkpoint_and_stay_valid(
    fitted: Path, data: TrainingData, settings: TrainingSettings
) -> None:
    evaluate_attributes(fitted, data, settings)
    path = network_folder(fitted, settings) / CHECKPOINT
    with safe_open(path, framework="np") as file:
        figures = json.loads(json.loads(file.metadata()["figures"]))
    table = pd.read_csv(path.with_name("evaluation.csv")).set_index("measure")
    assert figures["measures"]["au_f1_accuracy"]["value"] == pytest.approx(table.loc["au_f1_accuracy", "value"])
    assert evaluate_attributes(fitted, data, settings) is None
    assert fit_attributes(fitted, data, settings) is None


def test_networks_that_do_not_fit_the_images_are_refused(
    fitted: Path, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    demo = MODELS_FOLDER / "demo" / "demo-attributes.safetensors"
    message = r"an input of 224 pixels \(training.input_size is 32\); crops of the mode aligned \(the settings cut enlarged_box\)"
    with pytest.raises(WeightsError, match=message):
        evaluate_attributes(tmp_path, data, settings, checkpoint=demo)
    with pytest.raises(WeightsError, match="Run `facetrace train-attributes` first"):
        evaluate_attributes(tmp_path, data, settings)


def test_a_network_from_elsewhere_is_left_as_it_is(
    fitted: Path, data: TrainingData, settings: TrainingSettings, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "theirs.safetensors"
    shutil.copy(network_folder(fitted, settings) / CHECKPOINT, elsewhere)
    before = elsewhere.read_bytes()
    evaluate_attributes(tmp_path, data, settings, checkpoint=elsewhere)
    assert elsewhere.read_bytes() == before
    assert (tmp_path / "attributes" / "evaluations" / "theirs-safetensors" / "evaluation.csv").exists()


def test_published_figures_are_comparable_on_the_papers_data_alone(settings: TrainingSettings) -> None:
    def comparable(*formats: str) -> set[str]:
        sources = tuple(
            TrainingSource(name=str(i), format=name, labels="l", images="i")  # type: ignore[arg-type]
            for i, name in enumerate(formats)
        )
        return list_comparable(settings.model_copy(update={"data": sources}))

    assert comparable("table") == comparable("affectnet", "table") == set()
    assert comparable("emotionet") == {"au_f1_accuracy"}
    assert len(comparable("affectnet", "emotionet")) == 4


def test_the_recipe_is_that_of_the_paper_by_default() -> None:
    recipe = make_recipe(TrainingSettings())
    assert (recipe.optimizer, recipe.n_epochs, recipe.phases[0].input_size) == ("sgd", 30, 224)
    assert recipe.learning_rate_at(10, 0.0) == pytest.approx(0.01 * 0.95**10)
    assert (recipe.weight_decay, recipe.phases[0].batch_size, recipe.regression_bins) == (4e-5, 128, 20)
    plain = make_recipe(TrainingSettings(regression_bins=0, augmentation="none"))
    assert plain.regression_bins is None
    assert plain.augmentation.flip == plain.augmentation.shear_deg == 0


def test_undefined_figures_are_blank(fitted: Path, data: TrainingData, settings: TrainingSettings) -> None:
    from tasks.attribute_evaluation import measure

    n = len(data.test)
    unknown = np.full(n, np.nan, dtype=np.float32)
    labels = AttributeLabels(np.full(n, -1), unknown, data.test.labels.arousal, np.full((n, 12), np.nan, np.float32))
    blind = replace(data, test=CropData(data.test.crops, labels))
    evaluation = measure(load_model(network_folder(fitted, settings) / CHECKPOINT), blind, settings)
    table = make_table(evaluation, set()).set_index("measure")
    assert table.loc[["au_f1_accuracy", "expression_macro_f1", "valence_ccc"], "value"].isna().all()
    assert np.isfinite(table.loc["arousal_ccc", "value"])
    assert (evaluation.n["valence"], evaluation.n_people) == (0, 0)
