"""Figures 3a and 3b over several attribute networks: what stands beside what, and what may not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.vector_58 import FEATURE_NAMES
from tasks.bids_names import Derivatives
from tasks.classifier_networks import (
    PUBLISHED_ABLATION,
    PUBLISHED_NETWORK,
    compare_networks,
    find_derivatives,
    join_ablation,
    name_network,
    read_classified,
)
from tasks.errors import InvalidInputError
from tasks.group_steps import update_classification
from tasks.provenance import Step, sidecar_path, write_sidecar
from tasks.settings import ClassifySettings, StudySettings
from tasks.tables import read_table, write_table

SETTINGS = ClassifySettings(classifiers=("logistic", "lda"), permutations=0, bootstrap_samples=100)


def write_features(study: Path, *, seed: int, n_per_group: int = 8) -> Derivatives:
    """A participant table as if the frame tables of one network had been summarised."""
    from datetime import UTC, datetime

    rng = np.random.default_rng(seed)
    n = 2 * n_per_group
    table = pd.DataFrame(rng.normal(size=(n, len(FEATURE_NAMES))), columns=list(FEATURE_NAMES))
    table.insert(0, "participant_id", [f"{person:03d}" for person in range(n)])
    table["group"] = ["ASD", "TD"] * n_per_group
    table[["session", "task", "included", "exclusion_reason"]] = "", "clips", True, ""
    table.loc[table["group"] == "ASD", list(FEATURE_NAMES[:6])] += 0.8
    derivatives = Derivatives.of_study(study)
    path = derivatives.group_table("features", "participants")
    write_table(table, path)
    write_sidecar(
        path, Step("summarize", 1), description="features", started=datetime.now(UTC), facts={"demo_weights": seed == 2}
    )
    return derivatives


def classify(derivatives: Derivatives, settings: ClassifySettings = SETTINGS) -> Derivatives:
    update_classification(derivatives, settings=settings, study=StudySettings())
    return derivatives


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    for seed, name in enumerate(("eesp", "bottleneck", "demo")):
        classify(write_features(folder / name, seed=seed))
    return folder


@pytest.fixture
def copies(studies: Path, tmp_path: Path) -> Path:
    shutil.copytree(studies, tmp_path / "studies")
    return tmp_path / "studies"


def test_one_network_stands_beside_the_published_rows(copies: Path) -> None:
    tables = compare_networks("eesp", Derivatives.of_study(copies / "eesp"), {})
    assert [row[:3] for row in tables[0].rows] == [
        ["Logistic regression (ridge)", "eesp", "16"],
        ["Linear discriminant analysis", "eesp", "16"],
        ["not stated", PUBLISHED_NETWORK, "88"],
    ]
    assert tables[0].rows[-1][3:] == ["0.76", "0.76", "0.69"]
    assert "picture only" in tables[0].note
    assert "Demo weights" not in tables[0].note
    # SPEC A6: F1/sensitivity/specificity of figure 3b.
    assert tables[1].rows[0][2:] == ["0.69/0.69/0.62", "0.72/0.71/0.67", "0.69/0.67/0.67", "0.76/0.76/0.69"]
    assert tables[1].headings[2:] == ("AU (36)", "AU+arousal (39)", "AU+arousal+valence (42)", "all (58)")


def test_published_rows_agree_with_their_counts() -> None:
    """Sensitivity k/49 and specificity m/39 fix tp and fp, and with them F1 = 2 tp / (2 tp + fp + fn), to the printed digits."""
    for f1, sensitivity, specificity in PUBLISHED_ABLATION.values():
        tp, tn = round(sensitivity * 49), round(specificity * 39)
        assert 2 * tp / (tp + 49 + 39 - tn) == pytest.approx(f1, abs=0.0051)


def test_several_networks_stand_side_by_side(copies: Path) -> None:
    """One as a study, one as a tree of derivatives that was put aside."""
    (copies / "demo" / "derivatives" / "facetrace").rename(copies / "facetrace-demo")
    derivatives = Derivatives.of_study(copies / "eesp")
    tables = compare_networks(
        "eesp", derivatives, {"bottleneck": copies / "bottleneck", "demo": copies / "facetrace-demo"}
    )
    assert [row[1] for row in tables[0].rows] == ["eesp", "bottleneck", "demo"] * 2 + [PUBLISHED_NETWORK]
    assert tables[0].note.startswith("Demo weights behind demo: no finding about people.")
    assert [row[0] for row in tables[1].rows] == [PUBLISHED_NETWORK, *np.repeat(["eesp", "bottleneck", "demo"], 2)]
    written = pd.read_csv(derivatives.group_table("networks", "classifiers").with_suffix(".csv"))
    own = written[(written["network"] == "bottleneck") & (written["classifier"] == "lda")].iloc[0]
    source = read_table(Derivatives.of_study(copies / "bottleneck").group_table("performance", "classifiers"))
    expected = source[(source["feature_set"] == "all") & (source["classifier"] == "lda")].iloc[0]
    for name in ("f1", "f1_low", "f1_high", "sensitivity", "specificity_low", "n"):
        assert own[name] == pytest.approx(expected[name])
    path = derivatives.group_table("networks", "ablation").with_suffix(".csv")
    assert len(pd.read_csv(path)) == 4 + 3 * 2 * 4
    sidecar = json.loads(sidecar_path(path).read_text())
    assert set(sidecar["inputs"]) == {f"{name}/desc-{table}_classifiers" for name in ("eesp", "bottleneck", "demo") for table in ("performance", "predictions")}  # fmt: skip
    assert sidecar["facts"] == {"demo_weights": True}


def test_ablation_goes_from_few_features_to_all(studies: Path) -> None:
    table = join_ablation([read_classified("eesp", Derivatives.of_study(studies / "eesp"))])
    assert table["n_features"].tolist() == [36, 39, 42, 58] * 3


def test_without_ablation_there_is_no_figure_3b(tmp_path: Path) -> None:
    settings = ClassifySettings(classifiers=("lda",), permutations=0, bootstrap_samples=100, ablation=False)
    derivatives = classify(write_features(tmp_path / "eesp", seed=0), settings)
    assert len(compare_networks("eesp", derivatives, {})) == 1


def test_other_participants_groups_and_settings_are_listed_together(copies: Path) -> None:
    fewer = write_features(copies / "fewer", seed=3, n_per_group=7)
    classify(fewer, ClassifySettings(classifiers=("lda",), permutations=0, bootstrap_samples=100, ablation=False))
    with pytest.raises(InvalidInputError) as error:
        compare_networks(
            "eesp", Derivatives.of_study(copies / "eesp"), {"fewer": copies / "fewer", "demo": copies / "demo"}
        )
    message = str(error.value)
    assert "fewer: without sub-014" in message
    assert "fewer: without sub-015" in message
    assert "fewer: classify.ablation is False, not True" in message
    assert "demo:" not in message


def test_a_participant_in_another_group_is_named(copies: Path) -> None:
    derivatives = write_features(copies / "swapped", seed=1)
    path = derivatives.group_table("features", "participants")
    table = read_table(path)
    table.loc[[0, 1], "group"] = ["TD", "ASD"]
    write_table(table, path)
    sidecar = json.loads(sidecar_path(path).read_text())
    from tasks.provenance import sha256_file

    sidecar_path(path).write_text(json.dumps(sidecar | {"output_sha256": sha256_file(path)}))
    classify(derivatives)
    with pytest.raises(InvalidInputError, match=r"swapped: sub-000 is TD, not ASD"):
        compare_networks("eesp", Derivatives.of_study(copies / "eesp"), {"swapped": copies / "swapped"})


def test_a_name_stands_for_one_network(copies: Path) -> None:
    with pytest.raises(InvalidInputError, match="the name eesp stands for several"):
        compare_networks("eesp", Derivatives.of_study(copies / "eesp"), {"eesp": copies / "bottleneck"})


def test_a_study_without_classifiers_is_refused(copies: Path) -> None:
    with pytest.raises(InvalidInputError, match="missing. Run facetrace classify on it"):
        compare_networks("eesp", Derivatives.of_study(copies / "eesp"), {"other": _unclassified(copies)})


def _unclassified(folder: Path) -> Path:
    write_features(folder / "unclassified", seed=5)
    return folder / "unclassified"


def test_altered_and_outdated_tables_are_refused(copies: Path) -> None:
    derivatives = Derivatives.of_study(copies / "eesp")
    write_features(copies / "eesp", seed=9)
    with pytest.raises(InvalidInputError, match="of its present features, which changed"):
        read_classified("eesp", derivatives)
    performance = Derivatives.of_study(copies / "demo").group_table("performance", "classifiers")
    write_table(read_table(performance).assign(f1=1.0), performance)
    with pytest.raises(InvalidInputError, match="the output was altered"):
        read_classified("demo", Derivatives.of_study(copies / "demo"))


def test_a_folder_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="got neither"):
        find_derivatives(tmp_path)


@pytest.mark.parametrize(
    ("weights", "name"),
    [("networks/eesp-s2.onnx", "eesp-s2"), ("demo-attributes", "demo-attributes"), ("net-0.5", "net-0.5")],
)
def test_a_network_is_called_like_its_weights(tmp_path: Path, weights: str, name: str) -> None:
    (tmp_path / "config.yaml").write_text(f"attributes: {{weights: {weights}}}\n")
    assert name_network(tmp_path, None) == name


def test_without_settings_the_default_weights_give_the_name(tmp_path: Path) -> None:
    assert name_network(tmp_path, None) == "demo-attributes"
