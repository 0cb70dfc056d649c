"""Replace convolutions inside a model by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from torch import nn

from dynaconv.errors import ArgumentError
from dynaconv.spec import ConvSpec

__all__ = ["conv_names", "like", "replace", "spec_of_conv"]

M = TypeVar("M", bound=nn.Module)

_GEOMETRY = (
    "in_channels",
    "out_channels",
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "groups",
    "padding_mode",
)
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


def like(conv: nn.Module, make: Callable[..., M], **options: Any) -> M:
    """A convolution of another kind with the geometry of a given one, a bias where that has one, and fresh weights.

    Args:
        conv: an `nn.Conv1d`, `nn.Conv2d` or `nn.Conv3d`.
        make: takes the arguments of `nn.Conv2d` by name.
        **options: others that it takes.

    Example:
        >>> from dynaconv.layers import DyConv2d
        >>> like(nn.Conv2d(8, 16, 3, padding=1), DyConv2d, num_kernels=2)
        DyConv2d(
          8, 16, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)
          (router): SoftmaxRouter(
            (hidden): Linear(in_features=8, out_features=2, bias=False)
            (scores): Linear(in_features=2, out_features=2, bias=False)
            (temperature): Temperature(1)
          )
        )
    """
    geometry = {name: getattr(conv, name) for name in _GEOMETRY}
    return make(**geometry, bias=conv.bias is not None, **options)


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
