"""ResNets with receptive-field attention, or plain attention, in the first convolution of every basic block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from torch import nn

from dynaconv.attention import CBAM, CBAMChannel
from dynaconv.convert import conv_names, replace
from dynaconv.layers import RFAConv2d, RFCAConv2d, RFCBAMConv2d
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "first_convs_replaced"]


def first_convs_replaced(model: nn.Module, make: Callable[[nn.Conv2d], nn.Module]) -> nn.Module:
    """A ResNet of basic blocks whose blocks begin with other convolutions.

    Args:
        model: is changed and returned.
        make: builds the replacement from a block's first convolution.
    """
    return replace(model, [n for n in conv_names(model) if n.startswith("layer") and n.endswith("conv1")], make)


def _rfa(conv: nn.Conv2d) -> nn.Module:
    return RFAConv2d(*_geometry(conv), init="published")


def _rfcbam(conv: nn.Conv2d) -> nn.Module:
    return RFCBAMConv2d(*_geometry(conv), init="published")


def _rfca(conv: nn.Conv2d) -> nn.Module:
    return RFCAConv2d(*_geometry(conv), init="published")


def _cam(conv: nn.Conv2d) -> nn.Module:
    return nn.Sequential(CBAMChannel(conv.in_channels, bias=False), _static(conv))


def _cbam(conv: nn.Conv2d) -> nn.Module:
    return nn.Sequential(CBAM(conv.in_channels, bias=False, norm=None), _static(conv))


def _static(conv: nn.Conv2d) -> nn.Conv2d:
    made = nn.Conv2d(*_geometry(conv))
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made


def _geometry(conv: nn.Conv2d) -> tuple[int, int, int, int, int]:
    """Channels, kernel, stride, padding; their convolutions have a bias where the replaced ones have none."""
    return conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], cast(int, conv.padding[0])


def _build(num_classes: int, in_channels: int, network: str, make: Callable[[nn.Conv2d], nn.Module]) -> nn.Module:
    return first_convs_replaced(backbone(network, num_classes, in_channels), make)


_METHODS: dict[str, Callable[[nn.Conv2d], nn.Module]] = {
    "rfa": _rfa,
    "rfcbam": _rfcbam,
    "rfca": _rfca,
    "camconv": _cam,
    "cbamconv": _cbam,
}


def _preset(
    method: str, network: str, parameters: int, macs: float, published: tuple[str, str, str] = ("", "", "")
) -> Preset:
    return Preset(
        f"{method}_{network}",
        partial(_build, network=network, make=_METHODS[method]),
        parameters,
        macs,
        "Liuchen1997/RFAConv",
        published_parameters=published[0],
        published_macs=published[1],
        published_accuracy=published[2],
    )


PRESETS = (
    _preset("rfa", "resnet18", 11_850_408, 1.874e9, ("11.85 M", "1.91 G", "71.23 / 90.29")),
    _preset("rfa", "resnet34", 22_160_872, 3.780e9, ("22.16 M", "3.84 G", "74.25 / 92.03")),
    _preset("rfcbam", "resnet18", 11_884_408, 1.869e9, ("11.88 M", "1.90 G", "72.15 / 90.71")),
    _preset("rfcbam", "resnet34", 22_237_704, 3.771e9),
    _preset("rfca", "resnet18", 11_887_936, 1.871e9, ("11.89 M", "1.92 G", "72.01 / 90.64")),
    _preset("rfca", "resnet34", 22_242_456, 3.774e9),
    _preset("camconv", "resnet18", 11_746_216, 1.814e9, ("11.75 M", "1.83 G", "70.76 / 89.74")),
    _preset("camconv", "resnet34", 21_926_376, 3.664e9, ("21.93 M", "3.68 G", "74.03 / 91.69")),
    _preset("cbamconv", "resnet18", 11_747_000, 1.815e9, ("11.75 M", "1.83 G", "69.38 / 89.12")),
    _preset("cbamconv", "resnet34", 21_927_944, 3.666e9, ("21.93 M", "3.68 G", "72.95 / 91.26")),
)
