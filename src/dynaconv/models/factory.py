"""Models by name."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError
from dynaconv.layers.base import check_size
from dynaconv.models.description import SequentialCNN
from dynaconv.models.published import PRESETS
from dynaconv.models.seeds import SEEDS

__all__ = ["create_model", "list_models"]


def list_models() -> list[str]:
    """The names that `create_model` takes."""
    return [*SEEDS, *PRESETS]


def create_model(
    name: str,
    *,
    conv: str | None = None,
    conv_options: Mapping[str, Any] | None = None,
    num_classes: int | None = None,
    in_channels: int = 3,
    width: float = 1.0,
) -> nn.Module:
    """A model by name: `(B, in_channels, H, W)` → `(B, num_classes)`.

    Args:
        name: one of `list_models()`.
        conv: the method of the model's dynamic convolutions, one of `list_convs()`; the model's own by default,
            `"static"` for its static twin.
        conv_options: the method's options. Left out, the model's own method has the published ones; given, they are
            laid over those.
        num_classes: number of class scores; the model's published number by default.
        in_channels: channels of the images.
        width: factor on the channels of every layer.

    Raises:
        ArgumentError: an argument is not allowed, or the method does not take an option.

    Example:
        >>> import torch
        >>> create_model("kernel_weighted_cnn", width=0.25, num_classes=7)(torch.randn(2, 3, 32, 32)).shape
        torch.Size([2, 7])
    """
    check_size("in_channels", in_channels)
    if name in PRESETS:
        if conv is not None or conv_options is not None or width != 1.0:
            raise ArgumentError("name", name, "one of the seed networks where conv, conv_options or width are given")
        return PRESETS[name].build(1000 if num_classes is None else check_size("num_classes", num_classes), in_channels)
    if name not in SEEDS:
        raise ArgumentError("name", name, f"one of {', '.join(list_models())}")
    if not (isfinite(width) and width > 0):
        raise ArgumentError("width", width, "a finite number > 0")
    description = SEEDS[name]
    method = description.conv if conv is None else conv
    own = description.conv_options if method == description.conv else {}
    return SequentialCNN(
        description,
        conv=method,
        conv_options={**own, **(conv_options or {})},
        num_classes=description.num_classes if num_classes is None else check_size("num_classes", num_classes),
        in_channels=in_channels,
        width=width,
    )
