"""Crops in several arrays, read as one."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.attributes.crop_data import JoinedCrops
from features.attributes.labels import AttributeLabels
from features.attributes.training import CropData


def make_parts(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (n, 2, 2, 3), dtype=np.uint8) for n in lengths]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.data())
def test_rows_are_those_of_the_concatenated_parts(lengths: list[int], data: st.DataObject) -> None:
    parts = make_parts(*lengths)
    whole = np.concatenate(parts)
    joined = JoinedCrops(parts)
    assert joined.shape == whole.shape
    if len(whole):
        rows = np.array(data.draw(st.lists(st.integers(-len(whole), len(whole) - 1), max_size=8)), dtype=np.intp)
        np.testing.assert_array_equal(joined[rows], whole[rows])
    begin, end = sorted((data.draw(st.integers(0, 10)), data.draw(st.integers(0, 10))))
    np.testing.assert_array_equal(joined[begin:end], whole[begin:end])


def test_chosen_rows_and_joined_views_nest() -> None:
    first, second = make_parts(4, 3), make_parts(5)
    a = JoinedCrops(first).take(np.array([6, 0, 3]))
    b = JoinedCrops(second, np.array([4, 4, 1]))
    got = JoinedCrops.join([a, b])
    whole = np.concatenate([np.concatenate(first)[[6, 0, 3]], second[0][[4, 4, 1]]])
    np.testing.assert_array_equal(got[:], whole)
    np.testing.assert_array_equal(got.take(np.array([5, 1]))[np.array([1, 0])], whole[[1, 5]])


def test_what_is_read_may_be_written_to() -> None:
    parts = make_parts(3)
    crops = JoinedCrops(parts)[np.array([1])]
    crops[:] = 0
    assert parts[0][1].any()


def test_mapped_parts_travel_to_other_processes_by_name(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "crops.npy", values)
    joined = JoinedCrops([np.load(tmp_path / "crops.npy", mmap_mode="r"), values[:1]], np.array([50, 7, 3]))
    packed = pickle.dumps(joined)
    assert len(packed) < 5000
    np.testing.assert_array_equal(pickle.loads(packed)[:], values[[0, 7, 3]])  # noqa: S301


def test_training_takes_them() -> None:
    n = 4
    unknown = np.full(n, np.nan, dtype=np.float32)
    labels = AttributeLabels(np.zeros(n, dtype=np.int64), unknown, unknown, np.empty((n, 0), dtype=np.float32))
    assert len(CropData(JoinedCrops(make_parts(1, 3)), labels)) == n
    with pytest.raises(ValueError, match="as many labels, got 3 and 4"):
        CropData(JoinedCrops(make_parts(3)), labels)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="got none"):
        JoinedCrops([])
    with pytest.raises(ValueError, match="one shape"):
        JoinedCrops([*make_parts(1), np.zeros((1, 3, 3, 3), dtype=np.uint8)])
    with pytest.raises(ValueError, match="one shape"):
        JoinedCrops([np.zeros((1, 2, 2, 3), dtype=np.float32)])
    with pytest.raises(ValueError, match="rows from 0 to 2, got 1 to 3"):
        JoinedCrops(make_parts(3), np.array([1, 3]))
