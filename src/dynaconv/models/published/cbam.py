"""ResNets with CBAM in every block and with BAM between their stages."""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import partial

from torch import nn

from dynaconv.attention import BAM, CBAM
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS"]

_SOURCE = "Jongchan/attention-module"


def _cbam_resnet(depth: int, num_classes: int, in_channels: int) -> nn.Module:
    """CBAM after every block's last normalisation, before the addition; spatial gates start at one half."""
    model = backbone(f"resnet{depth}", num_classes, in_channels)
    last = "bn3" if depth >= 50 else "bn2"
    norms = {name: norm for name, norm in model.named_modules() if re.fullmatch(rf"layer\d\.\d+\.{last}", name)}
    for name, norm in norms.items():
        assert isinstance(norm, nn.BatchNorm2d)
        block = CBAM(norm.num_features)
        for parameter in block.spatial.norm.parameters():
            nn.init.zeros_(parameter)
        model.set_submodule(name, nn.Sequential(OrderedDict(norm=norm, attention=block)))
    return model


def _bam_resnet(depth: int, num_classes: int, in_channels: int) -> nn.Module:
    """BAM at the ends of the first three stages, its branches multiplied as in the counted and trained networks."""
    model = backbone(f"resnet{depth}", num_classes, in_channels)
    for number in (1, 2, 3):
        stage = model.get_submodule(f"layer{number}")
        assert isinstance(stage, nn.Sequential)
        stage.append(BAM(64 * 2 ** (number - 1) * (4 if depth >= 50 else 1), as_published=True))
    return model


def _cbam(depth: int, parameters: int, macs: float, accuracy: str = "") -> Preset:
    name, build = f"cbam_resnet{depth}", partial(_cbam_resnet, depth)
    return Preset(name, build, parameters, macs, _SOURCE, published_accuracy=accuracy)


def _bam(depth: int, parameters: int, macs: float, accuracy: str = "") -> Preset:
    name, build = f"bam_resnet{depth}", partial(_bam_resnet, depth)
    return Preset(name, build, parameters, macs, _SOURCE, published_accuracy=accuracy)


PRESETS = (
    _cbam(18, 11_779_392, 1.815e9),
    _cbam(34, 21_960_468, 3.665e9),
    _cbam(50, 28_089_624, 4.096e9, "77.622 / 93.948"),
    _cbam(101, 49_330_172, 7.813e9),
    _bam(18, 11_712_503, 1.819e9),
    _bam(34, 21_820_663, 3.669e9),
    _bam(50, 25_915_099, 4.171e9, "76.860 / 93.416"),
    _bam(101, 44_907_227, 7.884e9),
)
