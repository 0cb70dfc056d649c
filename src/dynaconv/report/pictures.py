"""Images as PNG data URIs, so that a page holds them itself."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import torch
from torch import Tensor

from dynaconv.errors import MissingExtraError, ShapeError

__all__ = ["png_uri"]


def png_uri(image: Tensor) -> str:
    """`image` as a `data:image/png;base64,...` address.

    Args:
        image: `(C, H, W)` with one (grey) or three (RGB) channels; values outside [0, 1] are clipped.

    Raises:
        ShapeError: if `image` has another shape.
        MissingExtraError: if pillow is not installed.
    """
    if image.dim() != 3 or image.shape[0] not in (1, 3):
        raise ShapeError("image", image.shape, "(C, H, W) with 1 or 3 channels")
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", "report") from error
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    file = BytesIO()
    Image.fromarray((pixels[0] if len(pixels) == 1 else pixels.permute(1, 2, 0)).numpy()).save(file, "PNG")
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode('ascii')}"
