"""RedNet: bottleneck ResNets with involution in place of their 3×3 convolutions."""

from __future__ import annotations

from functools import partial
from typing import cast

from torch import nn

from dynaconv.convert import conv_names, replace
from dynaconv.layers import Involution2d
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "involution_network", "rednet"]

_STEM = 32


def rednet(num_classes: int, in_channels: int, blocks: tuple[int, int, int, int]) -> nn.Module:
    """A RedNet under torchvision's names for ResNets, but a `conv1` of three convolutions, the middle an involution.

    Args:
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
        blocks: residual blocks of the four stages.
    """
    # The deepest has as many blocks in every stage as any RedNet: the rest is cut off.
    model = backbone("resnet152" if max(blocks) > 6 else "resnet50", num_classes, zero_init_residual=True)
    for number, count in enumerate(blocks, start=1):
        stage = cast(nn.Sequential, model.get_submodule(f"layer{number}"))
        kept = stage[:count]
        for block in kept:
            conv = cast(nn.Conv2d, block.conv2)
            block.conv2 = _involution(conv.in_channels, 7, conv.stride[0])
        model.set_submodule(f"layer{number}", kept)
    model.set_submodule("conv1", _stem(in_channels))
    return model


def involution_network(model: nn.Module) -> nn.Module:
    """A ResNet with 7×7 involutions for the 3×3 convolutions of its blocks that have as many outputs as inputs.

    Not a published network: what RedNet does to bottlenecks, for the basic blocks of a ResNet-18 too.

    Args:
        model: is changed and returned.
    """
    names = [
        name
        for name in conv_names(model, but=["downsample"])
        if name.startswith("layer") and _keeps_channels(cast(nn.Conv2d, model.get_submodule(name)))
    ]
    return replace(model, names, lambda conv: _involution(conv.in_channels, 7, conv.stride[0]))


def _keeps_channels(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == (3, 3) and conv.in_channels == conv.out_channels


def _involution(channels: int, kernel_size: int, stride: int = 1) -> Involution2d:
    padding = kernel_size // 2
    return Involution2d(channels, channels, kernel_size, stride, padding, bias=False, init="published")


def _stem(in_channels: int) -> nn.Sequential:
    """All but the last normalisation, which torchvision's ResNets have after `conv1`."""
    first = nn.Conv2d(in_channels, _STEM, 3, 2, 1, bias=False)
    last = nn.Conv2d(_STEM, 2 * _STEM, 3, 1, 1, bias=False)
    for conv in (first, last):
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    norms = [nn.BatchNorm2d(_STEM) for _ in range(2)]
    return nn.Sequential(first, norms[0], nn.ReLU(), _involution(_STEM, 3), norms[1], nn.ReLU(), last)


def _preset(
    depth: int,
    blocks: tuple[int, int, int, int],
    parameters: int,
    macs: float,
    published: tuple[str, str, str],
    note: str = "",
) -> Preset:
    """The authors' element-wise product of taps and pixels is a part of the convolution here: it is added to `macs`."""
    positions = (112**2, 56**2, 28**2, 14**2, 7**2)
    widths = (_STEM * 9, 64 * 49, 128 * 49, 256 * 49, 512 * 49)
    product = sum(n * w * p for n, w, p in zip((1, *blocks), widths, positions, strict=True))
    name, build, source = f"rednet{depth}", partial(rednet, blocks=blocks), "d-li14/involution"
    return Preset(
        name,
        build,
        parameters,
        macs + product,
        source,
        published_parameters=published[0],
        published_macs=published[1],
        published_accuracy=published[2],
        note=note,
    )


PRESETS = (
    _preset(26, (1, 2, 4, 1), 9_233_166, 1.651e9, ("9.23 M", "1.73 G", "75.96 / 93.19")),
    _preset(38, (2, 3, 5, 2), 12_386_986, 2.114e9, ("12.39 M", "2.22 G", "77.48 / 93.57")),
    _preset(50, (3, 4, 6, 3), 15_540_806, 2.577e9, ("15.54 M", "2.71 G", "78.35 / 94.13")),
    _preset(101, (3, 4, 23, 3), 25_652_950, 4.546e9, ("25.65 M", "4.74 G", "78.92 / 94.35")),
    _preset(
        152,
        (3, 8, 36, 3),
        33_984_582,
        6.515e9,
        ("33.99 M", "6.79 G", "79.12 / 94.38"),
        note="the authors' code has 33.98 M parameters",
    ),
)
