"""Which images each batch holds: a pure function of seed, position and rank, so that any batch can be the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler, default_collate

from dynaconv.data import RandomPictures

__all__ = ["Batch", "IndexedImages", "Position", "TestBatches", "TrainBatches", "as_fetched", "step_seed"]

_LARGE_PRIME = 1_000_003

Batch = tuple[Tensor, Tensor, Tensor]  # images (B, C, H, W) uint8, labels (B,), indices (B,)


def step_seed(seed: int, step: int) -> int:
    """A seed for one step of one run."""
    return (seed * _LARGE_PRIME + step + 1) % 2**63


@dataclass
class Position:
    """Where a run stands: `batches` have been trained on since its start."""

    batches: int = 0


class TrainBatches(Sampler[list[int]]):
    """Batches of the training images, from `position` to the end of its epoch.

    An image is named by the number of its appearance, `epoch · images + index`: what is random in it may differ from
    one epoch to the next. Every epoch is a permutation decided by (seed, epoch); incomplete batches are left out. With
    several processes each takes its part of every batch, so that the order does not depend on their number.

    Args:
        images: number of training images.
        batch_size: images per batch over all processes; a multiple of `world_size`.
        seed: decides the order.
        position: read whenever an epoch begins.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(
        self, images: int, batch_size: int, seed: int, position: Position, rank: int = 0, world_size: int = 1
    ) -> None:
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.position = position
        self.rank = rank
        self.share = batch_size // world_size

    def __len__(self) -> int:
        return self.images // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        epoch, offset = divmod(self.position.batches, len(self))
        generator = torch.Generator().manual_seed(step_seed(self.seed, epoch))
        order = epoch * self.images + torch.randperm(self.images, generator=generator)
        for batch in range(offset, len(self)):
            begin = batch * self.batch_size + self.rank * self.share
            yield order[begin : begin + self.share].tolist()


class TestBatches(Sampler[list[int]]):
    """Batches of the test images in order; -1 fills up, so that every process has equally many batches.

    Args:
        images: number of test images.
        batch_size: images per batch and process.
        rank: this process.
        world_size: number of processes.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    def __init__(self, images: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self.images = images
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size

    def __len__(self) -> int:
        return -(-self.images // (self.batch_size * self.world_size))

    def __iter__(self) -> Iterator[list[int]]:
        for batch in range(len(self)):
            begin = (batch * self.world_size + self.rank) * self.batch_size
            indices = list(range(begin, min(begin + self.batch_size, self.images)))
            missing = self.batch_size if self.world_size > 1 else len(indices)
            yield indices + [-1] * (missing - len(indices))


class IndexedImages(Dataset[Any]):
    """A data set whose batches also tell the images' indices; index -1 gives image 0 with label -1, to be ignored.

    Args:
        images: items are (uint8 (C, H, W), label); `__getitems__`, where it has one, gives a whole batch.
        change: what is done to each picture at random, if anything. Whole pictures are changed where `images` has them.
        seed: of the changes; each appearance of an image has its own.
    """

    def __init__(self, images: Dataset[Any], change: RandomPictures | None = None, seed: int = 0) -> None:
        self.images = images
        self.change = change
        self.seed = seed

    def __getitems__(self, numbers: list[int]) -> Batch:
        given = torch.tensor(numbers)
        indices = given.clamp(min=0) % len(self.images)  # type: ignore[arg-type]  # as torch's Dataset
        pixels, labels = default_collate(self._items(indices.tolist(), numbers))
        return pixels, labels.masked_fill(given < 0, -1), indices

    def __getitem__(self, number: int) -> Batch:
        pixels, labels, indices = self.__getitems__([number])
        return pixels[0], labels[0], indices[0]

    def _items(self, indices: list[int], numbers: list[int]) -> list[tuple[Tensor, int]]:
        if self.change is None:
            if hasattr(self.images, "__getitems__"):
                items: list[tuple[Tensor, int]] = self.images.__getitems__(indices)
                return items
            return [self.images[index] for index in indices]
        whole = getattr(self.images, "picture", None) if self.change.resized_crop else None
        pictures = [(whole or self.images.__getitem__)(index) for index in indices]
        return [
            (self.change(picture, step_seed(self.seed, number)), label)
            for (picture, label), number in zip(pictures, numbers, strict=True)
        ]


def as_fetched(batch: Any) -> Any:
    """Collates nothing: `IndexedImages` gives whole batches. (A named function, as loader processes need one.)"""
    return batch
