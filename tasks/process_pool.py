"""Calling a function many times in several processes, with the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import starmap
from multiprocessing import get_context
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def run_in_order(function: Callable[..., ResultT], jobs: Sequence[tuple[Any, ...]], workers: int) -> Iterator[ResultT]:
    """Results of ``function(*job)`` in order, by that many processes; in this one where it is a single worker."""
    if workers == 1:
        yield from starmap(function, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = deque(pool.submit(function, *job) for job in jobs)
        while waiting:
            yield waiting.popleft().result()
