"""A model as one graph for every batch size and image size."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from dynaconv.errors import ArgumentError, ExportError
from dynaconv.export.reason import reason

__all__ = ["export_program", "for_export"]

# Pixels on a side of the map that the exporter follows, by the number of sides.
_SIDES = {1: 512, 2: 256, 3: 64}


def export_program(model: nn.Module, example: Tensor, *, free_size: bool = True) -> torch.export.ExportedProgram:
    """A model in evaluation mode as a `torch.export` program whose batch and image size are free.

    It holds no operator of this library, so a file made of it by `torch.export.save` runs wherever PyTorch does.

    Args:
        model: is left as it is.
        example: an input, `(B, C, *S)` or `(B, C)`, of any batch size from 1 on.
        free_size: whether `*S` is free too; otherwise it is the example's.

    Raises:
        ArgumentError: the example is no such input.
        ExportError: the model cannot be exported so; the message says what stands against it.

    Example:
        >>> from dynaconv import create_conv
        >>> program = export_program(create_conv("odconv", 4, 8, 3), torch.randn(1, 4, 9, 9)).module()
        >>> program(torch.randn(5, 4, 20, 13)).shape
        torch.Size([5, 8, 18, 11])
    """
    model, example = for_export(model, example)
    example = _enlarged(example) if free_size else example
    dynamic = torch.export.Dim.DYNAMIC
    free: dict[int, Any] = {0: dynamic, **{dim: dynamic for dim in range(2, example.dim()) if free_size}}
    try:
        with torch.no_grad():
            return torch.export.export(model, (example,), dynamic_shapes=(free,))
    except Exception as error:
        # The exporter raises errors of many kinds, for what the model does as well as for what it cannot express.
        hint = " (if sizes are the reason: export with free_size=False)" if free_size else ""
        raise ExportError(f"torch.export cannot export the model{hint}: {reason(error)}") from error


def for_export(model: nn.Module, example: Tensor) -> tuple[nn.Module, Tensor]:
    """A copy of the model in evaluation mode, in float32 on the CPU, and an example that no size of stands out.

    Raises:
        ArgumentError: the example is not a batch of floating-point vectors or maps.
    """
    if not isinstance(example, Tensor) or not example.is_floating_point() or example.dim() < 2 or not len(example):
        shown = tuple(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise ArgumentError("example", shown, "a floating-point tensor (B, C, *S) with B at least 1")
    example = example.detach().to("cpu", torch.float32)
    # A batch of one is taken for a batch that is always one.
    example = example if len(example) > 1 else torch.cat([example, example])
    return copy.deepcopy(model).to("cpu", torch.float32).eval(), example


def _enlarged(example: Tensor) -> Tensor:
    """An example so large that no map inside a network is a single pixel, of sides that are not equal.

    A side of one pixel, like a batch of one, is taken for one that is always so. The exporter computes with shapes
    alone, so that large maps cost nothing.
    """
    dims = example.dim() - 2
    size = [n * (dim + 1 + -(-_SIDES[dims] // n)) for dim, n in enumerate(example.shape[2:])] if dims in _SIDES else []
    return example.new_zeros(*example.shape[:2], *size) if size else example
