"""Progress of long work: bars in a terminal, plain lines with the time left in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES: Final = 10.0


class Reporter(Protocol):
    """Told how far a piece of work is."""

    def __call__(self, name: str, done: int, total: int) -> None:
        """`done` of `total` units of the work `name` are finished."""


def silent(name: str, done: int, total: int) -> None:
    """A reporter that says nothing."""


_active: list[Reporter] = []


def current_reporter() -> Reporter:
    """The reporter of the innermost open `show_progress` in this process; silent where there is none."""
    return _active[-1] if _active else silent


class _Lines:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: dict[str, tuple[float, int, float]] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        with self._lock:
            begun, done_before, last = self._state.get(name, (now, done, -1e9))
            due = now - last >= _SECONDS_BETWEEN_LINES or done >= total
            self._state[name] = (begun, done_before, now if due else last)
        if due:
            left = _describe_rest(now - begun, done - done_before, total - done)
            print(f"{name}: {done}/{total}{left}", file=sys.stderr, flush=True)  # noqa: T201


def _describe_rest(elapsed_s: float, n_done: int, n_left: int) -> str:
    if not n_left or n_done <= 0:
        return ""
    return f", {_minutes(elapsed_s / n_done * n_left)} left"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


@contextmanager
def show_progress() -> Iterator[Reporter]:
    """Open a reporter and make it the current one.

    Yields
    ------
    Reporter
        Draws rich bars in a terminal, and prints a line every ten seconds elsewhere.
    """
    with _open_reporter() as reporter:
        _active.append(reporter)
        try:
            yield reporter
        finally:
            _active.remove(reporter)


@contextmanager
def _open_reporter() -> Iterator[Reporter]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bars:
        known: dict[str, object] = {}
        lock = threading.Lock()

        def report(name: str, done: int, total: int) -> None:
            with lock:
                if name not in known:
                    known[name] = bars.add_task(name, total=total)
                bars.update(known[name], completed=done, total=total)  # type: ignore[arg-type]

        yield report
