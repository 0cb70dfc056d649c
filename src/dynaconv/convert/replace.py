"""Replace convolutions inside a model by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from dynaconv.errors import ArgumentError
from dynaconv.spec import ConvSpec

__all__ = ["conv_names", "replace", "spec_of_conv"]

_CONVS: dict[type[nn.Module], int] = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}


def spec_of_conv(conv: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> ConvSpec:
    """The geometry of a convolution."""
    padding: Any = conv.padding
    mode: Any = conv.padding_mode
    return ConvSpec.parse(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        dims=len(conv.kernel_size),
        stride=conv.stride,
        padding=padding,
        dilation=conv.dilation,
        groups=conv.groups,
        padding_mode=mode,
    )


def conv_names(model: nn.Module, but: Iterable[str] = ()) -> list[str]:
    """Names of a model's plain convolutions, in order, without those called, or inside a module called, one of `but`.

    Args:
        model: any.
        but: whole names (`"features.0.0"`) or single parts of a name (`"downsample"`).
    """
    left_out = set(but)
    names = [name for name, module in model.named_modules() if type(module) in _CONVS]
    return [name for name in names if name not in left_out and not left_out & set(name.split("."))]


def replace(model: nn.Module, names: Iterable[str], make: Callable[[nn.Conv2d], nn.Module]) -> nn.Module:
    """Put `make(conv)` where each named convolution is; the model is changed and returned.

    Args:
        model: holds the convolutions.
        names: as `named_modules` has them.
        make: builds the replacement from the convolution.

    Raises:
        ArgumentError: a name is not a convolution's.
    """
    for name in names:
        conv = model.get_submodule(name)
        if type(conv) not in _CONVS:
            raise ArgumentError("names", name, f"the name of a convolution, not of a {type(conv).__name__}")
        model.set_submodule(name, make(conv))  # type: ignore[arg-type]  # 1d and 3d have the same attributes
    return model
