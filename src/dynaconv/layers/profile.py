"""Parameters and multiply-adds of a model, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dynaconv.kernels import Kernel
from dynaconv.layers.base import DynamicConv
from dynaconv.layers.columns import columns
from dynaconv.layers.evaluating import evaluating

__all__ = ["LayerProfile", "Profile", "profile"]


@dataclass(frozen=True)
class LayerProfile:
    """One layer.

    Attributes:
        name: its name in the model.
        kind: its class.
        parameters: its own; what layers share counts with the first of them.
        macs: multiply-adds for one image, making its kernel left out.
        assembly: multiply-adds that make its kernel for one image.
    """

    name: str
    kind: str
    parameters: int
    macs: int
    assembly: int


@dataclass(frozen=True)
class Profile:
    """A model's size and cost; `str()` is a table.

    Attributes:
        parameters: trainable numbers, each counted once.
        macs: multiply-adds of convolutions and matrix products for one image, attention included.
        assembly: multiply-adds that make kernels out of coefficients, such as mixing experts; not in `macs`.
        layers: all that have parameters, in order; a dynamic convolution is one layer.
    """

    parameters: int
    macs: int
    assembly: int
    layers: tuple[LayerProfile, ...]

    def __str__(self) -> str:
        """The table, one layer a line."""
        header = ("layer", "kind", "parameters", "multiply-adds", "assembly")
        rows = [
            (layer.name, layer.kind, f"{layer.parameters:,}", f"{layer.macs:,}", f"{layer.assembly:,}")
            for layer in self.layers
        ]
        total = ("total", "", f"{self.parameters:,}", f"{self.macs:,}", f"{self.assembly:,}")
        return columns([header, *rows, total], words=2)


def profile(model: nn.Module, input_size: tuple[int, ...] = (3, 224, 224)) -> Profile:
    """Count a model's parameters and, by running it once on one image, its multiply-adds.

    Element-wise work, pooling and normalisation are not counted. A dynamic convolution is counted by its kernel
    value, whichever algorithm would run it. The model is left in the mode it was in.

    Args:
        model: takes `(1, *input_size)`.
        input_size: `(C, H, W)`.

    Example:
        >>> from dynaconv.layers import DyConv2d
        >>> found = profile(nn.Sequential(DyConv2d(8, 8, 3, padding=1, bias=False)), (8, 10, 10))
        >>> found.macs, found.assembly  # 100 positions of 576 and an attention of 24; four experts of 576
        (57624, 2304)
    """
    first = next(model.parameters())
    x = torch.zeros(1, *input_size, device=first.device, dtype=first.dtype)
    counter = FlopCounterMode(display=False)
    convolutions: dict[DynamicConv, tuple[int, int]] = {}
    # Gradients stay on: the counter's module hooks expect the graph of whatever requires one.
    with evaluating(model), _counting(model, counter, convolutions), counter:
        model(x)
    flops = {
        name.removeprefix(type(model).__name__ + "."): sum(ops.values()) for name, ops in counter.flop_counts.items()
    }
    layers, seen = [], set[nn.Parameter]()
    for name, module in _layers(model):
        own, assembly = convolutions.get(module, (0, 0)) if isinstance(module, DynamicConv) else (0, 0)
        own_parameters = set(module.parameters()) - seen
        seen |= own_parameters
        parameters = sum(p.numel() for p in own_parameters)
        layers.append(LayerProfile(name, type(module).__name__, parameters, flops.get(name, 0) // 2 + own, assembly))
    own, assembly = (sum(counts) for counts in zip((0, 0), *convolutions.values(), strict=True))
    macs = counter.get_total_flops() // 2 + own
    return Profile(sum(p.numel() for p in model.parameters()), macs, assembly, tuple(layers))


@contextmanager
def _counting(model: nn.Module, counter: FlopCounterMode, found: dict[DynamicConv, tuple[int, int]]) -> Iterator[None]:
    """Have every dynamic convolution ask its kernel for its cost instead of convolving.

    What it learns goes to `found`: multiply-adds to add to those that the counter sees, and those of assembly.
    """

    def assemble(layer: DynamicConv, coefficients: dict[str, Tensor]) -> Kernel:
        before = counter.get_total_flops()
        kernel = type(layer).assemble(layer, coefficients)
        made = (counter.get_total_flops() - before) // 2
        add(layer, -made, made)
        return kernel

    def forward(layer: DynamicConv, x: Tensor) -> Tensor:
        convolved, kernel, spec = layer.operands(x)
        size = spec.output_size(convolved.shape[2:])
        # What a kernel costs without a position to apply it at is making it.
        mixing = kernel.macs(0)
        add(layer, kernel.macs(prod(size)) - mixing, mixing)
        return x.new_zeros(x.shape[0], spec.out_channels, *size)

    def add(layer: DynamicConv, own: int, assembly: int) -> None:
        earlier = found.get(layer, (0, 0))
        found[layer] = (earlier[0] + own, earlier[1] + assembly)

    # A layer with a forward pass of its own is left to the counter.
    dynamic = [m for m in model.modules() if isinstance(m, DynamicConv) and type(m).forward is DynamicConv.forward]
    try:
        for layer in dynamic:
            layer.forward = partial(forward, layer)  # type: ignore[method-assign]  # undone below
            layer.assemble = partial(assemble, layer)  # type: ignore[method-assign]
        yield
    finally:
        for layer in dynamic:
            del layer.forward, layer.assemble


def _layers(model: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """The dynamic convolutions and the other modules without parts, in order, as far as they have parameters."""
    found: list[tuple[str, nn.Module]] = []
    for name, module in model.named_children():
        if isinstance(module, DynamicConv) or not [*module.children()]:
            found.append((prefix + name, module))
        else:
            found += _layers(module, f"{prefix}{name}.")
    return [(name, module) for name, module in found if any(True for _ in module.parameters())]
