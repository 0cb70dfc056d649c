"""Networks with frequency dynamic convolution (FDConv)."""

from __future__ import annotations

from typing import cast

from torch import nn

from dynaconv.convert import conv_names, replace
from dynaconv.layers import FDConv2d
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "fdconv_resnet"]

_LEAST_CHANNELS = 17


def fdconv_resnet(model: nn.Module, num_kernels: int = 64, *, as_published: bool = False) -> nn.Module:
    """A torchvision ResNet with FDConv in the convolutions of its blocks, but the downsampling ones.

    Those of 16 channels or fewer stay as they are.

    Args:
        model: is changed and returned.
        num_kernels: of every layer.
        as_published: of every layer; needed for the authors' checkpoints.
    """
    names = [
        name
        for name in conv_names(model, but=["downsample"])
        if name.startswith("layer") and _large(cast(nn.Conv2d, model.get_submodule(name)))
    ]

    def make(conv: nn.Conv2d) -> FDConv2d:
        layer = FDConv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            cast(tuple[int, ...], conv.padding),
            bias=False,
            num_kernels=num_kernels,
            as_published=as_published,
        )
        layer.kernels.start_from(conv.weight.detach())
        return layer

    return replace(model, names, make)


def _large(conv: nn.Conv2d) -> bool:
    return min(conv.in_channels, conv.out_channels) >= _LEAST_CHANNELS


def _resnet50(num_classes: int, in_channels: int) -> nn.Module:
    return fdconv_resnet(backbone("resnet50", num_classes, in_channels))


PRESETS = (
    Preset(
        "fdconv_resnet50",
        _resnet50,
        29_204_152,
        4.298e9,
        "Linwei-Chen/FDConv",
        published_parameters="+3.6 M",
        published_macs="+1.8 G",
        note=(
            "published as additions to the backbone of detectors; the authors' code counts 4.255 G, making kernels "
            "included, and not its Fourier transforms of the input, which are matrix products here"
        ),
    ),
)
