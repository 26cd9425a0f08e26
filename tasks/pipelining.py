"""Run an iterator ahead of its consumer in a thread, so that decoding and the networks overlap.

Reading a recording can hang without an error: a network share that is gone, a failing disk, a decoder that waits for itself. A
thread that hangs in the operating system or in C code cannot be ended from outside, so it is watched: where it shows no sign of
life for long enough it is abandoned, and the work that needed it fails with a reason. The thread is a daemon, which does not
keep the process from ending.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from tasks.errors import StalledError

_LOOK_EVERY_S: Final = 0.1
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Watch:
    """How long a thread may show no sign of life.

    Attributes
    ----------
    name
        What it reads, for the message.
    timeout_s
        Seconds.
    """

    name: str
    timeout_s: float


class _Pulse:
    """When a thread last showed a sign of life."""

    def __init__(self) -> None:
        self.last_s = time.monotonic()

    def idle_s(self) -> float:
        return time.monotonic() - self.last_s


_own = threading.local()


def beat() -> None:
    """Show a sign of life: called wherever a piece of a recording was read; does nothing in a thread that is not watched."""
    pulse = getattr(_own, "pulse", None)
    if pulse is not None:
        pulse.last_s = time.monotonic()


def call_watched(work: Callable[[], _Result], watch: Watch) -> _Result:
    """Call `work` in a thread of its own and give its result.

    Parameters
    ----------
    work
        Reads something; shows signs of life with `beat`.
    watch
        How long it may be silent.

    Raises
    ------
    StalledError
        If it was silent for longer. Errors of `work` are raised as they are.
    """
    with prefetch(_once(work), watch=watch) as results:
        return next(results)


def _once(work: Callable[[], _Result]) -> Iterator[_Result]:
    yield work()


@dataclass(frozen=True)
class _Failure:
    error: BaseException


class _End:
    pass


@contextmanager
def prefetch(items: Iterable[_Item], *, depth: int = 2, watch: Watch | None = None) -> Iterator[Iterator[_Item]]:
    """Iterate over `items` in a thread of its own, at most `depth` items ahead.

    Parameters
    ----------
    items
        Iterated in the thread; its errors are raised in the consumer.
    depth
        Items that may wait. Bounds memory.
    watch
        How long the consumer waits for a thread that shows no sign of life; for ever where None.

    Yields
    ------
    Iterator
        The same items in the same order; raises StalledError where the thread is silent for too long. Leaving the block ends the
        thread, or abandons it where it is silent.
    """
    waiting: queue.Queue[_Item | _Failure | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()
    pulse = _Pulse()
    thread = threading.Thread(target=_produce, args=(items, waiting, stopped, pulse), name="prefetch", daemon=True)
    thread.start()
    try:
        yield _consume(waiting, pulse, watch)
    finally:
        stopped.set()
        _join(thread, pulse, watch)


def _join(thread: threading.Thread, pulse: _Pulse, watch: Watch | None) -> None:
    if watch is None:
        thread.join()
        return
    while thread.is_alive() and pulse.idle_s() <= watch.timeout_s:
        thread.join(timeout=_LOOK_EVERY_S)


def _produce(
    items: Iterable[_Item], waiting: queue.Queue[_Item | _Failure | _End], stopped: threading.Event, pulse: _Pulse
) -> None:
    _own.pulse = pulse
    try:
        for item in items:
            _put(item, waiting, stopped)
            if stopped.is_set():
                return
        _put(_End(), waiting, stopped)
    except BaseException as error:  # noqa: BLE001  (raised again in the consumer)
        _put(_Failure(error), waiting, stopped)


def _put(
    item: _Item | _Failure | _End, waiting: queue.Queue[_Item | _Failure | _End], stopped: threading.Event
) -> None:
    while not stopped.is_set():
        beat()
        try:
            waiting.put(item, timeout=_LOOK_EVERY_S)
        except queue.Full:
            continue
        return


def _consume(waiting: queue.Queue[_Item | _Failure | _End], pulse: _Pulse, watch: Watch | None) -> Iterator[_Item]:
    while True:
        item = waiting.get() if watch is None else _get_watched(waiting, pulse, watch)
        if isinstance(item, _End):
            return
        if isinstance(item, _Failure):
            raise item.error
        yield item


def _get_watched(waiting: queue.Queue[_Item | _Failure | _End], pulse: _Pulse, watch: Watch) -> _Item | _Failure | _End:
    while True:
        try:
            return waiting.get(timeout=_LOOK_EVERY_S)
        except queue.Empty:
            if pulse.idle_s() > watch.timeout_s:
                raise StalledError(
                    f"Expected more of {watch.name}, but nothing came for {watch.timeout_s:g} s: its disk or network share "
                    "does not answer, or its decoder hangs. Reading it was given up. Look at the disk, copy the recording "
                    "again, or convert it to H.264 in MP4; video.stall_timeout_s sets how long to wait."
                ) from None
