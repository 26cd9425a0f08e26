"""Splits by hash: stable, in proportion, and never empty where there are enough groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.attribute_data.splits import AFFECTNET_SHARES, EMOTIONET_SHARES, Shares, split_by_hash


def test_shares_are_those_of_the_paper() -> None:
    # Li et al. (2019), section 4.1: AffectNet 285K + 2.4K of the training set; EmotioNet 754K, 63K, 126K.
    assert pytest.approx((0.00835, 0.0), abs=1e-5) == tuple(AFFECTNET_SHARES)
    assert pytest.approx((0.06681, 0.13362), abs=1e-5) == tuple(EMOTIONET_SHARES)


@pytest.mark.parametrize("shares", [AFFECTNET_SHARES, EMOTIONET_SHARES])
def test_proportions_of_many_images(shares: Shares) -> None:
    n = 50_000
    split = split_by_hash([f"{number}.jpg" for number in range(n)], shares)
    for name, share in (("validation", shares.validation), ("test", shares.test)):
        assert abs((split == name).mean() - share) < 4 * np.sqrt(share * (1 - share) / n) + 1e-12


def test_the_split_of_a_name_is_the_same_everywhere() -> None:
    """Pinned: another split of the same data would make figures of different versions incomparable."""
    names = [f"image-{number}" for number in range(20)]
    split = split_by_hash(names, EMOTIONET_SHARES)
    assert [n for n, s in zip(names, split, strict=True) if s == "test"] == ["image-4", "image-19"]
    assert split_by_hash([*names[::-1], "another"], EMOTIONET_SHARES)[:20].tolist() == split[::-1].tolist()


@settings(max_examples=40)
@given(st.lists(st.text(max_size=4), max_size=30))
def test_groups_stay_together_and_no_split_is_empty(groups: list[str]) -> None:
    split = split_by_hash(groups, EMOTIONET_SHARES)
    assert len(split) == len(groups)
    for group in set(groups):
        assert len({s for g, s in zip(groups, split, strict=True) if g == group}) == 1
    if len(set(groups)) >= 3:
        assert set(split) == {"train", "validation", "test"}


def test_affectnet_keeps_training_and_validation_only() -> None:
    assert set(split_by_hash(["a", "b"], AFFECTNET_SHARES)) == {"train", "validation"}
