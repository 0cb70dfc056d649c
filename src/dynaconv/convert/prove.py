"""Whether a layer, or a model, computes what the static one did."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.convert.costs import run
from dynaconv.convert.hooks import without_hooks
from dynaconv.convert.outputs import output_tensors
from dynaconv.convert.replace import spec_of_conv

__all__ = ["layer_error", "model_error", "tolerance"]


def tolerance(dtype: torch.dtype) -> float:
    """The largest relative error that rounding of a layer's parameters, and of the comparison, explains."""
    return 16 * torch.finfo(dtype).eps + 1e-13


def layer_error(layer: nn.Module, static: nn.Module) -> float:
    """How far a layer's output is from a static one's on noise, relative to that one's; in float64, in evaluation.

    Args:
        layer: the new one.
        static: the convolution or linear layer in whose place it stands.
    """
    new, old = (without_hooks(module).double().eval() for module in (layer, static))
    weight = next(old.parameters())
    x = torch.randn(1, *_input_shape(old), dtype=weight.dtype, device=weight.device)
    with torch.no_grad():
        return _relative(new(x), old(x))


def model_error(new: nn.Module, old: nn.Module, example: Any) -> float:
    """The same for models on an example, as they are but in evaluation.

    Args:
        new: the converted model.
        old: the model before.
        example: what both take: a tensor, or a tuple of arguments.
    """
    # Some models write to what they are given.
    before, after = ([*output_tensors(run(model, copy.deepcopy(example)))] for model in (old, new))
    if [t.shape for t in before] != [t.shape for t in after]:
        return float("inf")
    return max((_relative(a, b) for a, b in zip(after, before, strict=True)), default=0.0)


def _input_shape(module: Any) -> tuple[int, ...]:
    """Channels and the smallest map that has every tap on a pixel at some position, and several positions."""
    if isinstance(module, nn.Linear):
        return (module.in_features,)
    spec = spec_of_conv(module)
    size = []
    for k, s, d, (before, after) in zip(spec.kernel_size, spec.stride, spec.dilation, spec.pads, strict=True):
        around = d * (k // 2) + 1 + s
        size.append(max(around, d * (k - 1) + 1 + s - before - after, before + 1, after + 1, 3))
    return (spec.in_channels, *size)


def _relative(given: Tensor, expected: Tensor) -> float:
    difference = (given.double() - expected.double()).norm()
    return float(difference / expected.double().norm().clamp(min=torch.finfo(torch.float64).tiny))
