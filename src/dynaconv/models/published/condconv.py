"""CondConv networks.

Source: Yang, Bender, Le, Ngiam, NeurIPS 2019, 1904.04971. The EfficientNets are those of the authors' code; the others
the rows "CondConv 8×" that papers compare with, rebuilt from their parameter counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from torch import Tensor, nn

from dynaconv.convert import like
from dynaconv.layers import BlockRouter, CondConv2d, SamePadded, route_blocks
from dynaconv.models.backbones import backbone
from dynaconv.models.published.preset import Preset

__all__ = ["PRESETS", "CondConvClassifier", "condconv_efficientnet", "condconv_network"]

# The last residual blocks.
_ROUTED = {
    "resnet18": ("layer3.1", "layer4.0", "layer4.1"),
    "resnet50": ("layer4.0", "layer4.1", "layer4.2"),
    "mobilenetv2_100": tuple(f"features.{i}" for i in range(12, 18)),
}
# Static parts of routed blocks: shortcuts, squeeze-and-excitation.
_STATIC = {"downsample", "se"}


class CondConvClassifier(nn.Module):
    """A linear classifier with experts: CondConv on a map of one position.

    Args:
        conv: from features to class scores, 1×1.
    """

    def __init__(self, conv: CondConv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """`(B, I)` → `(B, O)`."""
        scores: Tensor = self.conv(x[..., None, None])
        return scores.flatten(1)


def condconv_network(name: str, num_kernels: int = 8, num_classes: int = 1000, in_channels: int = 3) -> nn.Module:
    """A backbone with experts in its last residual blocks, shortcuts left out, and in its classifier.

    Each of the blocks has one router; the classifier follows that of the last block.

    Args:
        name: `resnet18`, `resnet50` or `mobilenetv2_100`.
        num_kernels: K.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
    """
    model = backbone(name, num_classes, in_channels)
    routers = _routed(model, _ROUTED[name], num_kernels)
    place, linear = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear) and "router" not in n)
    conv = CondConv2d(linear.in_features, linear.out_features, 1, num_kernels=num_kernels, router=routers[-1])
    model.set_submodule(place, CondConvClassifier(conv))
    return model


def condconv_efficientnet(name: str, num_kernels: int, num_classes: int = 1000, in_channels: int = 3) -> nn.Module:
    """timm's `tf_efficientnet_b0` or `_b1` with experts in the blocks of its last three stages, one router a block.

    Args:
        name: `b0` or `b1`.
        num_kernels: K.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
    """
    model = backbone(f"tf_efficientnet_{name}", num_classes, in_channels)
    stages = [(number, model.get_submodule(f"blocks.{number}")) for number in (4, 5, 6)]
    blocks = [f"blocks.{number}.{i}" for number, stage in stages for i, _ in enumerate(stage.children())]
    _routed(model, blocks, num_kernels)
    return model


def _routed(model: nn.Module, blocks: Iterable[str], num_kernels: int) -> list[BlockRouter]:
    """Give every block a router, and its convolutions experts."""
    routers: dict[str, BlockRouter] = {}
    for name in blocks:
        block = model.get_submodule(name)
        convs = {
            part: conv
            for part, conv in block.named_modules()
            if isinstance(conv, nn.Conv2d) and not _STATIC & set(part.split("."))
        }
        first = next(iter(convs.values()))
        routers[name] = router = BlockRouter(first.in_channels, num_kernels)
        for part, conv in convs.items():
            made = like(conv, CondConv2d, num_kernels=num_kernels, router=router)
            # timm's own subclass of a convolution is the one that pads by the input's size.
            block.set_submodule(part, made if type(conv) is nn.Conv2d else SamePadded(made))
    route_blocks(model, routers)
    return [*routers.values()]


def _network(name: str, parameters: int, macs: float, printed: str, accuracy: str = "") -> Preset:
    build = partial(condconv_network, name, 8)
    return Preset(
        f"condconv8x_{name}",
        build,
        parameters,
        macs,
        "2209.07947",
        published_parameters=printed,
        published_accuracy=accuracy,
    )


def _efficientnet(
    name: str, num_kernels: int, parameters: int, macs: float, size: int, printed: tuple[str, str, str]
) -> Preset:
    return Preset(
        f"condconv{num_kernels}e_efficientnet_{name}",
        partial(condconv_efficientnet, name, num_kernels),
        parameters,
        macs,
        "tensorflow/tpu, timm",
        (3, size, size),
        *printed,
        with_assembly=True,
    )


PRESETS = (
    _network("resnet18", 81_349_016, 1.814e9, "81.35 M", "71.99 / 90.27"),
    _network("resnet50", 129_856_408, 4.089e9, "129.86 M"),
    _network("mobilenetv2_100", 22_875_248, 300.8e6, "22.88 M"),
    _efficientnet("b0", 4, 13_314_116, 396.5e6, 224, ("13.3 M", "402 M", "77.8")),
    _efficientnet("b0", 8, 24_013_284, 407.2e6, 224, ("24.0 M", "413 M", "78.3")),
    _efficientnet("b1", 8, 39_715_968, 606.1e6, 224, ("39.7 M", "614 M", "79.5")),
)
