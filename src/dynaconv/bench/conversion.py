"""Which convolutions of a backbone each published method replaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from torch import Tensor, nn

from dynaconv.bench.backbones import backbone
from dynaconv.bench.methods import CondConv, DyConv, ODConv, Router
from dynaconv.errors import ArgumentError
from dynaconv.layers import DynamicConv
from dynaconv.spec import ConvSpec

__all__ = ["METHODS", "convert", "spec_of_conv"]

METHODS = ("odconv", "dyconv", "condconv")

_STEMS = ("conv1", "features.0.0")
# Where the CondConv rows of published comparisons put their experts: the last residual blocks.
_ROUTED = {
    "resnet18": ("layer3.1", "layer4.0", "layer4.1"),
    "resnet50": ("layer4.0", "layer4.1", "layer4.2"),
    "mobilenet_v2": tuple(f"features.{i}" for i in range(12, 18)),
}


def spec_of_conv(conv: nn.Conv2d) -> ConvSpec:
    """The geometry of a convolution; zeros as padding, as many on both sides."""
    padding: Any = conv.padding
    return ConvSpec.parse(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        dims=2,
        stride=conv.stride,
        padding=padding,
        dilation=conv.dilation,
        groups=conv.groups,
    )


def convert(network: str, method: str, experts: int) -> nn.Module:
    """A backbone with its convolutions replaced as the method's published networks have it.

    ODConv replaces all but the stem and, in ResNets, the 1×1 convolutions of the shortcuts. Dynamic convolution
    replaces all but the stem. CondConv replaces all convolutions of the last residual blocks but the shortcuts',
    and the classifier, which follows the last block's router.

    Args:
        network: one of the backbones.
        method: one of `METHODS`.
        experts: K.

    Raises:
        ArgumentError: an unknown network or method, or no published rule for the network.
    """
    model = backbone(network)
    if method == "odconv":
        _replace(model, _names(model, (*_STEMS, "downsample")), partial(ODConv, experts=experts))
    elif method == "dyconv":
        _replace(model, _names(model, _STEMS), partial(DyConv, experts=experts))
    elif method == "condconv" and network in _ROUTED:
        _route(model, _ROUTED[network], experts)
    else:
        allowed = ", ".join(METHODS) if method not in METHODS else f"odconv or dyconv for {network}"
        raise ArgumentError("method", method, f"one of {allowed}")
    return model


def _names(model: nn.Module, but: Iterable[str]) -> list[str]:
    """Names of the convolutions whose name does not start with, or contain as a part, one of `but`."""
    left_out = set(but)
    convs = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    return [name for name in convs if name not in left_out and not left_out & set(name.split(".")[:-1])]


def _replace(model: nn.Module, names: Iterable[str], make: Callable[[ConvSpec], DynamicConv]) -> None:
    for name in names:
        conv = model.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        model.set_submodule(name, make(spec_of_conv(conv)))


def _route(model: nn.Module, blocks: Iterable[str], experts: int) -> None:
    """Give every block a router, its convolutions and the classifier experts."""
    router: Router | None = None
    for name in blocks:
        block = model.get_submodule(name)
        convs = _names(block, ("downsample",))
        first = block.get_submodule(convs[0])
        assert isinstance(first, nn.Conv2d)
        router = Router(first.in_channels, experts)
        _replace(block, convs, partial(CondConv, experts=experts, router=router))
        block.register_module("router", router)
        block.register_forward_pre_hook(_route_block)
    assert router is not None
    name, linear = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear) and n in _CLASSIFIERS)
    spec = ConvSpec.parse(linear.in_features, linear.out_features, 1, dims=2)
    model.set_submodule(name, _Classifier(CondConv(spec, experts, router, bias=True)))


_CLASSIFIERS = ("fc", "classifier.1")


def _route_block(block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Before a block runs: a function of the block, so that a copy of the network uses the copy's router."""
    block.get_submodule("router")(inputs[0])


class _Classifier(nn.Module):
    """A linear layer as a 1×1 convolution of a map with one position."""

    def __init__(self, conv: CondConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """`(B, I)` → `(B, O)`."""
        scores: Tensor = self.conv(x[..., None, None])
        return scores.flatten(1)
