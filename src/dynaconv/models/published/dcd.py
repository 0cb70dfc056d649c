"""Networks of dynamic channel fusion (DCD)."""

from __future__ import annotations

from functools import partial
from math import sqrt
from typing import cast

from torch import nn

from dynaconv.convert import conv_names, replace
from dynaconv.layers import DCDConv2d, DCDLinear
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "dcd_mobilenetv2", "dcd_resnet"]


def dcd_resnet(model: nn.Module) -> nn.Module:
    """A torchvision ResNet with DCD in all convolutions of its blocks but the downsampling ones, and as its classifier.

    Basic blocks, of two convolutions, take their context from a 2×2 grid; bottleneck blocks from the whole map.

    Args:
        model: is changed and returned.
    """
    names = [name for name in conv_names(model, but=["downsample"]) if name.startswith("layer")]
    grid = 1 if any(name.endswith("conv3") for name in names) else 2
    replace(model, names, lambda conv: _dcd(conv, context_grid=grid))
    fc = cast(nn.Linear, model.fc)
    model.fc = DCDLinear(fc.in_features, fc.out_features)
    return _started(model)


def dcd_mobilenetv2(model: nn.Module, squeeze: int = 16) -> nn.Module:
    """A torchvision MobileNetV2 with DCD in the 1×1 convolutions of its blocks, but the first, and as its classifier.

    Args:
        model: is changed and returned.
        squeeze: the branches' reduction; 16 in the authors' commands, 8 in their code.
    """
    names = conv_names(model, but=["features.0.0", "features.1.conv.1", "features.18.0"])
    pointwise = [name for name in names if cast(nn.Conv2d, model.get_submodule(name)).kernel_size == (1, 1)]
    replace(model, pointwise, lambda conv: _dcd(conv, squeeze, *_mobile_sizes(conv.in_channels, conv.out_channels)))
    classifier = cast(nn.Sequential, model.classifier)
    fc = cast(nn.Linear, classifier[1])
    classifier[1] = DCDLinear(fc.in_features, fc.out_features)
    for module in _started(model).modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
        if isinstance(module, DCDLinear):
            _normal(module.conv.weight, module.conv.p, module.conv.q, std=0.01)
            nn.init.zeros_(cast(nn.Parameter, module.conv.bias))
    return model


def _dcd(conv: nn.Conv2d, reduction: int = 16, context_grid: int = 1, rank: int | None = None) -> DCDConv2d:
    padding = cast(tuple[int, ...], conv.padding)
    return DCDConv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        padding,
        bias=False,
        rank=rank,
        context_grid=context_grid,
        reduction=reduction,
    )


def _mobile_sizes(in_channels: int, out_channels: int) -> tuple[int, int]:
    """The grid of the context, and L, in MobileNetV2: a power-of-two share of the smaller side with L² <= 2 D."""
    grid, share = (2, 8) if in_channels < out_channels else (1, 2)
    context = in_channels * grid**2
    while (rank := min(context, out_channels) // share) ** 2 > 2 * context:
        share *= 2
    return grid, max(rank, 4)


def _started(model: nn.Module) -> nn.Module:
    """The model, its DCD convolutions started as the authors' networks start every convolution."""
    for module in model.modules():
        if isinstance(module, DCDConv2d):
            for weight in (module.weight, module.q, module.p):
                _normal(weight, std=sqrt(2 / (weight.shape[0] * weight[0, 0].numel())))
    return model


def _normal(*weights: nn.Parameter, std: float) -> None:
    for weight in weights:
        nn.init.normal_(weight, std=std)


def _resnet(name: str, num_classes: int, in_channels: int) -> nn.Module:
    return dcd_resnet(backbone(name, num_classes, in_channels))


def _mobilenet(name: str, squeeze: int, num_classes: int, in_channels: int) -> nn.Module:
    return dcd_mobilenetv2(backbone(name, num_classes, in_channels), squeeze)


def _preset_resnet(depth: int, parameters: int, macs: float, printed: str = "", accuracy: str = "") -> Preset:
    return Preset(
        f"dcd_resnet{depth}",
        partial(_resnet, f"resnet{depth}"),
        parameters,
        macs,
        "liyunsheng13/dcd",
        published_parameters=printed,
        published_accuracy=accuracy,
    )


def _preset_mobilenet(width: str, squeeze: int, parameters: int, macs: float, printed: str = "") -> Preset:
    return Preset(
        f"dcd_mobilenetv2_{width}" + ("" if squeeze == 16 else f"_s{squeeze}"),
        partial(_mobilenet, f"mobilenetv2_{width}", squeeze),
        parameters,
        macs,
        "liyunsheng13/dcd",
        published_parameters=printed,
    )


PRESETS = (
    _preset_resnet(18, 14_703_332, 1.883e9, "14.70 M", "73.1"),
    _preset_resnet(34, 27_649_068, 3.801e9),
    _preset_resnet(50, 29_835_056, 4.373e9),
    _preset_resnet(101, 53_227_056, 8.325e9),
    _preset_mobilenet("100", 16, 5_720_028, 398.4e6),
    _preset_mobilenet("100", 8, 7_452_088, 400.1e6),
    _preset_mobilenet("075", 16, 4_081_621, 285.4e6),
    _preset_mobilenet("075", 8, 5_122_650, 286.4e6),
    _preset_mobilenet("050", 16, 2_664_300, 131.8e6),
    _preset_mobilenet("050", 8, 3_056_616, 132.2e6, "3.1 M"),
    _preset_mobilenet("035", 16, 2_099_323, 79.4e6),
    _preset_mobilenet("035", 8, 2_267_932, 79.6e6),
)
