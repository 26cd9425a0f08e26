"""A study as small as extraction allows: two participants with half a second of a rendered face each."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import cv2
import pytest
import yaml

FRAMES = 12


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory) -> Path:
    """Two participants, one a group, 12 frames of 320x180 each."""
    from features.synthetic.cohort import plan_cohort
    from features.synthetic.sessions import default_script, render_session
    from tasks.rendering import encode_video, simulate_participant, video_path

    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    plans = plan_cohort(1, 7, script=default_script(4))
    for plan in plans:
        frames = (pixels for pixels, _ in islice(render_session(simulate_participant(plan)), FRAMES))
        encode_video(video_path(folder, plan), (cv2.resize(pixels, (320, 180)) for pixels in frames))
    rows = [f"sub-{plan.participant_id}\t{plan.group}\t{plan.age_years}" for plan in plans]
    (folder / "participants.tsv").write_text("\n".join(["participant_id\tgroup\tage", *rows, ""]))
    settings = {
        "video": {"min_duration_s": 0.2, "batch_frames": 4},
        "detection": {"weights": "demo-retinaface", "width": 320},
        "attributes": {"weights": "demo-attributes", "allow_demo_weights": True},
        "summarize": {"min_valid_frames": 1},
        "classify": {"classifiers": ["lda"], "ablation": False, "permutations": 0},
        "run": {"threads": 1},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.fixture
def study(tiny_study, tmp_path, monkeypatch) -> Path:
    """A copy of the tiny study that a test may spoil."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_study, folder)
    monkeypatch.setenv("FACETRACE_STUDIES", str(tmp_path))
    return folder
