"""The commands on a training folder: train, evaluate, the paper's table; their exit codes, and what Prefect is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from features.attributes import build
from features.attributes.cost import count_macs, count_parameters
from features.attributes.published import FIGURE_2
from flows.cli import main
from tasks.rendered_faces import render_labelled_faces

Command = Callable[..., tuple[int, str, str]]
NETWORK = "eesp-s0.5-32px-multitask"


@pytest.fixture(scope="module", autouse=True)
def settled_logging(prefect_home: Path) -> None:
    """Prefect logs to the error stream of the session, not to that of whichever test runs a flow first."""
    from prefect.logging.configuration import setup_logging

    setup_logging()


@pytest.fixture
def facetrace(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setenv("FACETRACE_STUDIES", "")
        monkeypatch.setattr(sys, "argv", ["facetrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def change(folder: Path, **values: object) -> None:
    path = folder / "config.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["training"] |= values
    path.write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 drawn faces of 6 people, cut by their boxes."""
    folder = tmp_path_factory.mktemp("training") / "faces"
    render_labelled_faces(folder, n_images=36, n_people=6, size=32, seed=3)
    change(folder, crops="boxes", scale=0.5, epochs=1, batch_size=16, workers=0, bootstrap_samples=100)
    return folder


def test_training_then_nothing_then_a_changed_setting(facetrace: Command, faces: Path) -> None:
    code, out, _ = facetrace("train-attributes", faces)
    lines = out.splitlines()
    assert code == 0, out
    assert f"train {NETWORK}: computed" in lines
    assert lines[-1] == "RESULT ok=36 failed=0 skipped=0 exit=0"
    folder = faces / "attributes" / NETWORK
    assert {"network.safetensors", "network.json", "epochs.csv", "evaluation.csv", "evaluation.json"} <= {
        path.name for path in folder.iterdir()
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    code, out, _ = facetrace("train-attributes", faces)
    assert code == 0
    assert {f"train {NETWORK}: up to date", "evaluate: up to date"} <= set(out.splitlines())
    settings = (faces / "config.yaml").read_text()
    change(faces, learning_rate=0.5)
    code, out, err = facetrace("train-attributes", faces)
    (faces / "config.yaml").write_text(settings)
    assert code == 2
    assert "training.learning_rate 0.01 -> 0.5" in err
    assert out.splitlines()[-1] == "RESULT ok=0 failed=0 skipped=0 exit=2"


def test_evaluation_prints_our_figures_beside_the_papers(facetrace: Command, faces: Path) -> None:
    facetrace("train-attributes", faces)
    code, out, _ = facetrace("evaluate-attributes", faces)
    assert code == 0, out
    assert "0.75 (other data)" in out
    assert out.splitlines()[-1].endswith("evaluation.csv")
    checkpoint = faces / "attributes" / NETWORK / "network.safetensors"
    code, out, _ = facetrace("evaluate-attributes", faces, "--checkpoint", checkpoint)
    assert code == 0, out
    assert facetrace("evaluate-attributes", faces, "--checkpoint", faces / "absent.safetensors")[0] == 6


def test_the_papers_table(facetrace: Command, faces: Path) -> None:
    code, out, _ = facetrace("tabulate-attributes", faces)
    assert code == 0, out
    table = pd.read_csv(faces / "attributes" / "figure2.csv")
    assert list(zip(table["unit"], table["mode"], strict=True)) == [(row.unit, row.mode) for row in FIGURE_2]
    assert table["networks"].tolist() == [4, 4, 4, 1, 1, 1]
    for row in table.to_dict("records"):
        network = build(row["unit"], scale=0.5)
        assert row["parameters"] == row["networks"] * count_parameters(network)
        assert row["macs"] == row["networks"] * count_macs(network, input_size=32)
    # Li et al. (2019), figure 2a, last row.
    last = table.iloc[-1]
    published = ["published_expression_macro_f1", "published_au_f1_accuracy", "published_valence_pearson"]
    assert last[[*published, "published_arousal_pearson"]].tolist() == [0.58, 0.75, 0.69, 0.61]
    assert (last["published_parameters_m"], last["published_macs_g"]) == (2.4, 0.29)
    multi = pd.read_csv(faces / "attributes" / NETWORK / "evaluation.csv").set_index("measure")
    assert last["valence_pearson"] == multi.loc["valence_pearson", "value"]
    single = pd.read_csv(faces / "attributes" / "eesp-s0.5-32px-valence" / "evaluation.csv").set_index("measure")
    assert table.loc[2, "valence_pearson"] == single.loc["valence_pearson", "value"]
    page = (faces / "attributes" / "figure2.md").read_text()
    assert "**An illustration:**" in page
    assert "width scale 0.5, 32 x 32 pixels, 1 epochs of" in page
    before = {path: path.stat().st_mtime_ns for path in faces.rglob("network.safetensors")}
    assert len(before) == 15
    assert facetrace("tabulate-attributes", faces)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("command", ["train-attributes", "evaluate-attributes", "tabulate-attributes"])
def test_folders_that_are_none(facetrace: Command, tmp_path: Path, command: str) -> None:
    assert facetrace(command, tmp_path / "absent")[0] == 3
    (tmp_path / "empty").mkdir()
    code, _, err = facetrace(command, tmp_path / "empty")
    assert code == 2
    assert "config.yaml with a section training" in err
    (tmp_path / "empty" / "config.yaml").write_text("training: {epochs: 3}\n")
    code, _, err = facetrace(command, tmp_path / "empty")
    assert code == 3
    assert "training.data" in err


def test_prefect_is_told_counts_and_steps_alone(facetrace: Command, faces: Path) -> None:
    from prefect.client.orchestration import get_client

    change(
        faces,
        data=[{"name": "Rosenhuegel", "format": "table", "labels": "labels.csv", "images": "images"}],
        unit="mobilenet",
        scale=0.25,
    )
    code, out, _ = facetrace("train-attributes", faces)
    assert code == 0, out
    with get_client(sync_client=True) as client:
        told = repr(client.read_artifacts()) + repr(client.read_flow_runs()) + repr(client.read_task_runs())
        told += repr(client.read_logs())
    assert "facetrace-training" in told
    assert "RESULT ok=36" in told
    for secret in ("Rosenhuegel", "labels.csv", "P00001", str(faces)):
        assert secret not in told
