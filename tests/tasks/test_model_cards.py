"""Model cards: those in docs/models are made from the weights beside them, and a card says what its checkpoint says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from features.attributes import build
from features.attributes.cost import count_parameters
from features.attributes.metadata import AttributeMetadata
from features.attributes.model import AttributeModel, to_checkpoint
from tasks.errors import WeightsError
from tasks.model_cards import describe_weights, write_card
from tasks.model_cards.cards import flatten_figures
from tasks.weights import read_manifest

ROOT = Path(__file__).parents[2]
METADATA = AttributeMetadata(unit="mobilenet", scale=0.5, input_size=64, training_data=("AffectNet", "EmotioNet"))


def write_checkpoint(path: Path, **changes: object) -> Path:
    torch.manual_seed(0)
    tensors, strings = to_checkpoint(AttributeModel(build("mobilenet", 0.5), replace(METADATA, **changes)))
    save_file(tensors, path, metadata=strings)
    return path


@pytest.mark.parametrize("name", [entry.name for entry in read_manifest().values() if entry.demo])
def test_the_cards_of_the_project_are_made_from_its_weights(name: str) -> None:
    path = ROOT / "docs" / "models" / f"{name}.md"
    assert path.read_text() == describe_weights(name), (
        f"run: facetrace describe-attributes {name} --out docs/models/{name}.md"
    )


def test_a_checkpoint_of_the_manifest_is_known_by_its_content() -> None:
    """The licence comes from models/weights.toml, whatever the path says."""
    entry = read_manifest()["demo-attributes"]
    assert f"| licence | {entry.licence} |" in describe_weights(str(entry.path))


def test_a_card_says_what_the_checkpoint_says(tmp_path: Path) -> None:
    card = write_card(str(write_checkpoint(tmp_path / "own.safetensors")), tmp_path / "own.md").read_text()
    assert card.startswith("# own\n")
    assert f"{count_parameters(build('mobilenet', 0.5)):,} parameters" in card
    for text in ("MobileNet units, width scale 0.5", "64x64", "AffectNet; EmotioNet", "Not a diagnosis", "mostly adults",
                 "carries no evaluation", "licence | not stated"):  # fmt: skip
        assert text in card
    assert "Demo weights" not in card
    assert "Not learned" not in card


def test_demo_single_tasks_and_boxes_are_said(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "own.safetensors", demo=True, tasks=("valence", "arousal"), alignment_mode="box")
    card = describe_weights(str(path))
    assert "**Demo weights: trained on rendered faces, never on people.**" in card
    assert "Not learned: expression, aus. Those outputs mean nothing." in card
    assert "It needs `detection.mode: box`" in card


def test_figures_of_the_evaluation_are_printed(tmp_path: Path) -> None:
    figures = {
        "n_images": 20,
        "n_people": None,
        "labels": {"expression": 18},
        "measures": {"expression_f1": {"value": 0.5, "low": 0.4, "high": 0.6}},
        "confusion": {"neutral": {"neutral": 12, "happy": 6}},
    }
    card = describe_weights(str(write_checkpoint(tmp_path / "own.safetensors", figures=json.dumps(figures))))
    rows = [line for line in card.splitlines() if line.startswith("|")][-5:]
    assert rows == [
        "|---|---|",
        "| n_images | 20 |",
        "| n_people | not defined |",
        "| labels, expression | 18 |",
        "| expression_f1 | 0.500 [0.400, 0.600] |",
    ]
    assert "carries no evaluation" not in card


def test_an_undefined_figure_is_said() -> None:
    undefined = {"value": None, "low": None, "high": None}
    assert list(flatten_figures({"measures": {"AU06_f1": undefined}})) == [
        ("AU06_f1", "not defined [not defined, not defined]")
    ]


def test_names_of_a_foreign_checkpoint_stay_text(tmp_path: Path) -> None:
    card = describe_weights(str(write_checkpoint(tmp_path / "own.safetensors", training_data=("a|b\n# c", "<script>"))))
    assert "a\\|b # c; &lt;script>" in card
    assert "\n# c" not in card


@pytest.mark.parametrize("figures", ["[1]", "{"])
def test_figures_that_are_none_are_refused(tmp_path: Path, figures: str) -> None:
    with pytest.raises(WeightsError, match=r"metadata entry figures of own\.safetensors"):
        describe_weights(str(write_checkpoint(tmp_path / "own.safetensors", figures=figures)))


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.safetensors, it is missing"):
        describe_weights(str(tmp_path / "absent.safetensors"))
    with pytest.raises(WeightsError, match="Expected one of the weights"):
        describe_weights("nonesuch")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"checkpoint of an attribute network in other\.safetensors"):
        describe_weights(str(tmp_path / "other.safetensors"))
