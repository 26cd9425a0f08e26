"""Small studies, and a Prefect of their own for the flows that run on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.rendering import render_study, write_demo_settings


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory) -> Iterator[Path]:
    """Flows of this session use a database in a temporary folder."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def rendered_study(tmp_path_factory) -> Path:
    """Three participants a group, 8 s each: enough for every step, not for findings."""
    folder = tmp_path_factory.mktemp("rendered") / "small"
    render_study(folder, n_per_group=3, seconds=8, seed=7, workers=2)
    write_demo_settings(folder)
    return folder


@pytest.fixture
def copied_study(rendered_study, tmp_path, monkeypatch) -> Path:
    """A copy of the rendered study that a test may spoil."""
    folder = tmp_path / "small"
    shutil.copytree(rendered_study, folder)
    monkeypatch.setenv("FACETRACE_STUDIES", str(tmp_path))
    return folder
