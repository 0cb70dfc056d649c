"""Convolution problems: a fixed grid of awkward shapes, and a Hypothesis strategy that draws valid ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from dynaconv.kernels import CellKernel, DenseKernel, MixtureKernel, TapwiseKernel
from dynaconv.spec import ConvSpec

SCALES = ("tap_scale", "in_scale", "out_scale", "bias_bank")


@dataclass(frozen=True)
class Problem:
    """A convolution's geometry, the input's size, and which coefficients are present."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    size: tuple[int, ...]
    batch: int = 3
    experts: int = 4
    scales: tuple[str, ...] = ()
    per_expert: bool = False
    tap_groups: int = 1
    geometry: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> ConvSpec:
        dims = len(self.size)
        return ConvSpec.parse(self.in_channels, self.out_channels, self.kernel_size, dims=dims, **self.geometry)

    def input(self, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.randn(self.batch, self.in_channels, *self.size, dtype=dtype, requires_grad=True)

    def mixture(self, dtype: torch.dtype = torch.float64) -> MixtureKernel:
        lead = (self.batch, self.experts) if self.per_expert else (self.batch,)
        shapes = {
            "tap_scale": (*lead, *self.kernel_size),
            "in_scale": (*lead, self.in_channels),
            "out_scale": (*lead, self.out_channels),
            "bias_bank": (self.experts, self.out_channels),
        }
        scales = {name: _leaf(shapes[name], dtype) for name in self.scales}
        bank = _leaf((self.experts, *self.spec.weight_shape), dtype)
        return MixtureKernel(bank, _leaf((self.batch, self.experts), dtype), **scales)

    def dense(self, dtype: torch.dtype = torch.float64) -> DenseKernel:
        bias = _leaf((self.batch, self.out_channels), dtype) if "bias_bank" in self.scales else None
        return DenseKernel(_leaf((self.batch, *self.spec.weight_shape), dtype), bias)

    def cells(self, dtype: torch.dtype = torch.float64) -> CellKernel:
        """Cells of half the channels where they can be halved, and of every second dimension's taps."""
        outputs, inputs, *taps = self.spec.weight_shape
        channels = [n // 2 if n % 2 == 0 else n for n in (outputs, inputs)]
        size = [k if d % 2 else 1 for d, k in enumerate(taps)]
        counts = [*(k // c for k, c in zip(taps, size, strict=True)), outputs // channels[0], inputs // channels[1]]
        bias = _leaf((self.out_channels,), dtype) if "bias_bank" in self.scales else None
        cells = _leaf((self.experts, *channels, *size), dtype)
        return CellKernel(cells, _leaf((self.batch, *counts, self.experts), dtype), bias)

    def tapwise(self, dtype: torch.dtype = torch.float64) -> TapwiseKernel:
        taps = _leaf((self.batch, self.tap_groups, self.spec.taps, *self.spec.output_size(self.size)), dtype)
        bias = _leaf((self.out_channels,), dtype) if "bias_bank" in self.scales else None
        return TapwiseKernel(_leaf(self.spec.weight_shape, dtype), taps, bias)


def _leaf(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, dtype=dtype, requires_grad=True)


GRID = {
    "plain": Problem(5, 7, (3, 3), (9, 8), geometry={"padding": 1}),
    "all scales": Problem(5, 7, (3, 3), (9, 8), scales=SCALES, geometry={"padding": 1}),
    "per expert": Problem(6, 4, (3, 3), (7, 8), scales=SCALES, per_expert=True, geometry={"groups": 2}),
    "one sample": Problem(4, 6, (3, 3), (5, 5), batch=1, scales=SCALES, geometry={"padding": 1}),
    "no sample": Problem(4, 6, (3, 3), (5, 5), batch=0, scales=SCALES, geometry={"padding": 1}),
    "one expert": Problem(4, 6, (3, 3), (5, 5), experts=1, scales=("out_scale",), geometry={"padding": 1}),
    "one expert, taps": Problem(4, 6, (3, 3), (5, 5), experts=1, scales=SCALES, geometry={"padding": 1}),
    "16 experts": Problem(3, 4, (3, 3), (6, 6), experts=16, scales=("tap_scale",)),
    "pointwise": Problem(6, 5, (1, 1), (4, 7), scales=("in_scale", "out_scale"), tap_groups=3),
    "depthwise": Problem(6, 6, (3, 3), (7, 6), scales=SCALES, tap_groups=6, geometry={"groups": 6, "padding": 1}),
    "depth multiplier": Problem(3, 6, (3, 3), (7, 6), scales=SCALES, tap_groups=3, geometry={"groups": 3}),
    "groups": Problem(6, 4, (3, 3), (6, 6), scales=SCALES, tap_groups=2, geometry={"groups": 2, "stride": 2}),
    "strided, dilated": Problem(
        3, 4, (3, 2), (11, 9), geometry={"stride": (2, 3), "dilation": (2, 1), "padding": (2, 1)}
    ),
    "same, even": Problem(3, 4, (2, 4), (6, 7), scales=("tap_scale",), geometry={"padding": "same"}),
    "same, dilated": Problem(3, 4, (3, 3), (9, 7), geometry={"padding": "same", "dilation": 2}),
    "reflect": Problem(3, 4, (3, 3), (6, 5), geometry={"padding": 2, "padding_mode": "reflect"}),
    "replicate": Problem(3, 4, (3, 3), (6, 5), geometry={"padding": 2, "padding_mode": "replicate"}),
    "circular": Problem(3, 4, (3, 3), (6, 5), scales=SCALES, geometry={"padding": (1, 2), "padding_mode": "circular"}),
    "whole image": Problem(3, 4, (5, 6), (5, 6), scales=SCALES),
    "one channel": Problem(1, 1, (3, 3), (4, 4), scales=SCALES),
    "1d": Problem(4, 6, (3,), (9,), scales=SCALES, tap_groups=2, geometry={"groups": 2, "padding": 1, "dilation": 2}),
    "1d reflect": Problem(4, 6, (3,), (9,), geometry={"padding": 2, "padding_mode": "reflect"}),
    "3d": Problem(4, 6, (2, 3, 1), (4, 5, 3), scales=SCALES, geometry={"padding": (1, 1, 0), "stride": (1, 2, 1)}),
    "3d same": Problem(2, 3, (2, 3, 2), (4, 5, 3), geometry={"padding": "same"}),
}


@st.composite
def problems(draw: Callable[..., Any]) -> Problem:
    """Any valid problem, small: all numbers of dimensions, groups, scales, batch 0 to 3, 1 to 16 experts."""
    dims = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    in_channels, out_channels = (groups * draw(st.integers(1, 3)) for _ in range(2))
    kernel_size = tuple(draw(st.integers(1, 3)) for _ in range(dims))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(dims))
    # Large enough for the kernel without padding and for every padding mode's limits.
    size = tuple(d * (k - 1) + 1 + draw(st.integers(2, 4)) for k, d in zip(kernel_size, dilation, strict=True))
    geometry: dict[str, Any] = {"groups": groups, "dilation": dilation}
    if draw(st.booleans()):
        geometry["padding"] = "same"
    else:
        geometry["padding"] = tuple(draw(st.integers(0, 2)) for _ in range(dims))
        geometry["stride"] = tuple(draw(st.integers(1, 3)) for _ in range(dims))
    geometry["padding_mode"] = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    return Problem(
        in_channels,
        out_channels,
        kernel_size,
        size,
        batch=draw(st.integers(0, 3)),
        experts=draw(st.sampled_from([1, 2, 3, 4, 16])),
        scales=tuple(name for name in SCALES if draw(st.booleans())),
        per_expert=draw(st.booleans()),
        tap_groups=draw(st.sampled_from([n for n in range(1, in_channels + 1) if in_channels % n == 0])),
        geometry=geometry,
    )
