"""Dynamic convolution networks.

Source: Chen et al., CVPR 2020, 1912.03458, which has no official code: the rules below are those that give the
published parameter counts. The networks called `.kaijieshi7` are of that repository.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from dynaconv.convert import conv_names, like, replace
from dynaconv.layers import DyConv2d
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "dyconv_network"]

_PAPER, _PUBLIC = "1912.03458", "kaijieshi7/Dynamic-convolution-Pytorch"


def dyconv_network(
    name: str, num_kernels: int = 4, num_classes: int = 1000, in_channels: int = 3, *, as_published: bool = False
) -> nn.Module:
    """A backbone with dynamic convolution everywhere but in the stem and, in MobileNetV2, the 1×1 head.

    Args:
        name: a ResNet or MobileNetV2 of `backbone`.
        num_kernels: K.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
        as_published: the attention of kaijieshi7's code; see `DyConv2d`.
    """
    model = backbone(name, num_classes, in_channels)
    _, *names = conv_names(model, but=["features.18.0"])
    return replace(model, names, lambda conv: like(conv, DyConv2d, num_kernels=num_kernels, as_published=as_published))


def _paper(
    name: str, parameters: int, macs: float, printed: tuple[str, str, str] = ("", "", ""), note: str = ""
) -> Preset:
    build = partial(dyconv_network, name, 4)
    return Preset(f"dyconv4x_{name}", build, parameters, macs, _PAPER, (3, 224, 224), *printed, note)


def _public(name: str, parameters: int, macs: float) -> Preset:
    build = partial(dyconv_network, name, 4, as_published=True)
    return Preset(f"dyconv4x_{name}.kaijieshi7", build, parameters, macs, _PUBLIC, with_assembly=True)


PRESETS = (
    _paper(
        "resnet18",
        45_471_016,
        1.814e9,
        ("42.7 M", "1.85 G", "72.7"),
        "The ODConv paper prints 45.47 M, as here; which layers the paper's own 42.7 M leave out is not known.",
    ),
    _paper("resnet50", 100_872_232, 4.094e9),
    _paper("mobilenetv2_100", 11_145_672, 303.1e6, ("11.1 M", "312.9 M", "75.2")),
    _paper("mobilenetv2_075", 7_008_968, 210.4e6, ("7.0 M", "", "72.8")),
    _paper(
        "mobilenetv2_050",
        3_944_176,
        97.7e6,
        ("4.0 M", "101.4 M", "69.9"),
        "The rule that gives the printed counts of the wider networks gives 3.94 M here.",
    ),
    _paper("mobilenetv2_035", 2_685_000, 59.6e6, ("2.8 M", "", "65.9"), "The printed count is not met by this rule."),
    _public("resnet18", 45_475_008, 1.859e9),
    _public("resnet34", 86_173_504, 3.749e9),
    _public("resnet50", 100_895_176, 4.188e9),
)
