"""Models by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from torch import nn

from dynaconv.convert import convert
from dynaconv.counts import check_count
from dynaconv.errors import ArgumentError
from dynaconv.models.backbones import backbone, is_backbone, pretrained_backbone
from dynaconv.models.description import SequentialCNN
from dynaconv.models.pooling_head import with_pooling
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
    attention: str | None = None,
    attention_options: Mapping[str, Any] | None = None,
    where: str | Iterable[str] | None = None,
    pooling: str | None = None,
    pooling_options: Mapping[str, Any] | None = None,
    pretrained: bool = False,
) -> nn.Module:
    """A model by name: `(B, in_channels, H, W)` → `(B, num_classes)`.

    Args:
        name: one of `list_models()`, or a network of torchvision or timm.
        conv: the method of the model's dynamic convolutions, one of `list_convs()`; the model's own by default,
            `"static"` for its static twin. In a static network those are made so that the method's own rules choose,
            see `plan`.
        conv_options: the method's options. Left out, the model's own method has the published ones; given, they are
            laid over those.
        num_classes: number of class scores; the model's published number by default.
        in_channels: channels of the images.
        width: factor on the channels of every layer, in the seed networks.
        attention: attention blocks to put in, one of `list_attentions()`.
        attention_options: theirs.
        where: they go; see `convert`.
        pooling: the pooling of the last map, one of `list_poolings()`; the network's own by default.
        pooling_options: the head's.
        pretrained: whether a network of torchvision or timm has its published weights, which are downloaded; dynamic
            convolutions take them over, so that the network computes the same (see `convert`).

    Raises:
        ArgumentError: an argument is not allowed, or the method does not take an option.
        ConversionError: see `convert`, with `pretrained`.

    Example:
        >>> import torch
        >>> create_model("kernel_weighted_cnn", width=0.25, num_classes=7)(torch.randn(2, 3, 32, 32)).shape
        torch.Size([2, 7])
    """
    check_count("in_channels", in_channels)
    if num_classes is not None:
        check_count("num_classes", num_classes)
    if name in SEEDS:
        if pretrained:
            raise ArgumentError("pretrained", pretrained, "False for the seed networks; see load_published")
        model: nn.Module = _seed(name, conv, conv_options or {}, num_classes, in_channels, width)
    elif width == 1.0:
        model = _other_than_seed(name, conv, conv_options or {}, num_classes or 1000, in_channels, pretrained)
    else:
        raise ArgumentError("width", width, f"1 for other networks than {', '.join(SEEDS)}")
    model = _with_blocks(model, attention, attention_options, where)
    if pooling is not None:
        with_pooling(model, pooling, in_channels, **(pooling_options or {}))
    elif pooling_options:
        raise ArgumentError("pooling_options", dict(pooling_options), "left out without a pooling")
    # How it was made is kept with it: a saved model tells.
    model.created = {  # type: ignore[assignment]  # no tensor
        "name": name,
        "conv": conv,
        "conv_options": dict(conv_options or {}),
        "num_classes": num_classes,
        "in_channels": in_channels,
        "width": width,
        "attention": attention,
        "attention_options": dict(attention_options or {}),
        "where": where if where is None or isinstance(where, str) else [*where],
        "pooling": pooling,
        "pooling_options": dict(pooling_options or {}),
    }
    return model


def _with_blocks(
    model: nn.Module, attention: str | None, options: Mapping[str, Any] | None, where: str | Iterable[str] | None
) -> nn.Module:
    """The model with attention blocks, if any are wanted."""
    if attention is not None:
        return _as_created(convert(model, attention=attention, where=where, **(options or {})))
    for argument, value in (("attention_options", options), ("where", where)):
        if value:
            raise ArgumentError(argument, value, "left out without an attention")
    return model


def _as_created(model: nn.Module) -> nn.Module:
    """The model without the record of a conversion that was a part of making it."""
    del model.conversions
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
    name: str,
    conv: str | None,
    conv_options: Mapping[str, Any],
    num_classes: int,
    in_channels: int,
    pretrained: bool,
) -> nn.Module:
    """A published network, or a static one with its convolutions made by a method."""
    if name in PRESETS and conv is None and not conv_options and not pretrained:
        return PRESETS[name].build(num_classes, in_channels)
    if name not in list_models() and not is_backbone(name):
        raise ArgumentError("name", name, f"one of {', '.join(list_models())}, or a network of torchvision or timm")
    if not is_backbone(name):
        if conv is not None or conv_options:
            raise ArgumentError("conv", conv, f"left out, and conv_options too: the convolutions of {name!r} are given")
        raise ArgumentError("pretrained", pretrained, f"False for {name!r}; see load_published")
    model = (pretrained_backbone if pretrained else backbone)(name, num_classes, in_channels)
    if conv is None or conv == "static":
        if conv_options:
            raise ArgumentError("conv_options", dict(conv_options), "left out where the convolutions are static")
        return model
    return _as_created(convert(model, conv, inherit=pretrained, **conv_options))
