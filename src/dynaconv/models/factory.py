"""Models by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import isfinite
from typing import Any

from torch import nn

from dynaconv.convert import conv_names, like, replace
from dynaconv.errors import ArgumentError
from dynaconv.layers import create_conv
from dynaconv.layers.base import check_size
from dynaconv.models.backbones import backbone, is_backbone
from dynaconv.models.description import SequentialCNN
from dynaconv.models.published import PRESETS
from dynaconv.models.seeds import SEEDS

__all__ = ["create_model", "list_models"]


def list_models() -> list[str]:
    """The names of the library's own networks; `create_model` takes those of torchvision and timm too."""
    return [*SEEDS, *PRESETS, "cifar_resnet18"]


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
        name: one of `list_models()`, or a network of torchvision or timm.
        conv: the method of the model's dynamic convolutions, one of `list_convs()`; the model's own by default,
            `"static"` for its static twin. In a static network all convolutions are made so but the stem's and, in
            ResNets, those of the shortcuts.
        conv_options: the method's options. Left out, the model's own method has the published ones; given, they are
            laid over those.
        num_classes: number of class scores; the model's published number by default.
        in_channels: channels of the images.
        width: factor on the channels of every layer, in the seed networks.

    Raises:
        ArgumentError: an argument is not allowed, or the method does not take an option.

    Example:
        >>> import torch
        >>> create_model("kernel_weighted_cnn", width=0.25, num_classes=7)(torch.randn(2, 3, 32, 32)).shape
        torch.Size([2, 7])
    """
    check_size("in_channels", in_channels)
    if num_classes is not None:
        check_size("num_classes", num_classes)
    if name in SEEDS:
        model: nn.Module = _seed(name, conv, conv_options or {}, num_classes, in_channels, width)
    elif width == 1.0:
        model = _other_than_seed(name, conv, conv_options or {}, num_classes or 1000, in_channels)
    else:
        raise ArgumentError("width", width, f"1 for other networks than {', '.join(SEEDS)}")
    # How it was made is kept with it: a saved model tells.
    model.created = {  # type: ignore[assignment]  # no tensor
        "name": name,
        "conv": conv,
        "conv_options": dict(conv_options or {}),
        "num_classes": num_classes,
        "in_channels": in_channels,
        "width": width,
    }
    return model


def _seed(
    name: str,
    conv: str | None,
    conv_options: Mapping[str, Any],
    num_classes: int | None,
    in_channels: int,
    width: float,
) -> nn.Module:
    """A seed network, as it is or with its convolutions made by another method."""
    if not (isfinite(width) and width > 0):
        raise ArgumentError("width", width, "a finite number > 0")
    description = SEEDS[name]
    method = description.conv if conv is None else conv
    own = description.conv_options if method == description.conv else {}
    return SequentialCNN(
        description,
        conv=method,
        conv_options={**own, **conv_options},
        num_classes=num_classes or description.num_classes,
        in_channels=in_channels,
        width=width,
    )


def _other_than_seed(
    name: str, conv: str | None, conv_options: Mapping[str, Any], num_classes: int, in_channels: int
) -> nn.Module:
    """A published network, or a static one with its convolutions made by a method."""
    if name in PRESETS and conv is None and not conv_options:
        return PRESETS[name].build(num_classes, in_channels)
    if name not in list_models() and not is_backbone(name):
        raise ArgumentError("name", name, f"one of {', '.join(list_models())}, or a network of torchvision or timm")
    if not is_backbone(name):
        raise ArgumentError("conv", conv, f"left out, and conv_options too: the convolutions of {name!r} are given")
    model = backbone(name, num_classes, in_channels)
    if conv is None or conv == "static":
        if conv_options:
            raise ArgumentError("conv_options", dict(conv_options), "left out where the convolutions are static")
        return model
    _, *names = conv_names(model, but=["downsample"])
    return replace(model, names, lambda old: like(old, partial(create_conv, conv), **conv_options))
