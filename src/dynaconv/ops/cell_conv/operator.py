"""`cell_conv` as an operator."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dynaconv.kernels import CellKernel
from dynaconv.ops.cell_conv.algorithms import REGISTRY
from dynaconv.ops.conv_operator import ConvOperator
from dynaconv.ops.dense_conv import grouped
from dynaconv.ops.recompute import Tensors, present

__all__ = ["OPERATOR"]


def _arguments(tensors: Tensors) -> tuple[Tensor, CellKernel]:
    x, cells, mixture = present(tensors)
    return x, CellKernel(cells, mixture)


def _facts(kernel: CellKernel) -> dict[str, Any]:
    experts, *cell = kernel.cells.shape
    return {"experts": experts, "cell": tuple(cell)}


OPERATOR = ConvOperator(
    "cell_conv",
    ("x", "cells", "mixture"),
    REGISTRY,
    shape=lambda kernel: kernel.weight_shape,
    written_out=lambda x, kernel, spec: grouped.forward(x, kernel.dense(), spec),
    arguments=_arguments,
    facts=_facts,
)
