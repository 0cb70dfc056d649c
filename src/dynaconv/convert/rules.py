"""Which layers each method replaces unless it is told: what its paper does, as far as that carries over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dynaconv.errors import ArgumentError
from dynaconv.layers.registry import CONVS
from dynaconv.spec import ConvSpec

__all__ = ["RULES", "Place", "Rule", "rules_of"]


@dataclass(frozen=True)
class Place:
    """Where a layer stands.

    Attributes:
        spec: its geometry; `None` for a linear layer.
        first: whether no convolution stands before it.
        last: whether no layer stands behind it.
        shortcut: whether it projects a residual block's shortcut.
        depth: the share of the model's layers that stand before it.
    """

    spec: ConvSpec | None
    first: bool
    last: bool
    shortcut: bool
    depth: float

    @property
    def pointwise(self) -> bool:
        """A convolution of a single tap."""
        return self.spec is not None and self.spec.taps == 1

    @property
    def depthwise(self) -> bool:
        """A convolution that mixes no channels."""
        return self.spec is not None and 1 < self.spec.groups == self.spec.in_channels


# Why a layer is kept, or nothing.
Rule = Callable[[Place], str]


def _stem(place: Place) -> str:
    return "the stem" if place.first else ""


def _shortcut(place: Place) -> str:
    return "projects a shortcut" if place.shortcut and place.pointwise else ""


def _shortcut_without_stride(place: Place) -> str:
    strided = place.spec is not None and any(step > 1 for step in place.spec.stride)
    return "" if strided else _shortcut(place)


def _single_tap(place: Place) -> str:
    return "a single tap, which has nothing to be weighed against" if place.pointwise else ""


def _depthwise(place: Place) -> str:
    return "depthwise" if place.depthwise else ""


def _narrow(place: Place) -> str:
    narrow = place.spec is not None and min(place.spec.in_channels, place.spec.out_channels) <= 16
    return "16 channels or fewer" if narrow else ""


def _large_kernel(place: Place) -> str:
    return "larger than 3×3" if place.spec is not None and max(place.spec.kernel_size) > 3 else ""


def _first_half(place: Place) -> str:
    return "in the first half of the network" if place.depth < 0.5 else ""


def _linear(place: Place) -> str:
    return "a linear layer" if place.spec is None else ""


def _hidden_linear(place: Place) -> str:
    return "a linear layer that is not the classifier" if place.spec is None and not place.last else ""


RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        # The seeds replace every convolution that has an image of features to look at.
        "kernel_weighted": (_stem,),
        "fc_generated": (_stem,),
        "dot_product": (_stem,),
        # The authors' experts stand in the last blocks.
        "condconv": (_stem, _shortcut, _first_half),
        "dyconv": (_stem,),
        "odconv": (_stem, _shortcut),
        "kernel_warehouse": (_stem, _shortcut_without_stride, _linear),
        "dcd": (_stem, _shortcut, _depthwise, _hidden_linear),
        "fdconv": (_stem, _shortcut, _depthwise, _narrow, _large_kernel),
        "lgcf": (_stem, _single_tap),
        "involution": (_stem, _single_tap),
        "rfaconv": (_stem, _single_tap),
        "rfcbamconv": (_stem, _single_tap),
        "rfcaconv": (_stem, _single_tap),
        "depthwise_separable": (_stem, _single_tap, _depthwise),
        "spatially_separable": (_stem, _single_tap),
    }
)

# They compute what no convolution of the same arguments does, or the same.
_NO_METHODS = {"static", "causal"}


def rules_of(method: str) -> tuple[Rule, ...]:
    """A method's rules; a method without any replaces all but the stem.

    Raises:
        ArgumentError: no such method, or one that models cannot be converted to.
    """
    if method not in CONVS or method in _NO_METHODS:
        raise ArgumentError("method", method, f"one of {', '.join(name for name in CONVS if name not in _NO_METHODS)}")
    return RULES.get(method, (_stem,))
