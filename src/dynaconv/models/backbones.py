"""Static networks of torchvision and timm, which methods put their convolutions into."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError, MissingExtraError

__all__ = ["backbone", "is_backbone"]


def backbone(name: str, num_classes: int = 1000, in_channels: int = 3, **options: Any) -> nn.Module:
    """A static network with fresh weights: torchvision's where it has the name, else timm's.

    Args:
        name: a torchvision classification model, `mobilenetv2_{035,050,075,100}` (torchvision's MobileNetV2 at a
            width), `cifar_resnet18` (the usual form for 32×32 images: a 3×3 stem without pooling), or a timm model.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.
        **options: passed on to torchvision's or timm's builder.

    Raises:
        ArgumentError: no such network.
        MissingExtraError: torchvision is not installed.
    """
    torchvision, timm = _torchvision(), _timm()
    if name == "cifar_resnet18":
        model: nn.Module = torchvision.resnet18(num_classes=num_classes, **options)
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    elif name.startswith("mobilenetv2_") and name[12:] in ("035", "050", "075", "100"):
        model = torchvision.mobilenet_v2(num_classes=num_classes, width_mult=int(name[12:]) / 100, **options)
    elif name in torchvision.list_models(module=torchvision):
        model = torchvision.get_model(name, weights=None, num_classes=num_classes, **_quiet(name), **options)
    elif timm is not None and timm.is_model(name):
        return timm.create_model(name, num_classes=num_classes, in_chans=in_channels, **options)  # type: ignore[no-any-return]  # timm is untyped
    else:
        known = "a torchvision classification model" + (" or a timm model" if timm else "; timm is not installed")
        raise ArgumentError("name", name, known)
    return model if in_channels == 3 else _with_first_conv(model, in_channels)


def is_backbone(name: str) -> bool:
    """Whether `backbone` knows the name."""
    torchvision, timm = _torchvision(), _timm()
    own = name == "cifar_resnet18" or (name.startswith("mobilenetv2_") and name[12:] in ("035", "050", "075", "100"))
    return own or name in torchvision.list_models(module=torchvision) or (timm is not None and timm.is_model(name))


def _quiet(name: str) -> dict[str, Any]:
    """Arguments without which a torchvision builder warns about its own start."""
    return {"init_weights": True} if name in ("googlenet", "inception_v3") else {}


def _with_first_conv(model: nn.Module, in_channels: int) -> nn.Module:
    """The model with its first convolution made anew for other images."""
    name, conv = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
    padding: Any = conv.padding
    new = nn.Conv2d(
        in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]  # pairs, typed as longer tuples
        conv.stride,  # type: ignore[arg-type]
        padding,
        bias=conv.bias is not None,
    )
    model.set_submodule(name, new)
    return model


def _torchvision() -> ModuleType:
    try:
        from torchvision import models
    except ImportError as error:
        raise MissingExtraError("torchvision", "train") from error
    found: ModuleType = models
    return found


def _timm() -> ModuleType | None:
    """`None` where it is not installed: torchvision's models do without."""
    try:
        import timm
    except ImportError:
        return None
    found: ModuleType = timm
    return found
