"""The viewpoint augmentation does what its parameters say, to each image its own, the same for the same seed."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from dynaconv.data import ViewpointAugmentation, Viewpoints
from dynaconv.errors import ArgumentError, MissingExtraError, ShapeError

AUGMENTATION = ViewpointAugmentation()
SMOOTH = ViewpointAugmentation(interpolation="bilinear")
STILL = Viewpoints.identity(4)
YES = torch.ones(4, dtype=torch.bool)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def apply(images: Tensor, augmentation: ViewpointAugmentation = AUGMENTATION, **changed: Tensor) -> Tensor:
    return augmentation.apply(images, replace(STILL, **changed))


def test_identity(images: Tensor) -> None:
    assert_same(apply(images), images)
    assert_same(apply(images[..., :11]), images[..., :11])


@pytest.mark.parametrize("turns", [-2, -1, 1, 2])
def test_quarter_turns_equal_rot90(turns: int, images: Tensor) -> None:
    assert_same(apply(images, angle=torch.full((4,), 90.0 * turns)), torch.rot90(images, turns, (2, 3)))


def test_flips(images: Tensor) -> None:
    oblong = images[..., :11]
    assert_same(apply(oblong, flip_x=YES), torch.flip(oblong, (3,)))
    assert_same(apply(oblong, flip_y=YES), torch.flip(oblong, (2,)))
    assert_same(apply(oblong, flip_x=YES, flip_y=YES), torch.flip(oblong, (2, 3)))


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, -2), (-4, 4), (1, 0)])
def test_shift_equals_a_crop_of_the_padded_image(right: int, down: int, images: Tensor) -> None:
    padded = torch.nn.functional.pad(images, (4,) * 4)
    crop = padded[..., 4 - down : 20 - down, 4 - right : 20 - right]
    assert_same(apply(images, shift=torch.tensor([[right, down]] * 4).float()), crop)


def test_shift_follows_the_flip(images: Tensor) -> None:
    shifted = apply(images.flip(3), shift=torch.tensor([[2.0, 0.0]] * 4))
    assert_same(apply(images, flip_x=YES, shift=torch.tensor([[2.0, 0.0]] * 4)), shifted)


def test_scale_magnifies_about_the_centre() -> None:
    x = torch.zeros(4, 1, 15, 15)
    x[..., 5:10, 5:10] = 1
    assert apply(x, SMOOTH, scale=torch.full((4,), 2.0)).sum() > 3.5 * x.sum()
    assert apply(x, SMOOTH, scale=torch.full((4,), 0.5)).sum() < 0.4 * x.sum()
    assert apply(x, scale=torch.full((4,), 2.0))[0, 0, 7, 7] == 1


def test_shear_moves_rows_by_their_height() -> None:
    x = torch.zeros(4, 1, 21, 21)
    x[..., 10] = 1
    y = apply(x, shear=torch.tensor([[45.0, 0.0]] * 4))
    assert_same(y[0, 0], torch.eye(21).flip(1))


def test_outside_is_zero() -> None:
    y = apply(torch.ones(4, 1, 16, 16), angle=torch.full((4,), 45.0))
    assert y[0, 0, 0, 0] == 0
    assert y[0, 0, 8, 8] == pytest.approx(1)


def test_every_image_has_its_own_parameters(images: Tensor) -> None:
    same = images[:1].expand(4, -1, -1, -1)
    views = AUGMENTATION.sample(4, 0)
    seen = AUGMENTATION.apply(same, views)
    for i in range(4):
        assert_same(AUGMENTATION.apply(same[:1], views[i : i + 1]), seen[i : i + 1])
        assert not any(torch.allclose(seen[i], seen[j], atol=0.05) for j in range(i))


def test_same_seed_same_views(images: Tensor) -> None:
    first, again, other = (AUGMENTATION.sample(100, seed) for seed in (7, 7, 8))
    torch.manual_seed(123)
    assert all(torch.equal(getattr(first, f.name), getattr(again, f.name)) for f in fields(first))
    assert not any(torch.equal(getattr(first, f.name), getattr(other, f.name)) for f in fields(first))
    assert torch.equal(AUGMENTATION(images, seed=3), AUGMENTATION(images, seed=3))
    state = torch.get_rng_state()
    AUGMENTATION(images, seed=3)
    assert torch.equal(torch.get_rng_state(), state)


def test_views_do_not_depend_on_the_batch_size() -> None:
    x = torch.rand(37, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    views = AUGMENTATION.sample(37, 5)
    whole = AUGMENTATION.apply(x, views)
    parts = [AUGMENTATION.apply(x[i : i + 8], views[i : i + 8]) for i in range(0, 37, 8)]
    assert_same(torch.cat(parts), whole)
    order = torch.randperm(37, generator=torch.Generator().manual_seed(2))
    assert_same(AUGMENTATION.apply(x[order], views[order]), whole[order])


def test_ranges_and_frequencies_of_the_parameters() -> None:
    views = AUGMENTATION.sample(20_000, 0)
    for flip in (views.flip_x, views.flip_y):
        assert flip.float().mean() == pytest.approx(0.5, abs=0.02)
    assert (views.flip_x & views.flip_y).float().mean() == pytest.approx(0.25, abs=0.02)
    for column in views.shift.unbind(1):
        assert column.unique().tolist() == list(range(-4, 5))
        assert column.add(4).long().bincount().float().div(20_000).sub(1 / 9).abs().max() < 0.015
    for values, least, most in (
        (views.angle, -180, 180),
        (views.scale, 0.8, 1.2),
        (views.shear[:, 0], -20, 20),
        (views.shear[:, 1], -20, 20),
    ):
        assert values.min() >= least
        assert values.max() <= most
        quarters = torch.histc(values, 4, least, most) / 20_000
        assert (quarters - 0.25).abs().max() < 0.02
    joint = torch.stack([views.angle, views.scale, *views.shear.unbind(1), *views.shift.unbind(1)])
    assert (torch.corrcoef(joint) - torch.eye(6)).abs().max() < 0.04


def test_augmentation_that_does_nothing(images: Tensor) -> None:
    nothing = ViewpointAugmentation(degrees=0, scale=(1, 1), shear=0, crop_padding=0, flips=False)
    assert_same(nothing(images, seed=0), images)


def test_same_matrix_as_kornias_random_affine(images: Tensor) -> None:
    from kornia.augmentation import RandomAffine

    angle, scale, shear = torch.tensor([-30.0, 10, 170, 90]), torch.tensor([0.8, 1, 1.2, 1.1]), torch.full((4, 2), 15.0)
    parameters = {
        "batch_prob": torch.ones(4),
        "translations": torch.zeros(4, 2),
        "center": torch.full((4, 2), 7.5),
        "scale": scale[:, None].expand(4, 2),
        "angle": -angle,
        "shear_x": shear[:, 0],
        "shear_y": shear[:, 1],
        "forward_input_shape": torch.tensor(images.shape),
    }
    theirs = RandomAffine(180.0, align_corners=True, p=1.0)(images, params=parameters)
    assert_same(apply(images, SMOOTH, angle=angle, scale=scale, shear=shear), theirs)


def test_images_stay_as_sharp_as_they_are(images: Tensor) -> None:
    levels = (images * 4).round() / 4
    assert set(AUGMENTATION(levels, seed=3).unique().tolist()) <= {0, 0.25, 0.5, 0.75, 1}
    assert len(SMOOTH(levels, seed=3).unique()) > 100


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_type_is_kept(dtype: torch.dtype, images: Tensor) -> None:
    y = AUGMENTATION(images.to(dtype), seed=1)
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), AUGMENTATION(images, seed=1), atol=1e-2, rtol=0)


def test_autocast_does_not_move_pixels(images: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        seen = AUGMENTATION(images, seed=1)
    assert torch.equal(seen, AUGMENTATION(images, seed=1))


def test_channels_last_and_empty_batch(images: Tensor) -> None:
    assert_same(AUGMENTATION(images.to(memory_format=torch.channels_last), seed=2), AUGMENTATION(images, seed=2))
    assert AUGMENTATION(images[:0], seed=0).shape == (0, 3, 16, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degrees": 200}, "degrees=200: expected a number from 0 to 180"),
        ({"degrees": float("nan")}, "degrees=nan: expected a number from 0 to 180"),
        ({"scale": (1.2, 0.8)}, r"scale=\(1.2, 0.8\): expected \(least, most\) with 0 < least <= most"),
        ({"scale": (0.0, 1.0)}, r"scale=\(0.0, 1.0\)"),
        ({"scale": (1.0,)}, r"scale=\(1.0,\)"),
        ({"shear": -1}, "shear=-1: expected a number from 0 to 80"),
        ({"crop_padding": -1}, "crop_padding=-1: expected an integer >= 0"),
        ({"crop_padding": 1.5}, "crop_padding=1.5: expected an integer >= 0"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ViewpointAugmentation(**options)


def test_bad_calls(images: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"x=\(3, 16, 16\): expected \(B, C, H, W\)"):
        AUGMENTATION(images[0], seed=0)
    with pytest.raises(ArgumentError, match=r"x=torch.uint8: expected a floating-point tensor"):
        AUGMENTATION(images.byte(), seed=0)
    with pytest.raises(ArgumentError, match="views=3: expected 4 views, one per image"):
        AUGMENTATION.apply(images, AUGMENTATION.sample(3, 0))
    with pytest.raises(ArgumentError, match="seed=-1: expected an integer from 0"):
        AUGMENTATION.sample(3, -1)
    with pytest.raises(ArgumentError, match="count=-3: expected an integer >= 0"):
        AUGMENTATION.sample(-3, 0)


def test_without_kornia(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kornia.geometry.transform", None)
    with pytest.raises(MissingExtraError, match=r"kornia is not installed; .*'dynaconv\[train\]'"):
        AUGMENTATION(images, seed=0)
