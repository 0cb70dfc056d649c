"""Turning images about their centre, by kornia."""

from __future__ import annotations

from torch import Tensor

from dynaconv.errors import MissingExtraError

__all__ = ["rotate"]


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Turn each image about its centre, counter-clockwise; what comes into view is black.

    Args:
        images: `(B, C, H, W)`, floating point.
        degrees: `(B,)`; a full circle more or less gives exactly the same image.

    Raises:
        MissingExtraError: if kornia is not installed.
    """
    try:
        from kornia.geometry.transform import rotate as kornia_rotate
    except ImportError as error:
        raise MissingExtraError("kornia", "train") from error
    turned: Tensor = kornia_rotate(images, (degrees % 360.0).to(images))
    return turned
