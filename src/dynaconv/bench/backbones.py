"""The networks that layers and whole-network measurements come from, by torchvision."""

from __future__ import annotations

from torch import nn

from dynaconv.errors import ArgumentError, MissingExtraError

__all__ = ["BACKBONES", "backbone"]

BACKBONES = ("resnet18", "resnet50", "mobilenet_v2", "cifar_resnet18")


def backbone(name: str, num_classes: int = 1000) -> nn.Module:
    """A static network with fresh weights.

    Args:
        name: one of `BACKBONES`; `cifar_resnet18` is the usual form for 32×32 images, a 3×3 stem without pooling.
        num_classes: the classifier's outputs.

    Raises:
        ArgumentError: no such network.
        MissingExtraError: torchvision is not installed.
    """
    if name not in BACKBONES:
        raise ArgumentError("network", name, f"one of {', '.join(BACKBONES)}")
    try:
        from torchvision.models import mobilenet_v2, resnet18, resnet50
    except ImportError as error:
        raise MissingExtraError("torchvision", "train") from error
    if name == "cifar_resnet18":
        model: nn.Module = resnet18(num_classes=num_classes)
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
        return model
    makers = {"resnet18": resnet18, "resnet50": resnet50, "mobilenet_v2": mobilenet_v2}
    model = makers[name](num_classes=num_classes)
    return model
