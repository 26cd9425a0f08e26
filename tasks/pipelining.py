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

    def put(item: _Item | _Failure | _End) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def produce() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(_End())
        except BaseException as error:  # noqa: BLE001  (raised again in the consumer)
            put(_Failure(error))

    def consume() -> Iterator[_Item]:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join()
