"""ODConv networks.

Source: Li, Zhou, Yao, ICLR 2022, 2209.07947, and OSVAI/ODConv.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from dynaconv.convert import conv_names, like, replace
from dynaconv.layers import ODConv2d
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "odconv_network"]


def odconv_network(name: str, num_kernels: int, num_classes: int = 1000, in_channels: int = 3) -> nn.Module:
    """A backbone with ODConv everywhere but in the stem and, in ResNets, the 1×1 convolutions of the shortcuts.

    Args:
        name: a ResNet or MobileNetV2 of `backbone`.
        num_kernels: K.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
    """
    model = backbone(name, num_classes, in_channels)
    _, *names = conv_names(model, but=["downsample"])
    return replace(model, names, lambda conv: like(conv, ODConv2d, num_kernels=num_kernels))


def _presets(
    name: str, macs: float, parameters: tuple[int, int, int], printed: dict[int, tuple[str, str, str]]
) -> list[Preset]:
    """A backbone with one, two and four kernels; what is printed by the number of kernels."""
    return [
        Preset(
            f"odconv{experts}x_{name}",
            partial(odconv_network, name, experts),
            count,
            macs,
            "OSVAI/ODConv",
            (3, 224, 224),
            *printed.get(experts, ("", "", "")),
        )
        for experts, count in zip((1, 2, 4), parameters, strict=True)
    ]


PRESETS = (
    *_presets(
        "resnet18",
        1.814e9,
        (11_943_944, 22_930_056, 44_901_640),
        {1: ("11.94 M", "1.838 G", "73.05 / 91.05"), 4: ("44.90 M", "1.916 G", "74.19 / 91.47")},
    ),
    *_presets("resnet34", 3.664e9, (22_290_168, 43_377_624, 85_551_288), {}),
    *_presets(
        "resnet50",
        4.092e9,
        (28_635_112, 49_314_696, 90_670_888),
        {1: ("28.64 M", "3.916 G", "77.87 / 93.77"), 4: ("90.67 M", "4.080 G", "78.50 / 93.99")},
    ),
    *_presets(
        "resnet101",
        7.808e9,
        (50_818_769, 90_441_623, 169_680_989),
        {1: ("50.82 M", "7.675 G", "78.84 / 94.27"), 2: ("90.44 M", "7.802 G", "79.15 / 94.34")},
    ),
    *_presets(
        "mobilenetv2_050",
        97.6e6,
        (2_425_537, 3_096_167, 4_435_501),
        {1: ("2.43 M", "101.8 M", "68.06 / 87.67"), 4: ("4.44 M", "106.4 M", "70.23 / 88.86")},
    ),
    *_presets(
        "mobilenetv2_075",
        209.9e6,
        (3_507_113, 4_837_495, 7_496_013),
        {1: ("3.51 M", "217.1 M", "72.71 / 90.85"), 4: ("7.50 M", "226.3 M", "74.01 / 91.37")},
    ),
    *_presets(
        "mobilenetv2_100",
        302.2e6,
        (4_940_185, 7_131_719, 11_512_149),
        {1: ("4.94 M", "311.8 M", "74.74 / 91.95"), 4: ("11.51 M", "327.1 M", "75.29 / 92.18")},
    ),
)
