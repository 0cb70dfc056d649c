"""`fourier_conv` as an operator."""

from __future__ import annotations

from torch import Tensor

from dynaconv.kernels import FourierKernel
from dynaconv.ops.conv_operator import ConvOperator
from dynaconv.ops.dense_conv import grouped
from dynaconv.ops.fourier_conv.algorithms import REGISTRY
from dynaconv.ops.recompute import Tensors, present

__all__ = ["OPERATOR"]


def _arguments(tensors: Tensors) -> tuple[Tensor, FourierKernel]:
    *always, left, right, vectors, context, size = tensors
    x, spectrum, runs, order, gates, shaped = present([*always, size])
    return x, FourierKernel(spectrum, runs, order, gates, tuple(shaped.shape), left, right, vectors, context)


OPERATOR = ConvOperator(
    "fourier_conv",
    ("x", "spectrum", "runs", "order", "gates", "left", "right", "vectors", "context", "size"),
    REGISTRY,
    shape=lambda kernel: kernel.size,
    written_out=lambda x, kernel, spec: grouped.forward(x, kernel.dense().to(x.dtype), spec),
    arguments=_arguments,
    facts=lambda kernel: {"experts": kernel.gates.shape[1]},
)
