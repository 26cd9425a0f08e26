"""Batches of training crops: which faces make a batch, and preparing them beside the training.

Order and augmentation of a batch depend on the seed, the epoch and the number of the batch alone. So a training that resumes in
the middle of an epoch sees what it would have seen, whatever the number of processes that prepare batches.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from features.attributes.augmentation import Augmentation, augment
from features.attributes.crop_data import CropArray
from features.attributes.labels import AttributeLabels
from features.attributes.losses import LabelBatch
from features.attributes.recipe import Phase, TrainingRecipe

_BATCHES_AHEAD = 2  # of each worker


@dataclass(frozen=True, slots=True)
class CropData:
    """Aligned crops and their labels.

    Attributes
    ----------
    crops
        Shape (n, S, S, 3), uint8, RGB: an array, may be mapped from a file, or another object that is read by integer arrays.
    labels
        Of the n crops.
    people
        Shape (n,): who each face is, where that is known; intervals of an evaluation then resample people.
    """

    crops: CropArray
    labels: AttributeLabels
    people: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        shape = self.crops.shape
        if len(shape) != 4 or shape[3] != 3 or shape[1] != shape[2] or self.crops.dtype != np.uint8:
            raise ValueError(f"Expected uint8 crops of shape (n, S, S, 3), got {self.crops.dtype} of shape {shape}.")
        if shape[0] != len(self.labels) or shape[0] < 2:
            raise ValueError(f"Expected two crops or more and as many labels, got {shape[0]} and {len(self.labels)}.")
        if self.people is not None and len(self.people) != shape[0]:
            raise ValueError(f"Expected a person for each of {shape[0]} crops, got {len(self.people)}.")

    def __len__(self) -> int:
        return len(self.labels)


class Batch(NamedTuple):
    """Faces and labels of one step; images are network input (n, 3, size, size) or, before `finish`, still pixels."""

    images: torch.Tensor
    expression: torch.Tensor
    valence: torch.Tensor
    arousal: torch.Tensor
    aus: torch.Tensor

    def labels_on(self, device: torch.device) -> LabelBatch:
        """The labels on a device."""
        expression, valence, arousal, aus = (part.to(device, non_blocking=True) for part in self[1:])
        return LabelBatch(expression=expression, valence=valence, arousal=arousal, aus=aus)


class EpochBatches(Dataset[Batch]):
    """The batches of one epoch, by their number.

    Parameters
    ----------
    data
        All training crops.
    phase
        Input size, batch size and faces an epoch.
    augmentation
        Changes of the crops.
    seed, epoch
        Decide order and changes.
    among
        Rows of the crops that batches are made of; None for all.
    on_device
        Whether crops are changed on the device of the network, after they were carried there as bytes, rather than here.
    """

    def __init__(
        self,
        data: CropData,
        phase: Phase,
        augmentation: Augmentation,
        *,
        seed: int,
        epoch: int,
        among: npt.NDArray[np.intp] | None = None,
        on_device: bool = False,
    ) -> None:
        self.data, self.phase, self.augmentation, self.on_device = data, phase, augmentation, on_device
        self.seed, self.epoch = seed, epoch
        rows = np.arange(len(data)) if among is None else among
        order = np.random.default_rng(derive_seed(seed, epoch)).permutation(rows)
        self.rows = [np.sort(order[part]) for part in self.plan(phase, len(rows))]

    @staticmethod
    def plan(phase: Phase, available: int) -> list[slice]:
        """Where the batches of an epoch lie in its order of images."""
        n = phase.images_of(available)
        parts = [slice(start, min(start + phase.batch_size, n)) for start in range(0, n, phase.batch_size)]
        if parts[-1].stop - parts[-1].start < 2:  # normalisation over one face of 1x1 pixel has no variance
            parts.pop()
        return parts

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Batch:
        rows = self.rows[number]
        labels = LabelBatch.from_labels(self.data.labels.take(rows))
        pixels = torch.from_numpy(np.require(self.data.crops[rows], requirements=["C", "W"]))
        images = pixels
        if not self.on_device:
            with _one_thread():  # as in a worker process: sums over threads differ in their last digit
                images = self._change(pixels, number)
        return Batch(images, labels.expression, labels.valence, labels.arousal, labels.aus)

    def finish(self, batch: Batch, number: int, device: torch.device) -> Batch:
        """The batch with its images on a device, changed there if they were not yet."""
        images = batch.images.to(device, non_blocking=True)
        return batch._replace(images=self._change(images, number) if self.on_device else images)

    def _change(self, pixels: torch.Tensor, number: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch, number))
        images = pixels.permute(0, 3, 1, 2).to(dtype=torch.float32, memory_format=torch.channels_last).div_(255.0)
        return augment(images, self.augmentation, size=self.phase.input_size, generator=generator)


class TrainingBatches(Dataset[Batch]):
    """The batches of a whole training, by epoch and number.

    Parameters
    ----------
    data, among, on_device
        As of `EpochBatches`.
    recipe
        Phases, augmentation and seed.
    """

    def __init__(
        self,
        data: CropData,
        recipe: TrainingRecipe,
        *,
        among: npt.NDArray[np.intp] | None = None,
        on_device: bool = False,
    ) -> None:
        self.data, self.recipe, self.among, self.on_device = data, recipe, among, on_device
        self._planned: EpochBatches | None = None

    def of_epoch(self, epoch: int) -> EpochBatches:
        """The batches of one epoch."""
        if self._planned is None or self._planned.epoch != epoch:
            self._planned = EpochBatches(
                self.data,
                self.recipe.phase_of(epoch),
                self.recipe.augmentation,
                seed=self.recipe.seed,
                epoch=epoch,
                among=self.among,
                on_device=self.on_device,
            )
        return self._planned

    def __getitem__(self, place: tuple[int, int]) -> Batch:
        epoch, number = place
        return self.of_epoch(epoch)[number]

    def places_from(self, epoch: int, number: int) -> Iterator[tuple[int, int]]:
        """Epoch and number of every batch from one on, to the end of the training."""
        for later in range(epoch, self.recipe.n_epochs):
            count = len(EpochBatches.plan(self.recipe.phase_of(later), self._n_images))
            yield from ((later, i) for i in range(number if later == epoch else 0, count))

    @property
    def _n_images(self) -> int:
        return len(self.data) if self.among is None else len(self.among)


def load_batches(
    batches: TrainingBatches, *, epoch: int = 0, number: int = 0, workers: int = 0, pin: bool = False
) -> Iterator[Batch]:
    """Prepare the batches of a training in their order.

    Parameters
    ----------
    batches
        Of the training.
    epoch, number
        The batch to begin with.
    workers
        Processes that prepare batches ahead, from one epoch into the next; 0 prepares each when it is asked for.
    pin
        Whether batches lie in page-locked memory, from which a GPU takes them faster.

    Yields
    ------
    Batch
    """
    yield from DataLoader(
        batches,
        batch_size=None,
        sampler=batches.places_from(epoch, number),
        num_workers=workers,
        prefetch_factor=_BATCHES_AHEAD if workers else None,
        collate_fn=_as_it_is,
        pin_memory=pin,
        worker_init_fn=_leave_interrupts_to_the_training,
        generator=torch.Generator(),  # else it would draw from the one of the training
        multiprocessing_context="spawn" if workers else None,  # a fork would inherit the locks of other threads
    )


def derive_seed(*parts: int) -> int:
    """A seed of its own for each combination of whole numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _as_it_is(batch: Any) -> Any:  # with batch_size=None the loader hands over what the data set gave
    return batch


def _leave_interrupts_to_the_training(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
