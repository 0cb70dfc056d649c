"""The definition of `mixture_conv`: one plain convolution per sample, in float64. Slow and obviously right."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.kernels import MixtureKernel
from dynaconv.ops.dense_conv.reference import reference as dense_reference
from dynaconv.spec import ConvSpec

__all__ = ["reference"]


def reference(x: Tensor, kernel: MixtureKernel, spec: ConvSpec) -> Tensor:
    """`y_b = (Σ_k mixture[b,k] · tap_scale ⊙ in_scale ⊙ out_scale ⊙ bank[k]) * x_b`; a bias is added by the caller.

    Args:
        x: `(B, I, *S)`.
        kernel: the bank `(K, O, I/g, *k)` and its coefficients; see `MixtureKernel`.
        spec: the geometry.

    Returns:
        `(B, O, *S_out)` in the dtype of `x`.
    """
    batch, experts = kernel.mixture.shape
    weight = kernel.bank.new_zeros(batch, *kernel.bank.shape[1:], dtype=torch.float64)
    for b in range(batch):
        for k in range(experts):
            amount = kernel.mixture[b, k].double()
            weight = _added(weight, b, amount * _scaled_expert(kernel, spec, b, k))
    return dense_reference(x, weight, spec)


def _added(total: Tensor, b: int, term: Tensor) -> Tensor:
    """`total` with `term` added to row b."""
    return total.index_add(0, torch.tensor([b], device=total.device), term.unsqueeze(0))


def _scaled_expert(kernel: MixtureKernel, spec: ConvSpec, b: int, k: int) -> Tensor:
    """Expert k as sample b sees it, before the mixture: `(O, I/g, *k)`."""
    weight = kernel.bank[k].double()
    ones = [1 for _ in spec.kernel_size]
    if kernel.tap_scale is not None:
        tap_scale = kernel.tap_scale if "tap_scale" not in kernel.per_expert() else kernel.tap_scale[:, k]
        weight = weight * tap_scale[b].double()
    if kernel.out_scale is not None:
        out_scale = kernel.out_scale if kernel.out_scale.dim() == 2 else kernel.out_scale[:, k]
        weight = weight * out_scale[b].double().reshape(-1, 1, *ones)
    if kernel.in_scale is not None:
        in_scale = kernel.in_scale if kernel.in_scale.dim() == 2 else kernel.in_scale[:, k]
        # Output channel o belongs to group o // (O/g) and sees that group's input channels.
        seen = in_scale[b].double().reshape(spec.groups, -1)
        weight = weight * seen.repeat_interleave(spec.out_channels // spec.groups, 0).reshape(*weight.shape[:2], *ones)
    return weight
