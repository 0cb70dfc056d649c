"""`ImageData`, what every data set loads to, and `TensorImages`, a data set held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from dynaconv.errors import ArgumentError, ShapeError

__all__ = ["ImageData", "TensorImages", "in_memory"]

_LEVELS = 256
# Images counted at one time: `bincount` takes eight bytes per pixel.
_CHUNK = 1024


class TensorImages(Dataset[tuple[Tensor, int]]):
    """Labelled images in memory; items are `(uint8 tensor (C, H, W), int label)`.

    Args:
        images: (N, C, H, W) uint8.
        labels: (N,) int64.

    Raises:
        ArgumentError: a tensor has another type.
        ShapeError: the shapes do not fit each other.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        if images.dtype != torch.uint8:
            raise ArgumentError("images", images.dtype, "a torch.uint8 tensor")
        if labels.dtype != torch.int64:
            raise ArgumentError("labels", labels.dtype, "a torch.int64 tensor")
        if images.dim() != 4:
            raise ShapeError("images", images.shape, "(N, C, H, W)")
        if labels.shape != images.shape[:1]:
            raise ShapeError("labels", labels.shape, f"({len(images)},), one label per image")
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """The items at `indices`, gathered by one indexing operation; loaders call this once per batch."""
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        return list(zip(self.images[chosen].unbind(), self.labels[chosen].tolist(), strict=True))


@dataclass(frozen=True)
class ImageData:
    """A data set with all that a network needs to know of it.

    Attributes:
        name: as given to `load_data`.
        train: training items, `(uint8 tensor (C, H, W), int label)`.
        test: test items, of the same form.
        classes: the name of each label.
        channels: C.
        image_size: (H, W).
        mean: of the training pixels in [0, 1], per channel.
        std: standard deviation of the training pixels in [0, 1], per channel.
    """

    name: str
    train: Dataset[tuple[Tensor, int]]
    test: Dataset[tuple[Tensor, int]]
    classes: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def in_memory(name: str, train: TensorImages, test: TensorImages, classes: tuple[str, ...]) -> ImageData:
    """`ImageData` of two sets in memory; mean and standard deviation are those of all training pixels."""
    _, channels, height, width = train.images.shape
    mean, std = _pixel_statistics(train.images)
    return ImageData(name, train, test, classes, channels, (height, width), mean, std)


def _pixel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of uint8 `images`, for pixels in [0, 1].

    From the counts of the 256 levels: exact, and without a floating-point copy of the images.
    """
    levels = torch.linspace(0, 1, _LEVELS, dtype=torch.float64)
    counts = torch.zeros(images.shape[1], _LEVELS, dtype=torch.int64)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        for count, pixels in zip(counts, chunk.unbind(1), strict=True):
            count += pixels.reshape(-1).bincount(minlength=_LEVELS)
    shares = counts.to(torch.float64) / counts.sum(1, keepdim=True)
    mean = shares @ levels
    std = (shares * (levels - mean[:, None]).square()).sum(1).sqrt()
    # A constant channel has deviation 0; one level keeps the division by it finite.
    return tuple(mean.tolist()), tuple(std.clamp(min=1 / (_LEVELS - 1)).tolist())
