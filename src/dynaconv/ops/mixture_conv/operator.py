"""`mixture_conv` as an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.conv_operator import ConvOperator
from dynaconv.ops.dense_conv import grouped
from dynaconv.ops.mixture_conv.algorithms import REGISTRY
from dynaconv.ops.mixture_conv.gradients import MixtureGradients, Wanted
from dynaconv.ops.recompute import Tensors, present
from dynaconv.spec import ConvSpec

__all__ = ["OPERATOR"]


class _MixtureConv(ConvOperator):
    """Its algorithms give gradients by name, all of the kernel's or none."""

    def gradients(
        self,
        backward: Callable[..., Any],
        gradient: Tensor,
        arguments: Sequence[Any],
        spec: ConvSpec,
        wanted: Sequence[bool],
    ) -> Sequence[Tensor | None]:
        """See `ConvOperator`; sums of higher precision are rounded to the tensors' type."""
        x, kernel = arguments
        to_x, to_bank, to_mixture, to_taps, to_in, to_out = wanted
        asked = Wanted(input=to_x or to_in, kernel=to_bank or to_mixture or to_taps or to_out)
        found: MixtureGradients = backward(gradient, x, kernel, spec, asked)
        tensors = (x, kernel.bank, kernel.mixture, *kernel.scales)
        return [
            g.to(tensor.dtype) if w and (g := getattr(found, name)) is not None else None
            for name, tensor, w in zip(self.TENSORS, tensors, wanted, strict=True)
        ]


def _arguments(tensors: Tensors) -> tuple[Tensor, MixtureKernel]:
    x, bank, mixture = present(tensors[:3])
    return x, MixtureKernel(bank, mixture, *tensors[3:])


def _facts(kernel: MixtureKernel) -> dict[str, Any]:
    scales = tuple(name for name in MixtureKernel.SCALES if getattr(kernel, name) is not None)
    return {"experts": kernel.bank.shape[0], "scales": scales}


OPERATOR = _MixtureConv(
    "mixture_conv",
    ("x", "bank", "mixture", *MixtureKernel.SCALES),
    REGISTRY,
    shape=lambda kernel: kernel.bank.shape[1:],
    written_out=lambda x, kernel, spec: grouped.forward(x, kernel.dense(), spec),
    arguments=_arguments,
    facts=_facts,
)
