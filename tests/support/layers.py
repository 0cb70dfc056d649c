"""The registered layers with geometries and options to test each with: add a line to CASES for every method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from dynaconv.layers import DynamicConv, create_conv
from dynaconv.layers.registry import CONVS


@dataclass(frozen=True)
class Geometry:
    """Channels, kernel, the size of the maps to test on (its length is the number of dimensions), and the rest."""

    kernel_size: int | tuple[int, ...] = 3
    in_channels: int = 4
    out_channels: int = 8
    size: tuple[int, ...] = (7, 6)
    rest: Mapping[str, Any] = field(default_factory=dict)


GEOMETRIES: dict[str, Geometry] = {
    "plain": Geometry(rest={"padding": 1}),
    "pointwise": Geometry(1),
    "whole image": Geometry((7, 6)),
    "strided": Geometry(rest={"stride": 2, "padding": 1, "bias": False}),
    "dilated": Geometry((3, 2), rest={"dilation": 2, "padding": (2, 1)}),
    "groups": Geometry(rest={"groups": 2, "padding": 1}),
    "depthwise": Geometry(out_channels=4, rest={"groups": 4, "padding": 1}),
    "depth multiplier": Geometry(rest={"groups": 4, "padding": 1}),
    "one channel": Geometry(in_channels=1, out_channels=1),
    "same, no bias": Geometry((2, 3), rest={"padding": "same", "bias": False}),
    "circular": Geometry(rest={"padding": 1, "padding_mode": "circular"}),
    "reflect": Geometry(rest={"padding": 2, "padding_mode": "reflect"}),
    "1d": Geometry(size=(9,), rest={"padding": 2, "dilation": 2}),
    "3d": Geometry((2, 3, 1), size=(4, 5, 3), rest={"stride": (1, 2, 1), "padding": (1, 1, 0)}),
}

FEW = ("plain", "strided", "dilated")
# For methods that mix no channels.
SAME_CHANNELS = {name: replace(g, out_channels=g.in_channels) for name, g in GEOMETRIES.items()}


@dataclass(frozen=True)
class LayerCase:
    """A layer to test: a registered name, its options, a geometry.

    `tapwise` is for methods whose kernels differ between positions; `plain` marks the one case of a set of options
    that the slower tests run on.
    """

    name: str
    label: str
    geometry: Geometry
    options: Mapping[str, Any]
    tapwise: bool
    plain: bool

    def __str__(self) -> str:
        return self.label

    def fresh(self, **changes: Any) -> DynamicConv:
        """The layer as it starts, in float64."""
        torch.manual_seed(1)
        g = self.geometry
        arguments: dict[str, Any] = {
            "in_channels": g.in_channels,
            "out_channels": g.out_channels,
            "kernel_size": g.kernel_size,
            "dims": len(g.size),
            **g.rest,
            **self.options,
            **changes,
        }
        layer = create_conv(self.name, **arguments)
        assert isinstance(layer, DynamicConv)
        return layer.double()

    def make(self, **changes: Any) -> DynamicConv:
        """The layer with every parameter moved off its start, where zeros would hide what they multiply."""
        layer = self.fresh(**changes)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
        return layer

    def image(self, batch: int = 3) -> Tensor:
        """Noise with an offset in every channel of every sample, so that contexts differ between samples."""
        g = self.geometry
        noise = torch.randn(batch, g.in_channels, *g.size, dtype=torch.float64)
        return noise + torch.randn(batch, g.in_channels, *(1 for _ in g.size), dtype=torch.float64)


def cases(
    name: str,
    *,
    label: str = "",
    but: tuple[str, ...] = (),
    only: tuple[str, ...] = tuple(GEOMETRIES),
    tapwise: bool = False,
    geometries: Mapping[str, Geometry] = GEOMETRIES,
    **options: Any,
) -> Iterator[LayerCase]:
    """A method with one set of options on all geometries that it has.

    Args:
        name: the registered name.
        label: tells this set of options from others of the method.
        but: geometries that the method does not have.
        only: the geometries to take, the first for the slower tests; all by default.
        tapwise: whether kernels differ between positions.
        geometries: others, where the method needs its own.
        options: the method's.
    """
    method = f"{name} {label}".strip()
    chosen = [g for g in only if g in geometries and g not in but and len(geometries[g].size) in CONVS[name]]
    for geometry in chosen:
        shape = geometries[geometry]
        yield LayerCase(name, f"{method}: {geometry}", shape, options, tapwise, geometry == chosen[0])


CASES: tuple[LayerCase, ...] = (
    *cases("kernel_weighted"),
    *cases("kernel_weighted", label="few context channels", context_channels=2, only=("plain", "groups")),
    *cases("fc_generated", hidden_dim=7),
    *cases("dot_product", bank_size=6, embedding_dim=5),
    *cases("kernel_warehouse"),
    *cases("kernel_warehouse", label="2x", budget=2, temperature=0.4, cell_ratio=0.5, only=("plain", "groups", "1d")),
    *cases("kernel_warehouse", label="1d4x", budget=0.25, cell_ratio=0.5, norm="layer", only=("plain", "3d")),
    *cases("kernel_warehouse", label="taps", spatial_partition=False, cell_ratio=0.5, norm=None, only=("strided",)),
    *cases("fdconv", num_kernels=5),
    *cases(
        "fdconv",
        label="all options",
        bands=(),
        kernels_only=True,
        activation="softmax",
        local_activation="tanh",
        spectra=2,
        kept_frequencies=0.6,
        num_kernels=3,
        norm="layer",
        only=("plain", "groups"),
    ),
    *cases("dcd"),
    *cases("dcd", label="layer norm", context_grid=2, rank=3, norm="layer", only=("plain", "strided", "groups")),
    *cases("dcd", label="no norm", norm=None, only=("plain", "same, no bias")),
    *cases("condconv", num_kernels=3),
    *cases("dyconv", min_hidden=6),
    *cases("dyconv", label="as published", as_published=True, temperature=34.0, only=("plain", "1d", "3d")),
    *cases("odconv"),
    *cases("odconv", label="one expert", num_kernels=1, only=("plain", "pointwise", "depthwise")),
    *cases("odconv", label="scales of every expert", per_kernel=True, num_kernels=3, only=("plain", "groups", "1d")),
    *cases("odconv", label="layer norm", norm="layer", temperature=2.0, only=("plain", "3d")),
    *cases("lgcf", min_hidden=4, tapwise=True),
    *cases("lgcf", label="tap groups", tapwise=True, tap_groups=2, but=("one channel",), only=("groups", "strided")),
    *cases("involution", tapwise=True, reduction=1, group_channels=2, geometries=SAME_CHANNELS, but=("one channel",)),
    *cases("involution", label="alone", tapwise=True, geometries=SAME_CHANNELS, only=("one channel",)),
    *cases(
        "involution", label="layer norm", tapwise=True, reduction=1, norm="layer", geometries=SAME_CHANNELS, only=FEW
    ),
    # One tap alone always weighs one.
    *cases("rfaconv", tapwise=True, but=("pointwise",)),
    *cases("rfcbamconv", tapwise=True, hidden_dim=5, only=(*FEW, "pointwise", "one channel", "groups")),
    *cases("rfcaconv", tapwise=True, min_hidden=5, only=(*FEW, "pointwise", "one channel", "groups")),
    *cases("rfcaconv", label="layer norm", tapwise=True, min_hidden=5, norm="layer", only=FEW),
)

PLAIN = tuple(case for case in CASES if case.plain)
