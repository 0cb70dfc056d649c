"""LGCF in ResNet-18: a network of ours, since the paper's text and figures are not public."""

from __future__ import annotations

from torch import nn

from dynaconv.convert import conv_names, replace
from dynaconv.layers import LGCFConv2d
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS"]


def _resnet18(num_classes: int, in_channels: int) -> nn.Module:
    """Every 3×3 convolution of the residual blocks is dynamic; the stem and the 1×1 shortcuts are not."""
    model = backbone("resnet18", num_classes, in_channels)
    names = [name for name in conv_names(model) if model.get_submodule(name).kernel_size == (3, 3)]
    return replace(model, names, _lgcf)


def _lgcf(conv: nn.Conv2d) -> LGCFConv2d:
    return LGCFConv2d(conv.in_channels, conv.out_channels, 3, conv.stride, 1, bias=False)


PRESETS = (
    Preset(
        "lgcf_resnet18",
        _resnet18,
        11_838_680,
        1.834e9,
        "10.1109/TNNLS.2022.3217301 (abstract)",
        note="a design of ours in the spirit of the paper's abstract: its text and figures are not public",
    ),
)
