"""Where recordings are extracted: threads or processes of this machine, or a Dask cluster. The tables are the same."""

from __future__ import annotations

import os
from typing import Any, Final

import psutil
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from tasks.errors import SettingsError
from tasks.settings import RunSettings

BYTES_PER_WORKER: Final = 1_500_000_000
"""Memory that a process which extracts recordings may come to hold; measured in docs/benchmarks.md."""


def make_runner(settings: RunSettings) -> TaskRunner[Any]:
    """The task runner that the settings ask for.

    Raises
    ------
    SettingsError
        If the runner is Dask and prefect-dask is not installed.
    """
    if settings.runner == "threads":
        return ThreadPoolTaskRunner(max_workers=settings.workers)
    workers = bound_workers(
        settings.workers, cores=os.cpu_count() or 1, available_bytes=psutil.virtual_memory().available
    )
    if settings.runner == "processes":
        return ProcessPoolTaskRunner(max_workers=workers)
    try:
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415  (an optional dependency)
    except ImportError as error:
        raise SettingsError(
            "Expected prefect-dask for run.runner: dask, it is not installed. Install it with: pip install 'facetrace[dask]'"
        ) from error
    if settings.dask_address:
        return DaskTaskRunner(address=settings.dask_address)
    # One recording at a time in a worker, whose networks use threads of their own; no dashboard, since nobody asked for a port.
    cluster = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=cluster)


def bound_workers(asked: int, *, cores: int, available_bytes: int) -> int:
    """How many processes may extract beside each other.

    Parameters
    ----------
    asked
        The setting run.workers.
    cores
        Processor cores of the machine.
    available_bytes
        Memory that is free for use.

    Returns
    -------
    int
        At least 1, else no more than cores and than fit into memory.

    Examples
    --------
    >>> bound_workers(8, cores=16, available_bytes=8_000_000_000)
    5
    """
    return max(1, min(asked, cores, available_bytes // BYTES_PER_WORKER))
