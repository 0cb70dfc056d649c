"""Kernel values made from spectra: of every kind, small."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dynaconv.kernels import FourierKernel, FourierKernels
from dynaconv.spec import ConvSpec

# Input and output channels, kernel, map, samples, options of the spectrum, the geometry.
CASES: dict[str, tuple[int, int, Any, tuple[int, int], int, dict[str, Any], dict[str, Any]]] = {
    "plain": (4, 6, 3, (7, 6), 3, {"num_kernels": 5}, {"padding": 1}),
    "odd columns": (5, 4, (3, 1), (6, 7), 2, {"num_kernels": 3}, {"stride": (2, 1)}),
    "one sample": (4, 6, 3, (5, 4), 1, {"num_kernels": 4}, {"padding": 1, "dilation": 2}),
    "one tap": (6, 4, 1, (5, 4), 3, {"num_kernels": 64}, {}),
    "groups": (4, 6, 3, (7, 6), 3, {"num_kernels": 5, "groups": 2}, {"padding": 1}),
    "spectra": (4, 6, 3, (7, 6), 3, {"num_kernels": 2, "spectra": 2, "kept_frequencies": 0.5}, {"padding": "same"}),
    "wrapped": (4, 6, 3, (7, 6), 3, {"num_kernels": 5}, {"padding": 2, "padding_mode": "circular"}),
    "one channel": (1, 1, 3, (4, 4), 2, {"num_kernels": 2}, {}),
    "many samples": (6, 5, 3, (4, 4), 11, {"num_kernels": 7}, {"padding": 1}),
    "primes": (22, 13, (5, 1), (6, 3), 5, {"num_kernels": 9, "spectra": 2}, {"padding": (2, 0)}),
    "rows of 14": (14, 20, (1, 3), (3, 5), 2, {"num_kernels": 4}, {}),
}
Draw = tuple[Tensor, FourierKernel, ConvSpec, list[Tensor]]


def draw(name: str, dtype: torch.dtype = torch.float64, *, factors: bool = True) -> Draw:
    """An input, a kernel value, the geometry, and everything that has a gradient."""
    inputs, outputs, kernel, size, batch, options, geometry = CASES[name]
    groups = options.get("groups", 1)
    spec = ConvSpec.parse(inputs, outputs, kernel, dims=2, groups=groups, **geometry)
    module = FourierKernels(spec.weight_shape, **options, local_dim=3 if factors else 0, dtype=dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    shapes = {
        "gates": (batch, module.num_kernels * module.spectra),
        "taps": (batch, spec.taps),
        "inputs": (batch, inputs),
        "outputs": (batch, outputs),
        "local": (batch, inputs, 3),
    }
    leaves = {
        n: torch.rand(s, dtype=dtype).requires_grad_() if factors or n == "gates" else None for n, s in shapes.items()
    }
    x = torch.randn(batch, inputs, *size, dtype=dtype, requires_grad=True)
    everything = [x, *(leaf for leaf in leaves.values() if leaf is not None), *module.parameters()]
    return x, module(**leaves), spec, everything
