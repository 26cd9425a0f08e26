"""Stopping the work of other threads when a run is interrupted: they end after the batch of frames at hand, and tidy up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.errors import RunInterruptedError

_stop = threading.Event()


@contextmanager
def stop_threads_on_interrupt() -> Iterator[None]:
    """Ask all threads of this process to stop where the block ends with an error, such as ctrl-C."""
    _stop.clear()
    try:
        yield
    except BaseException:
        _stop.set()
        raise


def raise_if_interrupted() -> None:
    """End the work of this thread if the run was interrupted.

    Raises
    ------
    RunInterruptedError
        If `stop_threads_on_interrupt` asked for it.
    """
    if _stop.is_set():
        raise RunInterruptedError("The run was interrupted. Run the same command again to go on.")
