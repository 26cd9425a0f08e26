"""Augmentation of batches: what must not change, and each change by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from features.attributes.augmentation import (
    PUBLISHED_AUGMENTATION,
    Augmentation,
    _dct_basis,
    _draw_windows,
    augment,
    resize,
)

NOTHING = Augmentation(flip=0.0, rotation_deg=0.0, shear_deg=0.0, scale=0.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 3, 64, 64, generator=generator(9))


def only(**amounts: float) -> Augmentation:
    return Augmentation(**{"flip": 0.0, "rotation_deg": 0.0, "shear_deg": 0.0, "scale": 0.0, **amounts})


def test_no_amount_changes_nothing(images: torch.Tensor) -> None:
    torch.testing.assert_close(augment(images, NOTHING, size=64, generator=generator()), images, atol=1e-5, rtol=0)


def test_certain_flip_mirrors(images: torch.Tensor) -> None:
    got = augment(images, only(flip=1.0), size=64, generator=generator())
    torch.testing.assert_close(got, images.flip(3), atol=1e-5, rtol=0)


def test_half_size_is_the_mean_of_four_pixels(images: torch.Tensor) -> None:
    got = augment(images, NOTHING, size=32, generator=generator())
    torch.testing.assert_close(got, torch.nn.functional.avg_pool2d(images, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [32, 48, 64, 96])
def test_size_range_and_memory_order(images: torch.Tensor, size: int) -> None:
    strong = Augmentation(
        aspect=0.1, shift=0.1, brightness=0.5, contrast=0.5, gamma=0.5, colour=0.3, noise=0.2, blur=0.5, compression=0.5
    )
    got = augment(images, strong, size=size, generator=generator())
    assert got.shape == (6, 3, size, size)
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert got.min() >= 0
    assert got.max() <= 1


def test_a_seed_repeats(images: torch.Tensor) -> None:
    first, second, other = (
        augment(images, PUBLISHED_AUGMENTATION, size=64, generator=generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_images_are_changed_independently() -> None:
    same = torch.rand(1, 3, 64, 64, generator=generator()).expand(4, 3, 64, 64)
    got = augment(same, only(rotation_deg=20.0), size=64, generator=generator())
    assert len({float(image.sum()) for image in got}) == 4


def test_rotation_keeps_shapes() -> None:
    """A centred disc stays where it is under rotation, and shrinks or grows with the scale alone."""
    axis = torch.linspace(-1, 1, 64)
    disc = ((axis[:, None] ** 2 + axis[None, :] ** 2) < 0.25).float().expand(8, 3, 64, 64)
    turned = augment(disc, only(rotation_deg=45.0), size=64, generator=generator())
    assert (turned - disc).abs().mean() < 0.01
    areas = augment(disc, only(scale=0.2), size=64, generator=generator())[:, 0].mean(dim=(1, 2)) / disc[0, 0].mean()
    assert areas.min() > 0.8**2 - 0.02
    assert areas.max() < 1.2**2 + 0.02
    assert areas.std() > 0.05


def test_brightness_scales_about_black_and_contrast_about_the_mean() -> None:
    grey = torch.full((8, 3, 32, 32), 0.5)
    assert augment(grey, only(contrast=0.5), size=32, generator=generator()).std() < 1e-6
    levels = augment(grey, only(brightness=0.2), size=32, generator=generator()).mean(dim=(1, 2, 3))
    assert ((levels >= 0.4 - 1e-6) & (levels <= 0.6 + 1e-6)).all()
    assert levels.std() > 0.02


def test_dct_basis_is_orthonormal_and_that_of_scipy() -> None:
    basis = _dct_basis().numpy()
    np.testing.assert_allclose(basis @ basis.T, np.eye(8), atol=1e-6)
    block = np.random.default_rng(0).normal(size=(8, 8))
    np.testing.assert_allclose(basis @ block @ basis.T, dctn(block, norm="ortho"), atol=1e-5)  # float32 basis


def test_compression_changes_a_little(images: torch.Tensor) -> None:
    smooth = torch.nn.functional.avg_pool2d(images, 9, stride=1, padding=4, count_include_pad=False)
    error = (augment(smooth, only(compression=1.0), size=64, generator=generator()) - smooth).abs()
    assert 0 < error.mean() < 0.03


def test_compression_needs_whole_blocks(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="multiple of 8 for compression, got 50x50"):
        augment(images, only(compression=1.0), size=50, generator=generator())


def test_blur_takes_detail_away(images: torch.Tensor) -> None:
    assert augment(images, only(blur=1.0), size=64, generator=generator()).std() < 0.8 * images.std()


def test_resize_to_the_same_size_is_the_identity(images: torch.Tensor) -> None:
    assert resize(images, 64) is images
    assert resize(images, 32).shape == (6, 3, 32, 32)


@pytest.mark.parametrize(("name", "value"), [("noise", -0.1), ("flip", 1.5)])
def test_impossible_amounts_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"Expected {name} to be 0 or more"):
        Augmentation(**{name: value})


def published(**amounts: float) -> Augmentation:
    return Augmentation(
        geometry="torchvision", **{"flip": 0.0, "rotation_deg": 0.0, "shear_deg": 0.0, "scale": 0.0, **amounts}
    )


def test_published_geometry_without_amounts_changes_nothing(images: torch.Tensor) -> None:
    torch.testing.assert_close(augment(images, published(), size=64, generator=generator()), images, atol=1e-5, rtol=0)


def test_published_flip_mirrors(images: torch.Tensor) -> None:
    got = augment(images, published(flip=1.0), size=64, generator=generator())
    torch.testing.assert_close(got, images.flip(3), atol=1e-5, rtol=0)


def test_published_shear_moves_rows_along_x_only_and_fills_with_black() -> None:
    """A shear by s degrees moves the row at height y by -tan(s) * y along x, so every row keeps its content and the middle stays."""
    column = torch.zeros(16, 3, 65, 65)
    column[..., 32] = 1.0
    got = augment(column, published(shear_deg=20.0), size=65, generator=generator())[:, 0]
    torch.testing.assert_close(got.sum(dim=2), torch.ones(16, 65), atol=1e-4, rtol=0)
    torch.testing.assert_close(got[:, 32, 32], torch.ones(16), atol=1e-4, rtol=0)
    places = (got * torch.arange(65.0)).sum(dim=2)
    slopes = (places[:, -1] - places[:, 0]) / 64
    heights = torch.arange(65.0) - 32
    torch.testing.assert_close(places, 32 + slopes[:, None] * heights, atol=1e-3, rtol=0)
    limit = np.tan(np.deg2rad(20.0))
    assert slopes.abs().max() <= limit + 1e-4
    assert slopes.abs().max() > 0.5 * limit
    white = augment(torch.ones(8, 3, 64, 64), published(rotation_deg=30.0), size=64, generator=generator())
    assert (white[:, :, 0, 0] < 0.5).all()


def test_published_windows_are_distributed_as_torchvision_draws_them() -> None:
    """RandomResizedCrop draws from the global generator; ours from its own. Share of whole images and mean sides agree."""
    from torchvision.transforms import v2

    n, side = 3000, 224
    windows = torch.tensor(_draw_windows(n, side, 0.1, generator())).double()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        transform, image = v2.RandomResizedCrop(side, scale=(0.9, 1.1)), torch.zeros(1, side, side)
        drawn = [transform.make_params([image]) for _ in range(n)]
    reference = torch.tensor([[p["top"], p["left"], p["height"], p["width"]] for p in drawn]).double()
    error = (windows.var(dim=0) + reference.var(dim=0)).div(n).sqrt()
    assert ((windows.mean(dim=0) - reference.mean(dim=0)).abs() < 4 * error).all()
    whole = [(part[:, 2:] == side).all(dim=1).double().mean() for part in (windows, reference)]
    assert abs(whole[0] - whole[1]) < 4 * np.sqrt(0.5 / n)
    assert (windows[:, 0] + windows[:, 2] <= side).all()
    assert (windows[:, 1] + windows[:, 3] <= side).all()


def test_published_geometry_leaves_the_global_generator_alone(images: torch.Tensor) -> None:
    before = torch.random.get_rng_state()
    augment(images, PUBLISHED_AUGMENTATION, size=48, generator=generator())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_published_geometry_has_no_shift() -> None:
    with pytest.raises(ValueError, match="no aspect or shift"):
        published(shift=0.1)
