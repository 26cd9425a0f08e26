"""Run an iterator ahead of its consumer in a thread, so that decoding and the networks overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _Failure:
    error: BaseException


class _End:
    pass


@contextmanager
def prefetch(items: Iterable[_Item], *, depth: int = 2) -> Iterator[Iterator[_Item]]:
    """Iterate over `items` in a thread of its own, at most `depth` items ahead.

    Parameters
    ----------
    items
        Iterated in the thread; its errors are raised in the consumer.
    depth
        Items that may wait. Bounds memory.

    Yields
    ------
    Iterator
        The same items in the same order. Leaving the block ends the thread.
    """
    waiting: queue.Queue[_Item | _Failure | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()
    thread = threading.Thread(target=_produce, args=(items, waiting, stopped), name="prefetch", daemon=True)
    thread.start()
    try:
        yield _consume(waiting)
    finally:
        stopped.set()
        thread.join()


def _produce(items: Iterable[_Item], waiting: queue.Queue[_Item | _Failure | _End], stopped: threading.Event) -> None:
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
        try:
            waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
        return


def _consume(waiting: queue.Queue[_Item | _Failure | _End]) -> Iterator[_Item]:
    while True:
        item = waiting.get()
        if isinstance(item, _End):
            return
        if isinstance(item, _Failure):
            raise item.error
        yield item
