"""Fit attention over a bank of small kernels to the slices of a given kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from dynaconv.kernels import AttendedSlices

__all__ = ["fit_slices"]

_STEPS = 300
_RATE = 0.03
# A step looks at so many output and input channels at most.
_SIDE = 64


def fit_slices(slices: AttendedSlices, weight: Tensor, sharpness: float) -> None:
    """Gradient steps on the mean squared difference, over random output and input channels.

    Args:
        slices: is changed.
        weight: `(O, I/g, *k)`, what it is to make.
        sharpness: the factor of all queries.
    """
    dtype = torch.promote_types(weight.dtype, torch.float32)
    wanted = weight.flatten(2).to(dtype)
    scale = wanted.square().mean().sqrt().clamp(min=1e-30)
    wanted = wanted / scale
    parts = [slices.out_vectors, slices.in_vectors, slices.keys, slices.bank]
    # Kernels about the kernel's own size, wide enough apart for slices to lie between them.
    start = [*(p.detach().to(dtype) for p in parts[:3]), 2 * torch.randn(len(slices.bank), wanted.shape[2]).to(wanted)]
    fitted = [p.clone().requires_grad_() for p in start]
    optimizer = torch.optim.Adam(fitted, lr=_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, _STEPS)
    outputs, inputs = (min(_SIDE, n) for n in wanted.shape[:2])
    with torch.enable_grad():
        for _ in range(_STEPS):
            rows = torch.randperm(len(wanted), device=weight.device)[:outputs]
            columns = torch.randperm(wanted.shape[1], device=weight.device)[:inputs]
            u, v, keys, bank = fitted
            queries = u[rows].unsqueeze(1) * v[columns]
            made = (sharpness * queries @ keys).softmax(-1) @ bank
            optimizer.zero_grad()
            (made - wanted[rows][:, columns]).square().mean().backward()
            optimizer.step()
            schedule.step()
    fitted[3] = fitted[3].detach().reshape(slices.bank.shape) * scale
    for parameter, value in zip(parts, fitted, strict=True):
        parameter.data.copy_(value.detach())
