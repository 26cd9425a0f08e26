"""The same tables whichever runner extracts them. Processes and Dask clusters are real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from flows.task_runners import bound_workers
from tasks.bids_names import Derivatives
from tasks.settings import RunSettings


@pytest.mark.parametrize(
    ("asked", "cores", "available_gb", "expected"),
    [(1, 8, 64, 1), (4, 2, 64, 2), (8, 16, 8, 5), (8, 16, 0.5, 1)],
)
def test_workers_fit_cores_and_memory(asked, cores, available_gb, expected):
    assert bound_workers(asked, cores=cores, available_bytes=int(available_gb * 1e9)) == expected


def test_an_address_without_dask_is_refused():
    with pytest.raises(ValidationError, match=r"run\.dask_address is set but run\.runner is 'threads'"):
        RunSettings(dask_address="tcp://10.0.0.5:8786")


def extract(folder: Path) -> dict[str, object]:
    from flows.extract import extract as flow

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACETRACE_STUDIES", str(folder.parent))
        state = flow(study=folder.name, participants=["001", "004"], return_state=True)
    summary = state.result(raise_on_failure=False)
    assert isinstance(summary, dict), summary
    return summary


def assert_tables_equal(folder: Path, expected: Path) -> None:
    for participant in ("001", "004"):
        made, reference = (
            Derivatives.of_study(study).frame_table(participant, "", "clips") for study in (folder, expected)
        )
        pd.testing.assert_frame_equal(pd.read_parquet(made), pd.read_parquet(reference))


@pytest.fixture(scope="module")
def made_by_threads(rendered_study, prefect_home, change_settings, tmp_path_factory) -> Path:
    """The two recordings extracted by threads; on as many cores as below, since sums in another order round otherwise."""
    del prefect_home
    folder = tmp_path_factory.mktemp("threads") / "small"
    shutil.copytree(rendered_study, folder)
    change_settings(folder, run={"runner": "threads", "workers": 2, "threads": 1})
    assert extract(folder)["result"] == "RESULT ok=2 failed=0 skipped=4 exit=0"
    return folder


def test_processes_make_the_same_tables(copied_study, made_by_threads, change_settings):
    change_settings(copied_study, run={"runner": "processes", "workers": 2, "threads": 1})
    summary = extract(copied_study)
    assert summary["result"] == "RESULT ok=2 failed=0 skipped=4 exit=0"
    assert summary["actions"] == ["extract: 2 computed"]
    assert_tables_equal(copied_study, made_by_threads)


def test_a_dask_cluster_of_two_workers_makes_the_same_tables(copied_study, made_by_threads, change_settings):
    distributed = pytest.importorskip("distributed", reason="needs prefect-dask")
    change_settings(copied_study, run={"threads": 1})
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        change_settings(copied_study, run={"runner": "dask", "dask_address": cluster.scheduler_address})
        summary = extract(copied_study)
        assert summary["result"] == "RESULT ok=2 failed=0 skipped=4 exit=0"
        assert_tables_equal(copied_study, made_by_threads)
        assert extract(copied_study)["actions"] == ["extract: 2 up to date"]
