"""The folds of the atypicality step: each is trained, tested, explained and written, one after the other or side by side."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil
import torch

from classifiers.sequences import SequenceKind
from classifiers.sequences.folds import FOLD_COLUMNS, list_folds
from classifiers.sequences.importance import occlude_time, permute_signals
from classifiers.sequences.protocols import FoldResult, cross_validate, find_rows
from classifiers.sequences.recipe import PUBLISHED, SOUND, SequenceRecipe
from classifiers.sequences.training import WindowData, predict, seeded
from features.windows import WindowIndex
from tasks.atypicality_checkpoints import Explanation, FoldStore, StoredFold
from tasks.errors import OutputError
from tasks.progress import Reporter, silent
from tasks.settings import AtypicalitySettings

BYTES_PER_WORKER: Final = 1_000_000_000
"""Memory that a process which trains folds may come to hold: 0.5 GB measured with the windows of Hugging Rain Man."""

MOST_WORKERS: Final = 8
"""Processes at most where their number is left to the machine."""

WORKERS_ON_GPU: Final = 4
"""Folds that share a GPU, likewise: a step of one keeps only a part of it busy."""

Job = tuple[SequenceKind, int, int]
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class FoldWork:
    """What the folds of a step share.

    Attributes
    ----------
    index
        Rated windows.
    recordings
        Windows of all recordings, without labels.
    signals
        Names of the inputs.
    folds
        Who is tested in which fold.
    settings
        Section `atypicality`.
    store
        Where folds are written.
    """

    index: WindowIndex
    recordings: WindowIndex
    signals: tuple[str, ...]
    folds: pd.DataFrame
    settings: AtypicalitySettings
    store: FoldStore


def train_folds(work: FoldWork, *, progress: Reporter = silent) -> dict[str, list[StoredFold]]:
    """All folds of all networks: read where they were finished before, else trained and written one by one.

    Parameters
    ----------
    work
        Windows, folds, settings and store.
    progress
        Told of epochs.

    Returns
    -------
    dict
        Network -> its folds, in order.

    Raises
    ------
    OutputError
        If a process ended without a word, or a fold cannot be read back.
    """
    wanted: list[Job] = [(kind, *pair) for kind in work.settings.models for pair in list_folds(work.folds)]
    missing = [job for job in wanted if work.store.read(*job) is None]
    tally = _Tally(progress, wanted, missing, work.settings)
    n_workers = count_workers(len(missing), work.settings)
    if n_workers <= 1:
        with one_thread():
            for job in missing:
                train_fold(work, job, lambda epoch, epochs, job=job: tally.report(job, epoch, epochs))  # type: ignore[misc]
                tally.finish(job)
    else:
        _train_side_by_side(work, missing, tally, n_workers)
    found: dict[str, list[StoredFold]] = {kind: [] for kind in work.settings.models}
    for job in wanted:
        fold = work.store.read(*job)
        if fold is None:
            raise OutputError(f"Expected the fold {work.store.path(*job).name} as it was written. Run again.")
        found[job[0]].append(fold)
    return found


def train_fold(work: FoldWork, job: Job, report: Report | None = None) -> None:
    """Train, test and explain one fold, and write it."""
    kind, repeat, fold = job
    settings, device = work.settings, choose_device(work.settings)
    others = set(list_folds(work.folds)) - {(repeat, fold)}
    results = cross_validate(
        kind,
        work.index,
        work.folds[list(FOLD_COLUMNS)],
        protocol=settings.protocol,
        recipe=make_recipe(settings),
        seed=settings.seed,
        device=device,
        skip=others,
        on_epoch=report,
    )
    result = next(results)
    # the BiLSTM as published draws its states at every forward
    with seeded(torch.device(device), settings.seed, repeat, fold):
        work.store.write(result, explain_fold(work, result, device))


def explain_fold(work: FoldWork, result: FoldResult, device: str) -> Explanation:
    """Importance of units and moments in a fold, and its predictions of whole recordings.

    The recordings are those of the tested participants, and of all who were not rated: no network has seen these.
    """
    index, settings = label_windows(work.index, work.settings), work.settings
    people = index.provenance["participant_id"].to_numpy(dtype=object)
    data = WindowData.place(index.signals, index.starts, index.labels, length=index.length, device=device)
    rng = np.random.default_rng([settings.seed, result.repeat, result.fold])
    rows = draw_rows(result.rows, settings.explained_windows, rng)
    importance = permute_signals(
        result.network,
        data,
        rows,
        people[rows],
        work.signals,
        n_permutations=settings.permutations,
        seed=settings.seed,
    )
    reference = draw_rows(find_rows(people, list(result.training)), settings.explained_windows, rng)
    occlusion = occlude_time(result.network, data, rows, people[rows], reference=reference)
    whole = work.recordings
    owners = whole.provenance["participant_id"].to_numpy(dtype=object)
    unseen = set(result.tested) | (set(owners) - set(people))
    track_rows = find_rows(owners, sorted(unseen))
    tracked = WindowData.place(whole.signals, whole.starts, np.zeros(len(whole)), length=whole.length, device=device)
    return Explanation(importance, occlusion, track_rows, predict(result.network, tracked, track_rows))


def draw_rows(rows: npt.NDArray[np.intp], most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """`most` of the rows at random, in order; all where there are no more or `most` is 0."""
    return rows if not most or len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def label_windows(index: WindowIndex, settings: AtypicalitySettings) -> WindowIndex:
    """The windows with the labels of the protocol: cut to whole numbers as published."""
    return index if settings.protocol == "sound" else replace(index, labels=np.floor(index.labels))


def make_recipe(settings: AtypicalitySettings) -> SequenceRecipe:
    """Training recipe of the settings."""
    base = SOUND if settings.protocol == "sound" else PUBLISHED
    return replace(
        base,
        learning_rates=settings.learning_rates or base.learning_rates,
        epochs=settings.epochs,
        windows_per_epoch=settings.windows_per_epoch or None,
    )


def choose_device(settings: AtypicalitySettings) -> str:
    """Device of the settings; where they leave it open, a GPU if there is one."""
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return settings.device


def count_workers(n_jobs: int, settings: AtypicalitySettings) -> int:
    """Processes for this many folds: as many as the settings say, or as cores, memory and device allow."""
    on_gpu = choose_device(settings).startswith("cuda")
    asked = settings.workers or (WORKERS_ON_GPU if on_gpu else min(os.cpu_count() or 1, MOST_WORKERS))
    return max(1, min(asked, n_jobs, int(psutil.virtual_memory().available) // BYTES_PER_WORKER))


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch: sums over several would end in other digits than those of a fold in a process of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Tally:
    """Adds up the epochs of all folds of a network, whichever process they are in."""

    def __init__(
        self, progress: Reporter, wanted: Sequence[Job], missing: Sequence[Job], settings: AtypicalitySettings
    ) -> None:
        self._progress = progress
        self._epochs = len(make_recipe(settings).learning_rates) * settings.epochs
        self._done = {job: 0 if job in set(missing) else self._epochs for job in wanted}

    def report(self, job: Job, epoch: int, epochs: int) -> None:
        """`epoch` of `epochs` of a fold are done."""
        before, self._done[job] = self._done[job], round(epoch / epochs * self._epochs)
        if self._done[job] != before:
            own = [done for other, done in self._done.items() if other[0] == job[0]]
            self._progress(f"atypicality {job[0]}", sum(own), self._epochs * len(own))

    def finish(self, job: Job) -> None:
        """A fold is done, perhaps before its last epoch."""
        self.report(job, 1, 1)


def _train_side_by_side(work: FoldWork, jobs: Sequence[Job], tally: _Tally, n_workers: int) -> None:
    context = multiprocessing.get_context("spawn")
    said, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(n_workers, context, initializer=_start_worker, initargs=(work, said, stop)) as pool:
        waiting: dict[Future[None], Job] = {pool.submit(_train_in_worker, job): job for job in jobs}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for job, epoch, epochs in _drain(said):
                    tally.report(job, epoch, epochs)
                for future in done:
                    future.result()
                    tally.finish(waiting.pop(future))
        except BrokenProcessPool as error:
            raise OutputError(
                f"Expected {n_workers} processes to train folds, but one was ended, as happens for lack of memory. Set "
                "atypicality.workers lower and run again; finished folds are kept."
            ) from error
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _drain(said: Any) -> Iterator[tuple[Job, int, int]]:
    while True:
        try:
            yield said.get_nowait()
        except queue.Empty:
            return


_shared: dict[str, Any] = {}
"""What a worker process was started with."""


def _start_worker(work: FoldWork, said: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C reaches all processes; the parent tells its workers itself
    torch.set_num_threads(1)
    _shared.update(work=work, said=said)
    threading.Thread(target=_leave_when_told, args=(stop,), daemon=True).start()


def _leave_when_told(stop: Any) -> None:
    """End this process in the middle of a fold when the run is interrupted, or its parent is gone, killed perhaps."""
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive():
        if stop.wait(1.0):
            break
    os._exit(1)  # folds are written atomically: nothing half-done stays


def _train_in_worker(job: Job) -> None:
    train_fold(_shared["work"], job, lambda epoch, epochs: _shared["said"].put((job, epoch, epochs)))
