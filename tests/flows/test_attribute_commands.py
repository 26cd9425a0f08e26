"""The commands on attribute networks as files, and `classify` with its tables, as a terminal shows them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from flows.cli import main
from tasks.bids_names import Derivatives
from tasks.weights import locate


@pytest.fixture
def facetrace(monkeypatch, capfd):
    """Run a command in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facetrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_export_prints_its_parity(facetrace, tmp_path):
    shutil.copyfile(locate("demo-attributes", "attributes").path, tmp_path / "own.safetensors")
    code, out, _ = facetrace("export-attributes", tmp_path / "own.safetensors")
    assert code == 0
    lines = out.splitlines()
    assert [line.split("largest")[0].split()[-1] for line in lines[:4]] == ["1", "2", "7", "16"]
    assert "Agrees with PyTorch within" in lines[4]
    assert lines[5].endswith("own.onnx: 3.2 MB")
    card = tmp_path / "own.md"
    assert facetrace("describe-attributes", tmp_path / "own.onnx", "--out", card)[0] == 0
    assert "file of 3.2 MB (ONNX)" in card.read_text()


def test_what_is_no_checkpoint_exits_with_its_reason(facetrace, tmp_path):
    (tmp_path / "text.safetensors").write_text("text")
    code, _, err = facetrace("export-attributes", tmp_path / "text.safetensors")
    assert (code, "Expected a checkpoint of an attribute network in text.safetensors" in err) == (6, True)
    code, _, err = facetrace(
        "import-attributes", tmp_path / "text.safetensors", "--unit", "eesp", "--out", tmp_path / "o.safetensors"
    )
    assert code == 6, err
    assert not (tmp_path / "o.safetensors").exists()
    assert facetrace("import-attributes", tmp_path / "a.pth", "--unit", "resnet", "--out", tmp_path / "o.st")[0] == 2


def test_classify_prints_both_figures_and_then_the_result(facetrace, prefect_home, copied_finished_study):
    other = copied_finished_study.parent / "other"
    shutil.copytree(Path(Derivatives.of_study(copied_finished_study).folder), other)
    code, out, _ = facetrace("classify", copied_finished_study, "--label", "eesp", "--also", f"twin={other}")
    assert code == 0
    assert "Classifiers by network, 58 features (figure 3a)" in out
    assert "What each attribute adds (figure 3b)" in out
    assert "Demo weights behind eesp, twin" in out
    assert "0.69/0.69/0.62" in out
    assert out.splitlines()[-1].startswith("RESULT ok=6")
    written = pd.read_csv(copied_finished_study / "derivatives/facetrace/group/desc-networks_classifiers.csv")
    assert written["network"].value_counts().to_dict() == {"eesp": 7, "twin": 7, "Li et al. (2019), bottleneck": 1}


def test_classify_refuses_other_participants_after_its_own_work(
    facetrace, prefect_home, copied_finished_study, tmp_path
):
    code, out, err = facetrace("classify", copied_finished_study, "--also", f"none={tmp_path / 'absent'}")
    assert code == 3
    assert "got neither" in err
    assert out.splitlines()[-1] == "RESULT ok=0 failed=0 skipped=0 exit=3"
    assert facetrace("classify", copied_finished_study, "--also", "nameless")[0] == 2
