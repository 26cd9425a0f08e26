"""Inference and checkpoints: order of the columns, preprocessing, round trip, refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from features import facs
from features.attributes import build
from features.attributes.frames import raw_to_frame
from features.attributes.metadata import AttributeMetadata
from features.attributes.model import AttributeModel, to_checkpoint, to_input
from features.attributes.network import AttributeNetwork, OutputLayout
from features.attributes.onnx_export import SplitPReLU

LAYOUT = OutputLayout(n_expressions=8, n_aus=12)


@pytest.fixture(scope="module")
def model() -> AttributeModel:
    torch.manual_seed(0)
    metadata = AttributeMetadata(unit="eesp", scale=0.5, input_size=64, training_data=("rendered",), demo=True)
    return AttributeModel(_lively(build("eesp", scale=0.5)), metadata)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    levels = np.linspace(20, 235, 5)[:, None, None, None] * [1.0, 0.7, 0.4]
    noise = np.random.default_rng(0).normal(0, 20, (5, 64, 64, 3))
    return (levels + noise).clip(0, 255).astype(np.uint8)


def _lively(network: torch.nn.Module) -> torch.nn.Module:
    """Outputs that differ between faces: fresh weights and statistics give almost none."""
    assert isinstance(network, AttributeNetwork)
    torch.nn.init.normal_(network.predict.weight, std=0.5)
    for _ in range(20):  # momentum 0.1: the running statistics come within 12 % of those of the batch
        network(torch.rand(4, 3, 64, 64))
    return network


def test_raw_rows_become_frames_in_the_order_of_the_paper() -> None:
    """Raw: 8 expression logits, valence, arousal, 12 action units. Frame: action units, expressions, arousal, valence."""
    raw = np.zeros((1, 22))
    raw[0, 2] = np.log(3)  # sad: 3 / (3 + 7)
    raw[0, 8], raw[0, 9] = 0.25, -0.5
    raw[0, 10:] = np.log(np.arange(1, 13))  # sigmoid(log k) = k / (k + 1)
    frame = raw_to_frame(raw, LAYOUT)[0]
    named = dict(zip(facs.frame_signals(), frame, strict=True))
    for k, au in enumerate(facs.EMOTIONET_AUS, start=1):
        assert named[au] == pytest.approx(k / (k + 1))
    assert named["expr_sad"] == pytest.approx(0.3)
    assert named["expr_happy"] == pytest.approx(0.1)
    assert named["valence"] == pytest.approx(0.25)
    assert named["arousal"] == pytest.approx(-0.5)
    assert frame.dtype == np.float32


def test_dimensions_are_clipped_where_asked() -> None:
    raw = np.zeros((1, 22))
    raw[0, 8], raw[0, 9] = 1.5, -2.0
    assert raw_to_frame(raw, LAYOUT)[0, -2:].tolist() == [-1, 1]
    assert raw_to_frame(raw, LAYOUT, clip_dimensions=False)[0, -2:].tolist() == [-2, 1.5]


def test_large_logits_stay_finite() -> None:
    raw = np.full((1, 22), 1e4)
    assert np.isfinite(raw_to_frame(raw, LAYOUT)).all()


def test_raw_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n, 22\), got \(3, 21\)"):
        raw_to_frame(np.zeros((3, 21)), LAYOUT)


def test_layout_follows_the_released_order() -> None:
    assert (LAYOUT.expressions, LAYOUT.valence, LAYOUT.arousal) == (slice(0, 8), 8, 9)
    assert (LAYOUT.aus, LAYOUT.n_outputs) == (slice(10, 22), 22)


def test_preprocessing_is_rgb_over_255(crops: np.ndarray) -> None:
    tensor = to_input(crops)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(tensor.numpy(), np.moveaxis(crops, 3, 1) / 255, rtol=1e-6)


def test_signals_are_those_of_the_frame_table(model: AttributeModel) -> None:
    assert model.signals == facs.frame_signals()
    assert (model.aus, model.expressions) == (facs.EMOTIONET_AUS, facs.EXPRESSIONS)
    assert (model.unit, model.scale, model.input_size) == ("eesp", 0.5, 64)


def test_predictions_are_those_of_the_network(model: AttributeModel, crops: np.ndarray) -> None:
    with torch.inference_mode():
        raw = model.network(torch.from_numpy(np.moveaxis(crops, 3, 1) / 255).float()).numpy()
    got = model.predict(crops)
    assert got.shape == (5, 22)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, raw_to_frame(raw, LAYOUT), atol=2e-5)  # folding and memory order round otherwise
    assert np.ptp(got, axis=0).max() > 0.01


def test_ranges_of_predictions(model: AttributeModel, crops: np.ndarray) -> None:
    got = model.predict(crops)
    assert ((got[:, :12] >= 0) & (got[:, :12] <= 1)).all()
    np.testing.assert_allclose(got[:, 12:20].sum(axis=1), 1, atol=1e-6)
    assert (np.abs(got[:, 20:]) <= 1).all()


def test_batches_change_nothing_but_rounding(model: AttributeModel, crops: np.ndarray) -> None:
    np.testing.assert_allclose(model.predict(crops, batch_size=2), model.predict(crops), atol=1e-5)


def test_no_faces_give_no_rows(model: AttributeModel) -> None:
    assert model.predict(np.empty((0, 64, 64, 3), np.uint8)).shape == (0, 22)


def test_wrong_crops_are_refused(model: AttributeModel, crops: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(n, 64, 64, 3\), got uint8 of shape \(5, 32, 64, 3\)"):
        model.predict(crops[:, :32])
    with pytest.raises(ValueError, match="got float64"):
        model.predict(crops / 255)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        model.predict(crops, batch_size=0)


def test_checkpoint_round_trip(model: AttributeModel, crops: np.ndarray) -> None:
    tensors, strings = to_checkpoint(model)
    assert all(isinstance(value, str) for value in strings.values())
    again = AttributeModel.from_checkpoint(tensors, strings, device="cpu")
    assert again.metadata == model.metadata
    np.testing.assert_array_equal(again.predict(crops), model.predict(crops))


def test_activations_of_exports_are_equal_to_the_last_bit() -> None:
    torch.manual_seed(0)
    activation = torch.nn.PReLU(6)
    torch.nn.init.uniform_(activation.weight, -0.5, 1.5)
    x = torch.randn(4, 6, 5, 5) * torch.tensor([1e-20, 1e-3, 1.0, 1e3, 1e20, 0.0]).view(-1, 1, 1)
    assert torch.equal(SplitPReLU(activation)(x), activation(x))


def test_demo_flag_is_written_plainly(model: AttributeModel) -> None:
    """Other code asks for it without reading the rest."""
    assert to_checkpoint(model)[1]["demo"] == "true"


def test_metadata_strings_survive() -> None:
    metadata = AttributeMetadata(unit="mobilenet", scale=2, aus=("AU12",), expressions=("neutral", "happy"))
    assert AttributeMetadata.from_strings(metadata.to_strings()) == metadata
    assert metadata.signals == ("AU12", "expr_neutral", "expr_happy", "arousal", "valence")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "format 'facetrace-attributes-1', got 'other'"),
        ({"format": "facetrace-attributes-2"}, "got the newer 'facetrace-attributes-2'.*install that one"),
        ({"format": "facetrace-attributes-0"}, "or of another version"),
        ({"tasks": json.dumps(["pain"])}, "tasks among expression, aus, valence, arousal, got pain"),
        ({"tasks": json.dumps([])}, "got none"),
        ({"unit": json.dumps("resnet")}, "got 'resnet'"),
        ({"unit": "eesp"}, "JSON in the metadata entry 'unit', got 'eesp'"),
        ({"scale": json.dumps("wide")}, "float in the metadata entry 'scale'"),
        ({"input_size": json.dumps(8)}, "at least 32 pixels, got 8"),
        ({"input_size": json.dumps(True)}, "int in the metadata entry 'input_size'"),
        ({"aus": json.dumps(["AU01", "AU01"])}, "each output once"),
        ({"aus": json.dumps([])}, "at least one action unit"),
        ({"preprocessing": json.dumps("bgr")}, "'rgb/255', got 'bgr'"),
        ({"alignment_mode": json.dumps("none")}, "aligned or box or enlarged_box, got 'none'"),
        ({"demo": json.dumps("yes")}, "bool in the metadata entry 'demo'"),
        ({"surprise": "1"}, "unknown: surprise"),
        ({"scale": json.dumps(1.0)}, r"Expected shape \(32, 3, 3, 3\)|Expected shape"),
        ({"aus": json.dumps(["AU01"])}, "Expected shape"),
    ],
)
def test_wrong_metadata_is_refused(model: AttributeModel, change: dict[str, str], message: str) -> None:
    tensors, strings = to_checkpoint(model)
    with pytest.raises(ValueError, match=message):
        AttributeModel.from_checkpoint(tensors, strings | change)


def test_missing_metadata_is_named(model: AttributeModel) -> None:
    tensors, strings = to_checkpoint(model)
    del strings["scale"]
    with pytest.raises(ValueError, match="missing: scale; unknown: none"):
        AttributeModel.from_checkpoint(tensors, strings)


def test_files_of_the_first_release_learned_all_tasks(model: AttributeModel) -> None:
    _tensors, strings = to_checkpoint(model)
    older = {name: text for name, text in strings.items() if name not in {"tasks", "figures"}}
    metadata = AttributeMetadata.from_strings(older)
    assert metadata == model.metadata
    assert metadata.tasks == ("expression", "aus", "valence", "arousal")
    assert (metadata.untrained_tasks, metadata.figures) == ((), "")


def test_single_tasks_and_figures_survive(model: AttributeModel) -> None:
    metadata = replace(model.metadata, tasks=("valence", "aus"), figures='{"n_images": 3}')
    assert AttributeMetadata.from_strings(metadata.to_strings()) == metadata
    assert metadata.untrained_tasks == ("expression", "arousal")


def test_wrong_tensors_are_refused(model: AttributeModel) -> None:
    tensors, strings = to_checkpoint(model)
    fewer = {name: value for name, value in tensors.items() if name != "predict.bias"}
    with pytest.raises(ValueError, match=r"1 missing \(predict.bias\), 0 unknown \(none\)"):
        AttributeModel.from_checkpoint(fewer, strings)
    with pytest.raises(ValueError, match=r"1 unknown \(other\)"):
        AttributeModel.from_checkpoint(tensors | {"other": torch.zeros(1)}, strings)
    with pytest.raises(ValueError, match="undefined ones in predict.bias"):
        AttributeModel.from_checkpoint(tensors | {"predict.bias": torch.full((22,), torch.nan)}, strings)


def test_network_and_metadata_must_agree(model: AttributeModel) -> None:
    with pytest.raises(ValueError, match=r"\('eesp', 0.5, 12, 8\) as in its metadata, got \('mobilenet', 0.5, 12, 8\)"):
        AttributeModel(build("mobilenet", scale=0.5), model.metadata)
    with pytest.raises(ValueError, match="got Linear"):
        AttributeModel(torch.nn.Linear(1, 1), model.metadata)
