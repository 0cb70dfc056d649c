"""Small networks of many families, with random weights and statistics, for conversions to be tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import timm
import torch
import torchvision.models as tv
from torch import nn
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.regnet import BlockParams, RegNet


@dataclass(frozen=True)
class Architecture:
    """A network and the size of a small image that it takes.

    Attributes:
        family: as the documentation names it.
        make: builds it.
        size: height and width.
        as_list: whether it takes a list of images, as detectors do.
    """

    family: str
    make: Callable[[], nn.Module]
    size: tuple[int, int] = (64, 64)
    as_list: bool = False

    def model(self) -> nn.Module:
        """In float64 and evaluation; signals reach the end, and no normalisation is at its start."""
        torch.manual_seed(3)
        model = self.make().double().eval()
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.0)
                nn.init.normal_(module.bias, std=0.1)
                nn.init.normal_(module.running_mean, std=0.1)
        return model

    def example(self) -> Any:
        """What the model takes, as `convert` takes it."""
        image = torch.rand(3, *self.size, dtype=torch.float64)
        return ([image],) if self.as_list else image[None]


def _timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    return partial(timm.create_model, name, num_classes=5, **options)


def _tv(name: str, **options: Any) -> Callable[[], nn.Module]:
    return partial(tv.get_model, name, weights=None, num_classes=5, **options)


def _vgg() -> nn.Module:
    """Without the hundred million numbers of its linear layers."""
    model = tv.VGG(tv.vgg.make_layers([8, "M", 16, 16, "M", 24], batch_norm=True), init_weights=False)
    model.classifier = nn.Linear(24 * 7 * 7, 5)
    return model


_NARROW = {"channels": (8, 16, 16, 24), "stem_width": 8}
_DEEP = {"channels": (4, 8, 8, 12), "stem_width": 8}
_NO_BACKBONE = {"weights_backbone": None}

ARCHITECTURES: Mapping[str, Architecture] = {
    "resnet18": Architecture("ResNet", _timm("resnet18", **_NARROW)),
    "resnet50d": Architecture("ResNet", _timm("resnet50d", **_DEEP)),
    "resnext50": Architecture(
        "ResNeXt", _timm("resnext50_32x4d", channels=(8, 8, 16, 16), cardinality=4, base_width=16)
    ),
    "seresnet50": Architecture("SE-ResNet", _timm("seresnet50", **_DEEP)),
    "resnetv2_50": Architecture("ResNet v2", _timm("resnetv2_50", channels=(16, 32, 32, 48), stem_chs=8)),
    "res2net50d": Architecture("Res2Net", _timm("res2net50d", **_DEEP)),
    "densenet": Architecture("DenseNet", partial(tv.DenseNet, 8, (2, 3, 3, 2), 16, num_classes=5)),
    "vgg11_bn": Architecture("VGG", _vgg),
    "mobilenet_v2": Architecture("MobileNetV2", _tv("mobilenet_v2", width_mult=0.35)),
    "mobilenet_v3_small": Architecture("MobileNetV3", _tv("mobilenet_v3_small", width_mult=0.5)),
    "mobilenetv4": Architecture("MobileNetV4", _timm("mobilenetv4_conv_small_035")),
    "efficientnet": Architecture("EfficientNet", _timm("test_efficientnet")),
    "tf_mobilenet": Architecture("MobileNetV3, TensorFlow's padding", _timm("tf_mobilenetv3_small_minimal_100")),
    "mnasnet0_5": Architecture("MNASNet", _tv("mnasnet0_5")),
    "convnext": Architecture(
        "ConvNeXt", partial(tv.ConvNeXt, [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 2)], num_classes=5)
    ),
    "convnext_timm": Architecture("ConvNeXt", _timm("test_convnext2")),
    "regnet": Architecture("RegNet", partial(RegNet, BlockParams.from_init_params(8, 8, 8, 2.0, 8, 0.25), 5)),
    "shufflenet": Architecture("ShuffleNet", _tv("shufflenet_v2_x0_5")),
    "squeezenet": Architecture("SqueezeNet", _tv("squeezenet1_1")),
    "ghostnet_050": Architecture("GhostNet", _timm("ghostnet_050")),
    "mixnet_s": Architecture("MixNet", _timm("mixnet_s")),
    "hrnet": Architecture("HRNet", _timm("hrnet_w18_small")),
    "dla46_c": Architecture("DLA", _timm("dla46_c")),
    "repvgg": Architecture("RepVGG", _timm("test_byobnet")),
    "lraspp": Architecture("LR-ASPP, segmentation", _tv("lraspp_mobilenet_v3_large", **_NO_BACKBONE)),
    "deeplabv3": Architecture("DeepLabV3, segmentation", _tv("deeplabv3_mobilenet_v3_large", **_NO_BACKBONE)),
    "ssdlite": Architecture("SSDLite, detection", _tv("ssdlite320_mobilenet_v3_large", **_NO_BACKBONE), (96, 96), True),
    "faster_rcnn": Architecture(
        "Faster R-CNN, detection",
        _tv("fasterrcnn_mobilenet_v3_large_320_fpn", min_size=64, max_size=64, **_NO_BACKBONE),
        (64, 64),
        True,
    ),
}
