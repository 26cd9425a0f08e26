"""Five real recordings as a study, from the command line to frame tables. The facts are those of the media's own README."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from tasks.bids_names import Derivatives
from tasks.tables import read_table

pytestmark = pytest.mark.real_media

ROWS = {
    "langer": ("WolfgangLanger_Pexels.mp4", 472),
    "single": ("single_face.mp4", 72),
    "noface": ("no_face.mp4", 95),
    "lost": ("face_noface.mov", 169),
    "found": ("noface_face.mov", 169),
}


def presentation_times(path: Path) -> np.ndarray:
    """Times of the frames that PyAV decodes, from the first one: independent of the project's own clock."""
    with av.open(str(path)) as container:
        times = sorted(frame.time for frame in container.decode(video=0))
    return np.array(times)


@pytest.fixture(scope="module")
def extracted(real_media, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("real") / "study"
    rows = ["participant_id\tgroup\tage"]
    for index, (name, (file, _)) in enumerate(ROWS.items()):
        target = folder / f"sub-{name}" / "beh"
        target.mkdir(parents=True)
        shutil.copy(real_media / "video" / file, target / f"sub-{name}_task-clip_video{Path(file).suffix}")
        rows.append(f"sub-{name}\t{'ASD' if index % 2 else 'TD'}\tn/a")
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")
    (folder / "config.yaml").write_text("attributes: {allow_demo_weights: true}\n")
    weights = tmp_path_factory.mktemp("weights")
    shutil.copy(real_media / "weights" / "retinaface_mobilenet0.25_Final.pth", weights)
    environment = {
        **os.environ,
        "FACETRACE_WEIGHTS": str(weights),
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
    }
    command = [str(Path(sys.executable).parent / "facetrace"), "extract", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    return folder, done


def frames_of(extracted, name: str) -> pd.DataFrame:
    return read_table(Derivatives.of_study(extracted[0]).frame_table(name, "", "clip"))


def test_the_run_accounts_for_all_five(extracted):
    _, done = extracted
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "RESULT ok=5 failed=0 skipped=0 exit=0"


@pytest.mark.parametrize("name", ROWS)
def test_every_frame_has_a_row_with_the_time_of_the_container(extracted, real_media, name):
    file, n_rows = ROWS[name]
    frames = frames_of(extracted, name)
    assert frames["frame"].tolist() == list(range(n_rows))
    expected = presentation_times(real_media / "video" / file)
    np.testing.assert_allclose(frames["time_s"], expected, atol=1e-3)


def test_last_timestamps_at_variable_rate(extracted):
    # realmedia/README.md: 6.360352 s and 6.345296 s.
    assert frames_of(extracted, "lost")["time_s"].iloc[-1] == pytest.approx(6.360352, abs=1e-3)
    assert frames_of(extracted, "found")["time_s"].iloc[-1] == pytest.approx(6.345296, abs=1e-3)


def test_a_recording_without_a_face_has_none(extracted):
    frames = frames_of(extracted, "noface")
    assert set(frames["invalid_reason"]) == {"no_face"}
    assert (frames["n_faces"] == 0).all()
    assert frames["AU12"].isna().all()


@pytest.mark.parametrize("name", ["single", "langer"])
def test_recordings_of_one_face_are_valid(extracted, name):
    assert frames_of(extracted, name)["valid"].mean() >= 0.98


def test_a_face_that_comes_and_goes(extracted):
    lost, found = frames_of(extracted, "lost"), frames_of(extracted, "found")
    assert lost["valid"].head(30).mean() > 0.9
    assert lost["valid"].tail(20).mean() < 0.1
    assert found["valid"].head(10).mean() < 0.1
    assert 0.2 < found["valid"].mean() < 0.95


def test_demo_weights_are_named_in_the_sidecar(extracted):
    text = Derivatives.of_study(extracted[0]).frame_table("single", "", "clip").with_suffix(".json").read_text()
    assert '"demo_weights": true' in text
    assert '"rendered": false' in text
