"""The order of the images: each once per epoch, from any position, in parts of equal size."""

from __future__ import annotations

from itertools import chain

import torch
from small_runs import images

from dynaconv.data import RandomPictures
from dynaconv.train.batches import IndexedImages, Position, TestBatches, TrainBatches


def test_an_epoch_holds_each_image_once_and_epochs_differ() -> None:
    position = Position()
    batches = TrainBatches(12, 4, seed=3, position=position)
    first = list(batches)
    position.batches = 3
    second = list(batches)
    # In the second epoch every image appears under another number.
    assert sorted(chain(*first)) == list(range(12))
    assert sorted(chain(*second)) == list(range(12, 24))
    assert [n % 12 for n in chain(*first)] != [n % 12 for n in chain(*second)]
    assert first == list(TrainBatches(12, 4, seed=3, position=Position()))
    assert first != list(TrainBatches(12, 4, seed=4, position=Position()))


def test_incomplete_batches_are_left_out() -> None:
    batches = TrainBatches(11, 4, seed=0, position=Position())
    assert len(batches) == len(list(batches)) == 2


def test_any_position_continues_the_same_order() -> None:
    whole = list(TrainBatches(20, 4, seed=0, position=Position(5)))
    assert list(TrainBatches(20, 4, seed=0, position=Position(7))) == whole[2:]


def test_processes_share_each_batch() -> None:
    alone = list(TrainBatches(20, 4, seed=0, position=Position()))
    parts = [list(TrainBatches(20, 4, 0, Position(), rank, 2)) for rank in range(2)]
    assert [a + b for a, b in zip(*parts, strict=True)] == alone


def test_test_batches_fill_up_with_ignored_images() -> None:
    parts = [list(TestBatches(7, 2, rank, 2)) for rank in range(2)]
    assert parts == [[[0, 1], [4, 5]], [[2, 3], [6, -1]]]
    assert list(TestBatches(5, 2)) == [[0, 1], [2, 3], [4]]


def test_appearances_are_images() -> None:
    data = images(count=8)
    pixels, labels, indices = IndexedImages(data.train).__getitems__([3, 8 + 3, 5 * 8 + 7])
    assert indices.tolist() == [3, 3, 7]
    assert labels.tolist() == [0, 0, 1]
    assert pixels[0].equal(pixels[1])


def test_each_appearance_is_changed_in_its_own_way() -> None:
    data = images(count=8)
    changed = IndexedImages(data.train, RandomPictures((6, 5)), seed=1)
    pixels, labels, _ = changed.__getitems__([3, 8 + 3])
    assert (pixels.shape, pixels.dtype, labels.tolist()) == ((2, 1, 6, 5), torch.uint8, [0, 0])
    assert not pixels[0].equal(pixels[1])
    state = torch.get_rng_state()
    assert changed.__getitems__([3])[0].equal(pixels[:1])
    assert torch.get_rng_state().equal(state)
    assert not IndexedImages(data.train, RandomPictures((6, 5)), seed=2)[3][0].equal(pixels[0])


def test_filled_up_images_have_label_minus_one() -> None:
    data = images()
    pixels, labels, indices = IndexedImages(data.test).__getitems__([2, -1])
    assert labels.tolist() == [2, -1]
    assert indices.tolist() == [2, 0]
    assert pixels.shape == (2, 1, 8, 8)
