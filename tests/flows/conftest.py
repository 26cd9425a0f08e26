"""Small studies, and a Prefect of their own for the flows that run on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

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


@pytest.fixture(scope="session")
def run_study(prefect_home) -> Callable[..., dict[str, object]]:
    """Runs the study flow on a folder and gives its summary, with the name of the final state; raises what the flow raised."""
    del prefect_home

    def run(folder: Path, **options: object) -> dict[str, object]:
        from flows.disclosure import read_summary
        from flows.study import study

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FACETRACE_STUDIES", str(folder.parent))
            state = study(study=folder.name, return_state=True, **options)
        return {**read_summary(state), "state": state.name}

    return run


@pytest.fixture(scope="session")
def change_settings() -> Callable[..., None]:
    """Changes sections of a study's config.yaml."""

    def change(folder: Path, **sections: dict[str, object]) -> None:
        path = folder / "config.yaml"
        settings = yaml.safe_load(path.read_text())
        for section, values in sections.items():
            settings.setdefault(section, {}).update(values)
        path.write_text(yaml.safe_dump(settings))

    return change


@pytest.fixture(scope="session")
def finished_study(rendered_study, run_study, tmp_path_factory) -> Path:
    """The rendered study after one run."""
    folder = tmp_path_factory.mktemp("finished") / "small"
    shutil.copytree(rendered_study, folder)
    summary = run_study(folder)
    assert summary["result"] == "RESULT ok=6 failed=0 skipped=0 exit=0", summary
    return folder


@pytest.fixture
def copied_finished_study(finished_study, tmp_path) -> Path:
    """A copy of the finished study, in another folder, that a test may spoil."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(finished_study, folder)
    return folder
