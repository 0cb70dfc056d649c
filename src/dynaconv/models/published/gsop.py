"""ResNets with global second-order pooling: GSoP blocks in their stages, the root of a covariance as their head."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

from torch import nn

from dynaconv.attention import create_attention
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset
from dynaconv.pooling import IsqrtCovPool

__all__ = ["PRESETS", "resnet_stride16"]

_GSOP = "ZilinGao/Global-Second-order-Pooling-Convolutional-Networks"
_MPN_COV = "jiangtaoxie/fast-MPN-COV"
_AS_PUBLISHED = "as_published: with the authors' position covariance, and the sum that they call average"
_CENTRED = "multiply-adds without those of the authors' centring by a matrix product: here the mean is taken off"
# What that product costs them for d channels at N positions, d·N²: in the blocks of the four stages, and in the head.
_CENTRING = (128 * 784**2, 128 * 784**2, 128 * 196**2, 128 * 196**2)
_HEAD_CENTRING = 256 * 196**2


def resnet_stride16(depth: int, num_classes: int = 1000, in_channels: int = 3) -> nn.Module:
    """A ResNet of bottlenecks whose fourth stage keeps the third's resolution: what all these networks are built on.

    Args:
        depth: 50, 101 or 152.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
    """
    model = backbone(f"resnet{depth}", num_classes, in_channels)
    for name in ("layer4.0.conv2", "layer4.0.downsample.0"):
        conv = model.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        conv.stride = (1, 1)
    return model


def _resnet(
    depth: int, attention: str | None, stages: int, iterations: int | None, num_classes: int, in_channels: int
) -> nn.Module:
    """A ResNet with GSoP blocks, a second-order head, or both.

    Args:
        depth: of the ResNet.
        attention: GSoP block before the addition of the last residual block of the first `stages` stages.
        stages: how many.
        iterations: of the head iSQRT-COV; `None`: the global average.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
    """
    model = resnet_stride16(depth, num_classes, in_channels)
    if attention is not None:
        for number in range(1, stages + 1):
            _append(model, number, attention)
    if iterations is not None:
        head = IsqrtCovPool(2048, iterations=iterations)
        model.set_submodule("avgpool", head)
        model.set_submodule("fc", nn.Linear(head.out_features, num_classes))
    return model


def _append(model: nn.Module, number: int, attention: str) -> None:
    """A GSoP block after the last normalisation of a stage."""
    stage = model.get_submodule(f"layer{number}")
    assert isinstance(stage, nn.Sequential)
    name = f"layer{number}.{len(stage) - 1}.bn3"
    norm = model.get_submodule(name)
    assert isinstance(norm, nn.BatchNorm2d)
    options: dict[str, Any] = {"stride": 2} if number == 1 and attention != "gsop_position" else {}
    if attention != "gsop_channel":
        options["as_published"] = True
    block = create_attention(attention, norm.num_features, **options)
    model.set_submodule(name, nn.Sequential(OrderedDict(norm=norm, attention=block)))


def _gsop(net: int, attention: str, depth: int, parameters: int, counted: float, accuracy: str = "") -> Preset:
    """GSoP-Net1 has blocks in all stages, GSoP-Net2 in the first three, and a covariance as its head."""
    stages, iterations = (4, None) if net == 1 else (3, 3)
    centring = 0 if attention == "position" else sum(_CENTRING[:stages])
    return Preset(
        f"gsop{net}_{attention}_resnet{depth}",
        partial(_resnet, depth, f"gsop_{attention}", stages, iterations),
        parameters,
        counted - centring - (_HEAD_CENTRING if iterations else 0),
        _GSOP,
        published_accuracy=accuracy,
        note="; ".join([_CENTRED, *([] if attention == "channel" else [_AS_PUBLISHED])]),
    )


def _isqrt(depth: int, parameters: int, counted: float, accuracy: str) -> Preset:
    build, macs = partial(_resnet, depth, None, 0, 5), counted - _HEAD_CENTRING
    return Preset(f"isqrt_resnet{depth}", build, parameters, macs, _MPN_COV, published_accuracy=accuracy, note=_CENTRED)


PRESETS = (
    _gsop(1, "channel", 50, 28_285_224, 6.564e9, "77.98 / 94.12"),
    _gsop(1, "position", 50, 26_182_952, 6.446e9),
    _gsop(1, "average", 50, 28_911_144, 6.802e9),
    _gsop(1, "max", 50, 28_911_144, 6.802e9),
    _gsop(1, "concat", 50, 32_105_000, 8.831e9),
    _gsop(1, "channel", 101, 47_277_352, 10.277e9),
    _gsop(2, "channel", 50, 58_278_568, 6.761e9, "78.81 / 94.36"),
    _gsop(2, "position", 50, 57_260_008, 6.650e9),
    _gsop(2, "average", 50, 58_608_744, 6.945e9),
    _gsop(2, "max", 50, 58_608_744, 6.945e9),
    _gsop(2, "concat", 50, 60_483_688, 8.718e9),
    _gsop(2, "channel", 101, 77_270_696, 10.473e9),
    _isqrt(50, 56_929_832, 6.566e9, "78.29 / 93.87"),
    _isqrt(101, 75_921_960, 10.278e9, "79.01 / 94.44"),
)
