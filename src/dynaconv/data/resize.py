"""Image sizes: reading the `image_size` argument and resizing whole sets of images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dynaconv.errors import ArgumentError

__all__ = ["ImageSize", "parse_size", "resize_images"]

ImageSize = int | Sequence[int] | None

# Images that are floating-point numbers at one time: bounds the memory that resizing a large set takes.
_CHUNK = 1024


def parse_size(image_size: ImageSize, default: int) -> tuple[int, int]:
    """`image_size` as (height, width); `None` gives `default` for both.

    Raises:
        ArgumentError: it is neither a positive integer nor two of them.
    """
    if image_size is None:
        return default, default
    given = (image_size, image_size) if isinstance(image_size, int) else image_size
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2:
        height, width = given
        if all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in (height, width)):
            return height, width
    raise ArgumentError("image_size", image_size, "an integer >= 1, or two of them: (height, width)")


def resize_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear (antialiased when smaller) resize of uint8 `images` (N, C, H, W) to `size` (height, width)."""
    if images.shape[-2:] == size:
        return images
    resized = images.new_empty(*images.shape[:2], *size)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK].to(torch.float32)
        exact = F.interpolate(chunk, size, mode="bilinear", antialias=True)
        resized[start : start + _CHUNK] = exact.round_().clamp_(0, 255)
    return resized
