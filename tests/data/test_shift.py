"""Shifted and mirrored images, and random changes of single pictures."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dynaconv.data import RandomPictures, shift_and_mirror
from dynaconv.errors import ArgumentError


def test_every_image_is_cut_out_of_itself_with_a_border() -> None:
    x = torch.rand(64, 3, 5, 7) + 1
    cut, places = shift_and_mirror(x, seed=3, padding=2), set()
    padded = F.pad(x, (2, 2, 2, 2))
    for before, after in zip(padded, cut, strict=True):
        found = [
            (down, right, mirrored)
            for down in range(5)
            for right in range(5)
            for mirrored in (False, True)
            if before[:, down : down + 5, right : right + 7].equal(after.flip(2) if mirrored else after)
        ]
        assert len(found) == 1
        places.add(found[0])
    assert {p[0] for p in places} == {p[1] for p in places} == set(range(5))
    assert {p[2] for p in places} == {False, True}


def test_a_part_of_a_batch_is_treated_as_in_it() -> None:
    x = torch.rand(6, 1, 8, 8)
    whole = shift_and_mirror(x, seed=1)
    assert whole[4:].equal(shift_and_mirror(x[4:], seed=1, first=4))
    assert not whole.equal(shift_and_mirror(x, seed=2))
    assert shift_and_mirror(x[:0], seed=1).shape == (0, 1, 8, 8)


def test_pictures_change_by_seed_alone() -> None:
    picture = torch.randint(0, 256, (1, 20, 30), dtype=torch.uint8)
    erased = RandomPictures((20, 30), resized_crop=False, erasing=1.0)(picture, seed=0)
    assert 0.01 < float((erased != picture).float().mean()) < 0.4
    assert set(erased[erased != picture].tolist()) == {114}
    assert RandomPictures((20, 30), resized_crop=False)(picture, seed=0).equal(picture)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rand_augment": 31}, "rand_augment=31: expected an integer from 0 to 30, or None"),
        ({"erasing": -0.1}, "erasing=-0.1: expected a number from 0 to 1"),
    ],
)
def test_wrong_options_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        RandomPictures((8, 8), **options)
