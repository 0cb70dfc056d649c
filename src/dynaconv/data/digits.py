"""`digits`: the 1,797 scanned digits that come with scikit-learn; needs no download."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.data.extras import sklearn_datasets, sklearn_selection
from dynaconv.data.images import ImageData, TensorImages, in_memory
from dynaconv.data.resize import ImageSize, parse_size, resize_images

__all__ = ["load_digits"]

_BRIGHTEST = 16
_TEST_SHARE = 0.2
_SPLIT_SEED = 0


def load_digits(image_size: ImageSize = None) -> ImageData:
    """The digits, 1 channel, enlarged from 8×8 to `image_size` (default 32); a fixed stratified fifth is for testing.

    Raises:
        ArgumentError: `image_size` is not allowed.
        MissingExtraError: scikit-learn is not installed.
    """
    size = parse_size(image_size, 32)
    source = sklearn_datasets().load_digits()
    labels = torch.as_tensor(source.target, dtype=torch.int64)
    levels = torch.as_tensor(source.images)[:, None] * (255 / _BRIGHTEST)
    images = resize_images(levels.round().to(torch.uint8), size)
    train, test = sklearn_selection().train_test_split(
        range(len(labels)), test_size=_TEST_SHARE, stratify=source.target, random_state=_SPLIT_SEED
    )
    classes = tuple(str(digit) for digit in range(10))
    return in_memory("digits", _part(images, labels, train), _part(images, labels, test), classes)


def _part(images: Tensor, labels: Tensor, indices: list[int]) -> TensorImages:
    return TensorImages(images[indices], labels[indices])
