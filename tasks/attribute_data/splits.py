"""Which images train, which validate and which test: settled by a hash, so that it is the same on every machine and day."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
SPLITS: Final = (TRAIN, VALIDATION, TEST)


class Shares(NamedTuple):
    """Fractions that validate and test; the rest trains."""

    validation: float
    test: float


AFFECTNET_SHARES: Final = Shares(validation=2.4 / (285 + 2.4), test=0.0)
"""Of AffectNet's training images, those that Li et al. (2019) kept back for validation."""

EMOTIONET_SHARES: Final = Shares(validation=63 / (754 + 63 + 126), test=126 / (754 + 63 + 126))
"""Proportions of EmotioNet in Li et al. (2019); which images were in which part is not published."""


def split_by_hash(groups: Sequence[str], shares: Shares) -> npt.NDArray[np.str_]:
    """Assign groups of images to splits; images of one group stay together.

    The hash of a group's name alone decides, so a group stays where it is when others come and go, and the same participant is in
    the same split in every data set. Where chance leaves validation or test empty though there are enough groups, the groups with
    the lowest hashes go there.

    Parameters
    ----------
    groups
        Group of each of n images: the participant, or the image itself.
    shares
        Fractions of the groups.

    Returns
    -------
    ndarray, shape (n,), str
    """
    of_image, names = pd.factorize(np.asarray(groups, dtype=object))
    draws = np.array([_draw(str(name)) for name in names])
    split = np.full(len(names), TRAIN, dtype="U10")
    split[draws < shares.validation + shares.test] = VALIDATION
    split[draws < shares.test] = TEST
    wanted = [name for name, share in ((TEST, shares.test), (VALIDATION, shares.validation), (TRAIN, 1.0)) if share]
    for name in wanted:
        if len(names) >= len(wanted) and not (split == name).any():
            richest = max(wanted, key=lambda other: int((split == other).sum()))
            candidates = np.flatnonzero(split == richest)
            split[candidates[np.argmin(draws[candidates])]] = name
    return split[of_image]


def _draw(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
