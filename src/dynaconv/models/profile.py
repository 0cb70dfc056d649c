"""Parameters and multiply-adds of a model, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dynaconv.layers import DynamicConv

__all__ = ["LayerProfile", "Profile", "profile"]


@dataclass(frozen=True)
class LayerProfile:
    """One layer: its name in the model, its class, its own parameters and multiply-adds for one image."""

    name: str
    kind: str
    parameters: int
    macs: int


@dataclass(frozen=True)
class Profile:
    """A model's size and cost; `str()` is a table.

    Attributes:
        parameters: trainable numbers, each counted once.
        macs: multiply-adds of convolutions and matrix products for one image; making kernels is included.
        layers: all that have parameters, in order; a dynamic convolution is one layer.
    """

    parameters: int
    macs: int
    layers: tuple[LayerProfile, ...]

    def __str__(self) -> str:
        """The table, one layer a line."""
        header = ("layer", "kind", "parameters", "multiply-adds")
        rows = [(layer.name, layer.kind, f"{layer.parameters:,}", f"{layer.macs:,}") for layer in self.layers]
        total = ("total", "", f"{self.parameters:,}", f"{self.macs:,}")
        lines = [header, *rows, total]
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        return "\n".join(
            f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {parameters:>{widths[2]}}  {macs:>{widths[3]}}"
            for name, kind, parameters, macs in lines
        )


def profile(model: nn.Module, input_size: tuple[int, ...] = (3, 224, 224)) -> Profile:
    """Count a model's parameters and, by running it once on one image, its multiply-adds.

    Element-wise work, pooling and normalisation are not counted. The model is left in the mode it was in.

    Args:
        model: takes `(1, *input_size)`.
        input_size: `(C, H, W)`.
    """
    first = next(model.parameters())
    x = torch.zeros(1, *input_size, device=first.device, dtype=first.dtype)
    training = {module: module.training for module in model.modules()}
    counter = FlopCounterMode(display=False)
    try:
        # Gradients stay on: the counter's module hooks expect the graph of whatever requires one.
        with counter:
            model.eval()(x)
    finally:
        for module, mode in training.items():
            module.training = mode
    counts = {
        name.removeprefix(type(model).__name__ + "."): sum(ops.values()) for name, ops in counter.flop_counts.items()
    }
    layers = tuple(
        LayerProfile(name, type(module).__name__, sum(p.numel() for p in module.parameters()), counts.get(name, 0) // 2)
        for name, module in _layers(model)
    )
    return Profile(sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2, layers)


def _layers(model: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """The dynamic convolutions and the other modules without parts, in order, as far as they have parameters."""
    found: list[tuple[str, nn.Module]] = []
    for name, module in model.named_children():
        if isinstance(module, DynamicConv) or not [*module.children()]:
            found.append((prefix + name, module))
        else:
            found += _layers(module, f"{prefix}{name}.")
    return [(name, module) for name, module in found if any(True for _ in module.parameters())]
