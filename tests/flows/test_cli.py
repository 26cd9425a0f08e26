"""The command line: what it prints, and its exit codes. Commands that run a flow are in test_study_flow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import main
from tasks.settings_file import document_settings


@pytest.fixture
def facetrace(monkeypatch, capsys):
    """Run a command in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facetrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_check_of_a_sound_study(facetrace, rendered_study):
    code, out, _ = facetrace("check", rendered_study)
    assert out.splitlines() == ["6 participants, 6 videos, 6 of them ready.", "No problems found."]
    assert code == 0


def test_check_lists_all_problems_at_once(facetrace, rendered_study, tmp_path):
    folder = tmp_path / "spoiled"
    shutil.copytree(rendered_study, folder)
    next((folder / "sub-001" / "beh").glob("*.mp4")).write_bytes(b"")
    shutil.rmtree(folder / "sub-002")
    (folder / "config.yaml").write_text("detection: {confidense: 0.5, weights: demo-retinaface}\n")
    code, out, _ = facetrace("check", folder)
    assert code == 2
    assert "Did you mean detection.confidence?" in out
    assert "(sub-001)" in out
    assert "(sub-002)" in out
    assert "unknown" in out


def test_check_of_failed_participants_exits_with_4(facetrace, rendered_study, tmp_path):
    folder = tmp_path / "spoiled"
    shutil.copytree(rendered_study, folder)
    shutil.rmtree(folder / "sub-002")
    assert facetrace("check", folder)[0] == 4


def test_check_of_no_study_exits_with_3(facetrace, tmp_path):
    code, out, _ = facetrace("check", tmp_path / "absent")
    assert code == 3
    assert "Expected a study folder" in out


def test_dry_run_writes_nothing(facetrace, rendered_study):
    before = sorted(rendered_study.rglob("*"))
    code, out, _ = facetrace("run", rendered_study, "--dry-run")
    assert code == 0
    assert "Recordings: 6, of which 0 have a frame table" in out
    assert "sub-001_task-clips: 640x360, 192 frames, 8.0 s, h264, constant rate" in out
    assert "Frames: 1152" in out
    assert "demo-attributes (present)" in out
    assert sorted(rendered_study.rglob("*")) == before


def test_settings_are_printed_as_the_default_file(facetrace):
    code, out, _ = facetrace("settings")
    assert (code, out) == (0, document_settings())


def test_weights_are_listed_with_state_and_licence(facetrace, tmp_path, monkeypatch):
    monkeypatch.setenv("FACETRACE_WEIGHTS", str(tmp_path))
    code, out, _ = facetrace("weights", "list")
    assert code == 0
    assert "retinaface-mobilenet0.25     missing" in out
    assert "demo-attributes              present" in out
    assert "MIT" in out


def test_fetching_unknown_weights_exits_with_6_and_a_result_line(facetrace):
    code, out, err = facetrace("weights", "fetch", "nonesuch")
    assert code == 6
    assert err.startswith("ERROR Expected one of the weights")
    assert out.splitlines()[-1] == "RESULT ok=0 failed=0 skipped=0 exit=6"


@pytest.mark.parametrize("arguments", [["nonesuch"], ["run"], ["run", "study", "--nonesuch"]])
def test_wrong_usage_exits_with_2(facetrace, arguments):
    assert facetrace(*arguments)[0] == 2


def test_help_needs_neither_torch_nor_prefect():
    code = "import sys; sys.argv = ['facetrace', '--help']\nfrom flows.cli import main\ntry:\n main()\nexcept SystemExit:\n sys.exit('torch' in sys.modules or 'prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not a diagnosis" in done.stdout.replace("\n", " ")


def test_the_console_script_is_installed():
    assert (Path(sys.executable).parent / "facetrace").exists()
