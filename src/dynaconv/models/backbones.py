"""Static networks of torchvision and timm, which methods put their convolutions into."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError, MissingExtraError

__all__ = ["backbone", "is_backbone", "pretrained_backbone"]


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


def pretrained_backbone(name: str, num_classes: int = 1000, in_channels: int = 3) -> nn.Module:
    """A static network with its published weights, which torchvision or timm download once and keep.

    The classifier of another number of classes starts afresh; for images of other channels the first convolution gets
    the mean over its channels for each, at the same scale.

    Args:
        name: as in `backbone`.
        num_classes: the classifier's outputs.
        in_channels: channels of the images.

    Raises:
        ArgumentError: there are no weights for the network, or they could not be had.
    """
    torchvision, timm = _torchvision(), _timm()
    published = {"mobilenetv2_100": "mobilenet_v2"}.get(name, name)
    try:
        if published not in torchvision.list_models(module=torchvision):
            if timm is None or not timm.is_model(published):
                raise ArgumentError("pretrained", True, f"False: {name!r} has no published weights")
            model: nn.Module = timm.create_model(
                published, pretrained=True, num_classes=num_classes, in_chans=in_channels
            )
            return model
        model = torchvision.get_model(published, weights="DEFAULT")
    except (OSError, RuntimeError) as error:
        raise ArgumentError("pretrained", True, f"False: the weights of {name!r} could not be had: {error}") from error
    return _with_parts_of(backbone(name, num_classes, in_channels), model)


def _with_parts_of(fresh: nn.Module, trained: nn.Module) -> nn.Module:
    """A trained model with a fresh one's layers where those have other sizes."""
    for name, layer in fresh.named_modules():
        old: Any = trained.get_submodule(name)
        new: Any = layer
        if not hasattr(new, "weight") or [*new.children()] or new.weight.shape == old.weight.shape:
            continue
        if new.weight.dim() == 4 and new.weight.shape[0] == old.weight.shape[0]:
            mean = old.weight.detach().mean(1, keepdim=True)
            new.weight.data.copy_(mean * old.weight.shape[1] / new.weight.shape[1])
            if new.bias is not None:
                new.bias.data.copy_(old.bias)
        trained.set_submodule(name, new)
    return trained


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
